import { afterAll, afterEach, beforeAll, beforeEach } from "bun:test";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const BUCKET = "bucket";

/** As far as it was read: all of it. */
export interface S3Request {
  readonly method: string;
  /** Without the bucket; empty for what is asked of it. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

/** What goes wrong with an answer. */
export type Fault =
  /** Nothing is done. */
  | { readonly status: number; readonly code: string }
  /** It is done, and the connection is cut before the answer. */
  | "unanswered"
  /** The connection is cut after so many bytes of the content. */
  | { readonly cutAfter: number }
  /** These bytes are there instead. */
  | { readonly content: Uint8Array<ArrayBuffer> }
  /** Headers of the answer, others than they should be. */
  | { readonly headers: Readonly<Record<string, string>> };

/** As much of S3 as the store uses, over HTTP, strict in what the store promises: a known length and right digests. */
export interface MemoryS3 extends AsyncDisposable {
  readonly endpoint: string;
  readonly objects: Map<string, Uint8Array<ArrayBuffer>>;
  readonly uploads: Map<string, MultipartUpload>;
  /** `PUT key`, in the order in which they came. */
  readonly requests: readonly string[];
  /** Asked of each request when it has come; nothing is done of it before it has answered. */
  onRequest: (request: S3Request) => Fault | undefined | Promise<Fault | undefined>;
}

interface MultipartUpload {
  readonly key: string;
  readonly parts: Map<number, Uint8Array<ArrayBuffer>>;
}

interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array<ArrayBuffer> | string;
}

/** As it wants them: any do. */
const CREDENTIALS = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };

/** A new one for each test of the file, and what a process needs in its environment to be let in. */
export function useMemoryS3(): { readonly s3: MemoryS3 } {
  const former = Object.keys(CREDENTIALS).map((name) => [name, process.env[name]] as const);
  let started: MemoryS3 | undefined;
  beforeAll(() => void Object.assign(process.env, CREDENTIALS));
  beforeEach(async () => {
    started = await startMemoryS3();
  });
  afterEach(() => started?.[Symbol.asyncDispose]());
  afterAll(() => {
    for (const [name, value] of former)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  });
  return {
    get s3() {
      if (started === undefined) throw new Error("There is none before the first test.");
      return started;
    },
  };
}

const KEYS_A_PAGE = 20;
const MODIFIED = "2026-01-02T03:04:05.000Z";

const tagOf = (object: Uint8Array<ArrayBuffer>): string =>
  `"${new Bun.CryptoHasher("md5").update(object).digest("hex")}"`;

const modified = new WeakMap<Uint8Array, string>();
/** When the object was first looked at. */
function modifiedAt(object: Uint8Array<ArrayBuffer>): string {
  const time = modified.get(object) ?? new Date().toISOString();
  modified.set(object, time);
  return time;
}

async function startMemoryS3(): Promise<MemoryS3> {
  const objects: MemoryS3["objects"] = new Map();
  const uploads: MemoryS3["uploads"] = new Map();
  const requests: string[] = [];

  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch(() => outgoing.socket?.destroy());
  });

  async function answer(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const { method = "", url = "", headers } = incoming;
    const { pathname, searchParams: query } = new URL(url, "http://s3");
    const [, bucket = "", path = ""] = /^\/([^/]*)\/?(.*)$/.exec(decodeURIComponent(pathname)) ?? [];
    const request = { method, key: path, query, headers };
    requests.push(`${method} ${path}`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Uint8Array);
    const body = new Uint8Array(Buffer.concat(chunks));
    const fault = await memory.onRequest(request);
    if (typeof fault === "object" && "status" in fault) return send(outgoing, error(fault.status, fault.code));
    const done = bucket === BUCKET ? perform(request, body) : error(404, "NoSuchBucket");
    if (fault === "unanswered") return void outgoing.socket?.destroy();
    if (fault === undefined) return send(outgoing, done);
    if ("headers" in fault) return send(outgoing, { ...done, headers: { ...done.headers, ...fault.headers } });
    if ("content" in fault) return send(outgoing, { ...done, body: fault.content });
    return sendPart(outgoing, done, fault.cutAfter);
  }

  function perform(request: S3Request, body: Uint8Array<ArrayBuffer>): Answer {
    const { method, key, query } = request;
    if (key === "") return query.has("uploads") ? listUploads(query) : list(method, query);
    if (method === "PUT" && request.headers["x-amz-copy-source"] !== undefined) return copy(request);
    if (method === "PUT") return put(request, body);
    if (method === "POST") return query.has("uploads") ? begin(key) : complete(key, query);
    if (method === "DELETE") return query.has("uploadId") ? abort(query) : remove(key);
    return read(request);
  }

  function put({ key, query, headers }: S3Request, body: Uint8Array<ArrayBuffer>): Answer {
    const digest = new Bun.CryptoHasher("sha256").update(body);
    const [hex, base64] = [digest.copy().digest("hex"), digest.digest("base64")];
    if (headers["content-length"] !== String(body.byteLength)) return error(411, "MissingContentLength");
    if (headers["x-amz-content-sha256"] !== hex) return error(400, "XAmzContentSHA256Mismatch");
    if (headers["x-amz-checksum-sha256"] !== base64) return error(400, "BadDigest");
    const uploadId = query.get("uploadId");
    if (uploadId === null) {
      if (headers["if-none-match"] === "*" && objects.has(key)) return error(412, "PreconditionFailed");
      objects.set(key, body);
    } else {
      const upload = uploads.get(uploadId);
      if (upload === undefined) return error(404, "NoSuchUpload");
      upload.parts.set(Number(query.get("partNumber")), body);
    }
    return { status: 200, headers: { ETag: `"${hex}"` } };
  }

  function copy({ key, headers }: S3Request): Answer {
    const [bucket, ...source] = decodeURIComponent(String(headers["x-amz-copy-source"])).split("/");
    const object = objects.get(source.join("/"));
    if (bucket !== BUCKET || object === undefined) return error(404, "NoSuchKey");
    objects.set(key, object.slice());
    return xml("CopyObjectResult", `<ETag>"0"</ETag><LastModified>${MODIFIED}</LastModified>`);
  }

  function read({ method, key, headers }: S3Request): Answer {
    const object = objects.get(key);
    if (object === undefined) return error(404, method === "HEAD" ? "NotFound" : "NoSuchKey");
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
    if (from === undefined) return { status: 200, headers: { ETag: tagOf(object) }, body: object };
    if (Number(from) >= object.byteLength) return error(416, "InvalidRange");
    const end = Math.min(object.byteLength, Number(to) + 1);
    return {
      status: 206,
      headers: { "Content-Range": `bytes ${from}-${end - 1}/${object.byteLength}` },
      body: object.slice(Number(from), end),
    };
  }

  function remove(key: string): Answer {
    objects.delete(key);
    return { status: 204 };
  }

  function list(method: string, query: URLSearchParams): Answer {
    if (method === "HEAD") return { status: 200 };
    const prefix = query.get("prefix") ?? "";
    const after = query.get("continuation-token") ?? "";
    const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).toSorted();
    const page = keys.slice(0, KEYS_A_PAGE);
    const contents = page.map((key) => {
      const object = objects.get(key) ?? new Uint8Array();
      const about = `<LastModified>${modifiedAt(object)}</LastModified><ETag>${tagOf(object)}</ETag>`;
      return `<Contents><Key>${key}</Key><Size>${object.byteLength}</Size>${about}</Contents>`;
    });
    const isTruncated = keys.length > page.length;
    const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : "";
    return xml("ListBucketResult", `<IsTruncated>${isTruncated}</IsTruncated>${next}${contents.join("")}`);
  }

  function begin(key: string): Answer {
    const id = crypto.randomUUID();
    uploads.set(id, { key, parts: new Map() });
    return xml("InitiateMultipartUploadResult", `<UploadId>${id}</UploadId>`);
  }

  function complete(key: string, query: URLSearchParams): Answer {
    const id = query.get("uploadId") ?? "";
    const upload = uploads.get(id);
    if (upload === undefined) return error(404, "NoSuchUpload");
    const numbers = [...upload.parts.keys()].toSorted((one, other) => one - other);
    const parts = numbers.map((number) => upload.parts.get(number) as Uint8Array);
    objects.set(key, new Uint8Array(Buffer.concat(parts)));
    uploads.delete(id);
    return xml("CompleteMultipartUploadResult", `<Key>${key}</Key>`);
  }

  const abort = (query: URLSearchParams): Answer =>
    uploads.delete(query.get("uploadId") ?? "") ? { status: 204 } : error(404, "NoSuchUpload");

  function listUploads(query: URLSearchParams): Answer {
    const found = [...uploads].filter(([, { key }]) => key.startsWith(query.get("prefix") ?? ""));
    const listed = found.map(
      ([id, { key }]) =>
        `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${MODIFIED}</Initiated></Upload>`,
    );
    return xml("ListMultipartUploadsResult", `<IsTruncated>false</IsTruncated>${listed.join("")}`);
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const memory: MemoryS3 = {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    uploads,
    requests,
    onRequest: () => undefined,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
  return memory;
}

const xml = (name: string, content: string): Answer => ({
  status: 200,
  headers: { "Content-Type": "application/xml" },
  body: `<?xml version="1.0" encoding="UTF-8"?><${name}>${content}</${name}>`,
});

const error = (status: number, code: string): Answer => ({
  ...xml("Error", `<Code>${code}</Code><Message>As told.</Message>`),
  status,
});

const bytesOf = (body: Answer["body"]) => (typeof body === "string" ? Buffer.from(body) : (body ?? new Uint8Array()));

function send(outgoing: ServerResponse, { status, headers = {}, body }: Answer): void {
  const bytes = bytesOf(body);
  outgoing.writeHead(status, { "Content-Length": String(bytes.byteLength), ...headers });
  outgoing.end(outgoing.req.method === "HEAD" ? undefined : bytes);
}

function sendPart(outgoing: ServerResponse, { status, headers = {}, body }: Answer, size: number): void {
  const bytes = bytesOf(body);
  outgoing.writeHead(status, { "Content-Length": String(bytes.byteLength), ...headers });
  outgoing.write(bytes.subarray(0, size), () => setTimeout(() => outgoing.socket?.destroy(), 5));
}
