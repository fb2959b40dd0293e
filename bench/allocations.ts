import { join } from "node:path";
import type { Benchmark, Context, Row } from "./frame.ts";
import { type Allocated, countAllocations } from "./heap-server.ts";
import { jpegOf } from "./images.ts";
import { type Load, runLoad } from "./load.ts";
import { startPeer } from "./peers/peer.ts";
import { createAlbum, putImage, startStore } from "./store.ts";

const CONNECTIONS = 16;
/** By then the runtime has compiled what is hot, and the compiled code allocates less. */
const WARM_REQUESTS = 40_000;
const REQUESTS = 4000;
const UPLOADS = 1000;
/** Types of objects that the note names. */
const SHOWN = 8;

export const allocations: Benchmark = {
  name: "allocations",
  about: "what a hot request allocates in the heap of the main thread, against a bare answer of the runtime",
  async run(context) {
    const { flags: runtimeFlags, env, allocated } = await countAllocations();
    const settings = { LOG_LEVEL: "info" };
    await using store = await startStore({ dataFolder: join(context.folder, "data"), settings, env, runtimeFlags });
    const server = { port: store.port, allocated };
    await createAlbum(store, "bench");
    const { links } = await putImage(store, "bench", "4.jpg", await jpegOf(4096));
    const image = await jpegOf(1024);
    for (let n = 0; n < 100; n++) await putImage(store, "bench", `page-${n}.jpg`, image);
    const etag = (await fetch(store.url + links.self)).headers.get("etag") ?? "";
    const reads = [
      { work: "GET content, 4 KB", path: links.content, headers: {} },
      { work: "GET image record", path: links.self, headers: {} },
      { work: "304 to an image record", path: links.self, headers: { "if-none-match": etag } },
      { work: "GET page of 100 records", path: "/v1/albums/bench/images?pageSize=100", headers: {} },
    ];
    const rows: Row[] = [];
    for (const { work, path, headers } of reads) {
      const get = { method: "GET", path, headers };
      const answer = await fetch(store.url + path, { headers });
      rows.push(...rowsOf(work, await measure(context, server, get, answer.status), await bare(context, get, answer)));
    }
    for (const kilobytes of [4, 100]) {
      const imageFile = join(context.folder, `upload-${kilobytes}.jpg`);
      await Bun.write(imageFile, await jpegOf(kilobytes * 1024));
      const create = { method: "POST", path: newName, headers: { "content-type": "image/jpeg" }, imageFile };
      rows.push(...rowsOf(`create image, ${kilobytes} KB`, await measure(context, server, create, 201)));
    }
    return rows;
  },
};

const newName = () => `/v1/albums/bench/images?name=${crypto.randomUUID()}-{n}.jpg`;

interface Server {
  readonly port: number;
  readonly allocated: () => Promise<Allocated>;
}

interface Sent extends Pick<Load, "method" | "headers" | "imageFile"> {
  readonly path: string | (() => string);
}

/** What one request allocates. */
async function measure(
  context: Context,
  { port, allocated }: Server,
  { path, ...sent }: Sent,
  expect: number,
): Promise<Allocated> {
  const send = async (requests: number) => {
    const target = typeof path === "string" ? path : path();
    const load = { ...sent, port, path: target, connections: CONNECTIONS, seconds: 120, requests, expect };
    return (await runLoad(load)).requests;
  };
  const isUpload = sent.imageFile !== undefined;
  await send(context.smoke ? 50 : isUpload ? 2 * UPLOADS : WARM_REQUESTS);
  const before = await allocated();
  const requests = await send(context.smoke ? 50 : isUpload ? UPLOADS : REQUESTS);
  const after = await allocated();
  const types = Object.entries(after.objects);
  return {
    bytes: (after.bytes - before.bytes) / requests,
    objects: Object.fromEntries(types.map(([type, count]) => [type, (count - (before.objects[type] ?? 0)) / requests])),
  };
}

async function bare(context: Context, get: Sent, answer: Response): Promise<Allocated> {
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => name !== "date"));
  const file = join(context.folder, "body");
  await Bun.write(file, await answer.bytes());
  const { allocated, ...start } = await countAllocations();
  await using peer = await startPeer("bare-answer.ts", [file, JSON.stringify(headers), String(answer.status)], start);
  return await measure(context, { port: peer.port, allocated }, get, answer.status);
}

function rowsOf(work: string, ours: Allocated, theirs?: Allocated): readonly Row[] {
  const largest = Object.entries(ours.objects)
    .toSorted(([, one], [, other]) => other - one)
    .slice(0, SHOWN);
  const row = (what: string, unit: "KB" | "objects", figure: (of: Allocated) => number, note?: string): Row => ({
    work: `${work}, ${what}`,
    ours: { unit, runs: [figure(ours)] },
    ...(theirs && {
      against: { name: "bare Bun.serve, same headers and bytes", series: { unit, runs: [figure(theirs)] } },
    }),
    ...(note && { note }),
  });
  return [
    row("bytes", "KB", ({ bytes }) => bytes / 1024),
    row("objects", "objects", countOf, largest.map(([type, count]) => `${type} ${count.toFixed(1)}`).join(", ")),
  ];
}

const countOf = ({ objects }: Allocated): number => Object.values(objects).reduce((sum, count) => sum + count, 0);
