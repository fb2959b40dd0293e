import { join } from "node:path";
import { cpuSeconds } from "./cpu-time.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { runGetLoad } from "./load.ts";
import { canPin, SERVER_CORE } from "./machine.ts";
import { startPeer } from "./peers/peer.ts";
import { createAlbum, putImage, type RunningStore, startStore } from "./store.ts";

const CONNECTIONS = 32;

/** By then the runtime has compiled what is hot. A server on a busy machine needs many runs for it. */
const WARM_REQUESTS = 100_000;

export const road: Benchmark = {
  name: "road",
  about:
    "processor time of a hot GET against a bare answer of the runtime with the same headers and bytes; with log lines",
  async run(context) {
    // The log as it is by default, in a file.
    const settings = { LOG_LEVEL: "info" };
    await using store = await startStore({ dataFolder: join(context.folder, "data"), core: SERVER_CORE, settings });
    await createAlbum(store, "bench");
    const small = await putImage(store, "bench", "4.jpg", await jpegOf(4096));
    const large = await putImage(store, "bench", "100.jpg", await jpegOf(102_400));
    // More than a page, and of the size of a page.
    const image = await jpegOf(1024);
    for (let n = 0; n < 100; n++) await putImage(store, "bench", `page-${n}.jpg`, image);
    return [
      await row(context, store, { work: "GET content, 4 KB", path: small.links.content, most: 1.33 }),
      await row(context, store, { work: "GET content, 100 KB", path: large.links.content, most: 1.11 }),
      await row(context, store, { work: "GET image record", path: small.links.self, most: 2 }),
      await row(context, store, { work: "304 to an image record", path: small.links.self, most: 2, isKnown: true }),
      await row(context, store, { work: "GET page of 100 records", path: "/v1/albums/bench/images?pageSize=100" }),
      await withoutLog(context),
    ];
  },
};

interface Hot {
  readonly work: string;
  readonly path: string;
  /** The goal of the ratio. */
  readonly most?: number;
  /** The client sends the ETag of what it has. */
  readonly isKnown?: boolean;
}

/** The difference to the same row with the log is what a log line costs. */
async function withoutLog(context: Context): Promise<Row> {
  const settings = { LOG_LEVEL: "warn" };
  await using store = await startStore({ dataFolder: join(context.folder, "quiet"), core: SERVER_CORE, settings });
  await createAlbum(store, "bench");
  const { links } = await putImage(store, "bench", "4.jpg", await jpegOf(4096));
  return await row(context, store, { work: "GET content, 4 KB, no log", path: links.content });
}

async function row(context: Context, store: RunningStore, { work, path, most, isKnown }: Hot): Promise<Row> {
  const known = isKnown ? { "if-none-match": (await fetch(store.url + path)).headers.get("etag") ?? "" } : {};
  const answer = await fetch(store.url + path, { headers: known });
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => name !== "date"));
  const file = join(context.folder, "body");
  await Bun.write(file, await answer.bytes());
  const args = [file, JSON.stringify(headers), String(answer.status)];
  await using bare = await startPeer("bare-answer.ts", args, { core: SERVER_CORE });
  const load = ({ port }: { readonly port: number }) =>
    runGetLoad({ port, path, headers: known, connections: CONNECTIONS, seconds: context.seconds(3) }, answer.status);
  const warmUp = async (server: { readonly port: number }) => {
    for (let sent = 0; sent < (context.smoke ? 1 : WARM_REQUESTS); ) sent += (await load(server)).requests;
  };
  /** Microseconds of all threads of the server for a request. */
  const measure = async (server: { readonly pid: number; readonly port: number }) => {
    const before = cpuSeconds(server.pid);
    const { requests } = await load(server);
    return ((cpuSeconds(server.pid) - before) * 1e6) / requests;
  };
  await warmUp(store);
  await warmUp(bare);
  const { ours, theirs } = await interleave(context.runs, { ours: () => measure(store), theirs: () => measure(bare) });
  return {
    work: `${work}, ${CONNECTIONS} connections`,
    ours: { unit: "µs", runs: ours },
    against: { name: "bare Bun.serve, same headers and bytes", series: { unit: "µs", runs: theirs } },
    ...(most === undefined ? {} : { goal: { of: "ratio", bound: "most", value: most } as const }),
    note: canPin ? "processor time; one core, the load on another" : "processor time",
  };
}
