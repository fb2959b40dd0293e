import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Context } from "./frame.ts";
import { jpegOf } from "./images.ts";
import type { Load } from "./load.ts";
import { SERVER_CORE } from "./machine.ts";
import { MINIO_BUCKET, startMinio } from "./peers/minio.ts";
import { startNginx } from "./peers/nginx.ts";
import { type Peer, startPeer } from "./peers/peer.ts";
import { FSYNC, startSeaweedfs } from "./peers/seaweedfs.ts";
import { createAlbum, putImage, type RunningStore, startStore } from "./store.ts";

/** What {@link Contender.reads} may be asked for. */
export const READS = [
  "GET content, 4 KB",
  "GET content, 100 KB",
  "GET image record",
  "GET page of 100 records",
  "GET /healthz",
] as const;
export type Read = (typeof READS)[number];

/** A server on the server's core, with the same images in it as the others. */
export interface Contender {
  readonly name: string;
  readonly reads: Partial<Record<Read, Target>>;
  /** How it takes an image under a new name; undefined where it takes none. */
  readonly upload?: Target & Pick<Load, "method" | "headers" | "expect">;
}

export interface Target {
  readonly pid: number;
  readonly port: number;
  readonly path: string;
}

export interface Contenders extends AsyncDisposable {
  /** By their columns. Those that could not be had are missing. */
  readonly all: Readonly<Partial<Record<Column, Contender>>>;
  /** Why the others are missing. */
  readonly missing: readonly string[];
}

export type Column = "ours" | "files" | "bareUpload" | "bare" | "nginx" | "seaweedfs" | "minio";

const KILOBYTES = [4, 100];
const PAGE = "/v1/albums/bench/images?pageSize=100";

/** Those of `columns` that can be had, each on the server's core. The store logs as it does by default, to a file. */
export async function startContenders(context: Context, columns: readonly Column[]): Promise<Contenders> {
  await using starting = new AsyncDisposableStack();
  const images = new Map(await Promise.all(KILOBYTES.map(async (size) => [size, await jpegOf(size * 1024)] as const)));
  const store = starting.use(await startOurs(context, "ours", {}));
  const paths = await fill(store, images);
  const has = (column: Column) => columns.includes(column);
  const starters: Record<Column, () => Promise<Contender | Missing>> = {
    ours: async () => ({ name: "Image Store", reads: targets(store, paths), upload: uploadTo(store) }),
    files: async () => {
      const files = starting.use(await startOurs(context, "files", { SMALL_IMAGE: "0" }));
      await createAlbum(files, "bench");
      return { name: "Image Store, a file each", reads: {}, upload: uploadTo(files) };
    },
    bareUpload: async () => {
      const bare = starting.use(
        await startPeer("bare-upload.ts", [join(context.folder, "appended")], { core: SERVER_CORE }),
      );
      return { name: "bare Bun.serve: hash, append, shared sync", reads: {}, upload: uploadTo(bare) };
    },
    bare: () => startBare(context, starting, store, paths),
    nginx: () => startFiles(context, starting, store, paths),
    seaweedfs: () => startFiler(context, starting, images),
    minio: () => startBucket(context, starting, images),
  };
  const all: Partial<Record<Column, Contender>> = {};
  const missing: string[] = [];
  for (const column of Object.keys(starters) as Column[]) {
    if (!has(column)) continue;
    const started = await starters[column]();
    if ("missing" in started) missing.push(started.missing);
    else all[column] = started;
  }
  for (const why of missing) context.say(`LEFT OUT: ${why}`);
  const stack = starting.move();
  return { all, missing, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface Missing {
  readonly missing: string;
}

type Paths = Readonly<Record<Read, string>>;
type Images = ReadonlyMap<number, Uint8Array<ArrayBuffer>>;

const startOurs = (context: Context, name: string, settings: Readonly<Record<string, string>>) =>
  startStore({
    dataFolder: join(context.folder, name),
    core: SERVER_CORE,
    settings: { LOG_LEVEL: "info", ...settings },
  });

async function fill(store: RunningStore, images: Images): Promise<Paths> {
  await createAlbum(store, "bench");
  const add = (name: string, size: number) => putImage(store, "bench", name, images.get(size) ?? new Uint8Array());
  const small = await add("4.jpg", 4);
  const large = await add("100.jpg", 100);
  // More than a page.
  for (let n = 0; n < 100; n++) await add(`page-${n}.jpg`, 4);
  return {
    "GET content, 4 KB": small.links.content,
    "GET content, 100 KB": large.links.content,
    "GET image record": small.links.self,
    "GET page of 100 records": PAGE,
    "GET /healthz": "/healthz",
  };
}

const targets = ({ pid, port }: Peer, paths: Partial<Paths>): Partial<Record<Read, Target>> =>
  Object.fromEntries(Object.entries(paths).map(([read, path]) => [read, { pid, port, path }]));

const JPEG = { "content-type": "image/jpeg" };

const uploadTo = ({ pid, port }: Peer): NonNullable<Contender["upload"]> => ({
  pid,
  port,
  method: "POST",
  path: "/v1/albums/bench/images?name={new}",
  headers: JPEG,
  expect: 201,
});

/** A process for each read, which sends the same headers and bytes as the store. */
async function startBare(
  context: Context,
  starting: AsyncDisposableStack,
  store: RunningStore,
  paths: Paths,
): Promise<Contender> {
  const reads: Partial<Record<Read, Target>> = {};
  for (const [index, read] of READS.entries()) {
    const { pid, port } = starting.use(
      await startBareAnswer(join(context.folder, `bare-${index}`), store.url + paths[read]),
    );
    reads[read] = { pid, port, path: "/" };
  }
  return { name: "bare Bun.serve", reads };
}

/** @param file where the body is kept */
export async function startBareAnswer(file: string, url: string): Promise<Peer> {
  const answer = await fetch(url);
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => name !== "date"));
  await Bun.write(file, await answer.bytes());
  return startPeer("bare-answer.ts", [file, JSON.stringify(headers)], { core: SERVER_CORE });
}

async function startFiles(
  context: Context,
  starting: AsyncDisposableStack,
  store: RunningStore,
  paths: Paths,
): Promise<Contender | Missing> {
  const root = join(context.folder, "root");
  await mkdir(root);
  const files = {
    "GET content, 4 KB": "/4.jpg",
    "GET content, 100 KB": "/100.jpg",
    "GET image record": "/record.json",
  };
  for (const [read, path] of Object.entries(files))
    await Bun.write(join(root, path), await (await fetch(store.url + paths[read as Read])).bytes());
  const nginx = await startNginx(root, join(context.folder, "nginx"), { accessLog: true });
  if (nginx === undefined) return { missing: "nginx is not installed" };
  return { name: "nginx, access log", reads: targets(starting.use(nginx), files) };
}

/** A server of others that does not start must not cost the figures of all the others. */
const missingSince = (error: unknown): Missing => ({ missing: String(error) });

async function startFiler(
  context: Context,
  starting: AsyncDisposableStack,
  images: Images,
): Promise<Contender | Missing> {
  const folder = join(context.folder, "seaweedfs");
  const started = await startSeaweedfs(folder, { mayBuild: !context.smoke }).catch(missingSince);
  if ("missing" in started) return started;
  const filer = starting.use(started);
  const files = await putAll(filer, images, "/bench");
  const path = `/bench/{new}?${FSYNC}`;
  const upload = { ...filer, method: "PUT", path, headers: JPEG, expect: 201 };
  return { name: "SeaweedFS filer, fsync", reads: targets(filer, files), upload };
}

async function startBucket(
  context: Context,
  starting: AsyncDisposableStack,
  images: Images,
): Promise<Contender | Missing> {
  const folder = join(context.folder, "minio");
  const started = await startMinio(folder, { mayBuild: !context.smoke }).catch(missingSince);
  if ("missing" in started) return started;
  const minio = starting.use(started);
  const bucket = `/${MINIO_BUCKET}`;
  const files = await putAll(minio, images, bucket);
  for (let n = 0; n < 100; n++) await put(minio, `${bucket}/page-${n}.jpg`, images.get(4));
  const page = { "GET page of 100 records": `${bucket}?list-type=2&max-keys=100` };
  const upload = { ...minio, method: "PUT", path: `${bucket}/{new}`, headers: JPEG, expect: 200 };
  return { name: "MinIO", reads: targets(minio, { ...files, ...page }), upload };
}

async function putAll(peer: Peer, images: Images, folder: string) {
  for (const [size, bytes] of images) await put(peer, `${folder}/${size}.jpg`, bytes);
  return { "GET content, 4 KB": `${folder}/4.jpg`, "GET content, 100 KB": `${folder}/100.jpg` };
}

async function put({ port }: Peer, path: string, body: Uint8Array<ArrayBuffer> | undefined): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: "PUT", headers: JPEG, body: body ?? null });
  if (!answer.ok) throw new Error(`PUT ${path} answered ${answer.status}: ${await answer.text()}`);
}
