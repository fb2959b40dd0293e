import { join } from "node:path";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { type Handle, openInProcess } from "./in-process.ts";
import { measureWriteMessage } from "./write-message.ts";

const IMAGES = 50;
const EVENTS = 100;

/**
 * Figures that the Go system published, on other hardware: printed beside ours, never as a ratio. Its first four measure
 * the refusal ("already exists", "not found"), not the work.
 */
const PUBLISHED = {
  CreateAlbumHandler: "1.722 µs for the refusal",
  CreateImageHandler: "2.816 µs for the refusal",
  DeleteAlbumHandler: "1.707 µs for the refusal",
  DeleteImageHandler: "2.877 µs for the refusal",
  GetAlbumsList: "16.172 µs",
  GetImages: "16.464 µs",
  GetImagesByName: "15.054 µs",
  GetCreateNotification: "2.705 s",
  GetDeleteNotification: "2.966 s",
  ReadMessage: "2.954 s",
  WriteMessage: "1.033 ms",
} as const;
type Name = keyof typeof PUBLISHED;

interface Work {
  readonly name: Name;
  readonly what: string;
  readonly request: (n: number) => Request;
  readonly expect: number;
  readonly write?: boolean;
}

export const handlers: Benchmark = {
  name: "handlers",
  about: "the rows of the Go system's table, in process, one request at a time",
  async run(context) {
    await using store = await openInProcess(join(context.folder, "data"));
    const image = await jpegOf(4096);
    await fill(store.handle, image);
    let prefix = "";
    const works = [...writes(() => prefix, image), ...(await reads(store.handle))];

    const contenders = Object.fromEntries(
      works.map((work, index) => [
        String(index),
        () => {
          if (index === 0) prefix = crypto.randomUUID();
          return measure(store.handle, work, operations(context, work));
        },
      ]),
    );
    // One unmeasured call, for the compiler.
    for (const run of Object.values(contenders)) await run();
    const figures = await interleave(context.runs, contenders, { inOrder: true });
    const rows = works.map(
      ({ name, what }, index): Row => ({
        work: `${name}: ${what}`,
        ours: { unit: "µs", runs: figures[String(index)] ?? [] },
        note: published(name),
      }),
    );
    return [...rows, { ...(await measureWriteMessage(context)), note: published("WriteMessage") }];
  },
};

const published = (name: Name): string => `published, other hardware: ${PUBLISHED[name]}`;

const operations = ({ smoke }: Context, { write = false }: Work): number => {
  if (write) return smoke ? 20 : 300;
  return smoke ? 50 : 3000;
};

/** Mean microseconds of a request, until the last byte of its answer. Requests are made off the clock. */
async function measure(handle: Handle, { name, request, expect }: Work, count: number): Promise<number> {
  const requests = Array.from({ length: count }, (_, n) => request(n));
  const start = performance.now();
  for (const one of requests) {
    const response = await handle(one);
    const body = await response.bytes();
    if (response.status !== expect)
      throw new Error(`${name} answered ${response.status}: ${new TextDecoder().decode(body)}`);
  }
  return ((performance.now() - start) * 1000) / count;
}

/** In the order in which each finds what it needs: create, refuse, delete, not found. */
function writes(prefix: () => string, image: Uint8Array<ArrayBuffer>): Work[] {
  const albums = "/v1/albums";
  const images = `${albums}/bench/images`;
  const createAlbum = (n: number) => json("POST", albums, { name: `${prefix()}-${n}` });
  const createImage = (n: number) => upload(`${images}?name=${prefix()}-${n}`, image);
  const deleteAlbum = (n: number) => make("DELETE", `${albums}/${prefix()}-${n}`);
  const deleteImage = (n: number) => make("DELETE", `${images}/${prefix()}-${n}`);
  const write = true;
  return [
    { name: "CreateAlbumHandler", what: "durable create", request: createAlbum, expect: 201, write },
    { name: "CreateAlbumHandler", what: "refused, exists already", request: createAlbum, expect: 409, write },
    { name: "CreateImageHandler", what: "durable create, 4 KB", request: createImage, expect: 201, write },
    { name: "CreateImageHandler", what: "refused, exists already", request: createImage, expect: 409, write },
    { name: "DeleteAlbumHandler", what: "durable delete", request: deleteAlbum, expect: 204, write },
    { name: "DeleteAlbumHandler", what: "refused, not there", request: deleteAlbum, expect: 404, write },
    { name: "DeleteImageHandler", what: "durable delete", request: deleteImage, expect: 204, write },
    { name: "DeleteImageHandler", what: "refused, not there", request: deleteImage, expect: 404, write },
  ];
}

async function reads(handle: Handle): Promise<Work[]> {
  const get = (path: string) => () => make("GET", path);
  const answer = await handle(make("GET", "/v1/events?limit=1"));
  const { nextCursor } = (await answer.json()) as { nextCursor: string };
  const events = (type: string) => `/v1/events?type=${type}&limit=${EVENTS}`;
  const expect = 200;
  return [
    { name: "GetAlbumsList", what: `${IMAGES} albums`, request: get(`/v1/albums?pageSize=${IMAGES}`), expect },
    { name: "GetImages", what: `${IMAGES} records`, request: get("/v1/albums/bench/images"), expect },
    { name: "GetImagesByName", what: "a record", request: get("/v1/albums/bench/images/kept-0"), expect },
    { name: "GetCreateNotification", what: `${EVENTS} events`, request: get(events("image.created")), expect },
    { name: "GetDeleteNotification", what: `${EVENTS} events`, request: get(events("image.deleted")), expect },
    {
      name: "ReadMessage",
      what: "an event of the log",
      request: get(`/v1/events?after=${nextCursor}&limit=1`),
      expect,
    },
  ];
}

async function fill(handle: Handle, image: Uint8Array<ArrayBuffer>): Promise<void> {
  const done = async (request: Request) => {
    const response = await handle(request);
    await response.bytes();
    if (!response.ok) throw new Error(`${request.method} ${request.url} answered ${response.status}.`);
  };
  await done(json("POST", "/v1/albums", { name: "bench" }));
  for (let n = 1; n < IMAGES; n++) await done(json("POST", "/v1/albums", { name: `album-${n}` }));
  const images = "/v1/albums/bench/images";
  for (let n = 0; n < EVENTS; n++) await done(upload(`${images}?name=gone-${n}`, image));
  for (let n = 0; n < IMAGES; n++) await done(upload(`${images}?name=kept-${n}`, image));
  for (let n = 0; n < EVENTS; n++) await done(make("DELETE", `${images}/gone-${n}`));
}

const make = (method: string, path: string, type?: string, body?: string | Uint8Array<ArrayBuffer>): Request =>
  new Request(`http://127.0.0.1${path}`, {
    method,
    headers: {
      host: "127.0.0.1",
      ...(type === undefined ? {} : { "content-type": type }),
      // As clients of a server send it; the runtime adds none here, and a body of unknown length is read as a stream.
      ...(body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) }),
    },
    ...(body === undefined ? {} : { body }),
  });

const json = (method: string, path: string, value: unknown): Request =>
  make(method, path, "application/json", JSON.stringify(value));

const upload = (path: string, image: Uint8Array<ArrayBuffer>): Request => make("POST", path, "image/jpeg", image);
