import { join } from "node:path";
import { cpuSeconds } from "./cpu-time.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { runGetLoad } from "./load.ts";
import { canPin, SERVER_CORE } from "./machine.ts";
import { startPeer } from "./peers/peer.ts";
import { createAlbum, putImage, type RunningStore, startStore } from "./store.ts";

const CONNECTIONS = 32;

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
      await row(context, store, "GET content, 4 KB", small.links.content, 1.33),
      await row(context, store, "GET content, 100 KB", large.links.content, 1.11),
      await row(context, store, "GET image record", small.links.self, 2),
      await row(context, store, "GET page of 100 records", "/v1/albums/bench/images?pageSize=100", undefined),
    ];
  },
};

/** @param most the goal of the ratio */
async function row(
  context: Context,
  store: RunningStore,
  work: string,
  path: string,
  most: number | undefined,
): Promise<Row> {
  const answer = await fetch(store.url + path);
  const headers = Object.fromEntries([...answer.headers].filter(([name]) => name !== "date"));
  const file = join(context.folder, "body");
  await Bun.write(file, await answer.bytes());
  await using bare = await startPeer("bare-answer.ts", [file, JSON.stringify(headers)], SERVER_CORE);
  /** Microseconds of all threads of the server for a request. */
  const measure = async ({ pid, port }: { readonly pid: number; readonly port: number }) => {
    const before = cpuSeconds(pid);
    const { requests } = await runGetLoad({ port, path, connections: CONNECTIONS, seconds: context.seconds(3) });
    return ((cpuSeconds(pid) - before) * 1e6) / requests;
  };
  await measure(store);
  await measure(bare);
  const { ours, theirs } = await interleave(context.runs, { ours: () => measure(store), theirs: () => measure(bare) });
  return {
    work: `${work}, ${CONNECTIONS} connections`,
    ours: { unit: "µs", runs: ours },
    against: { name: "bare Bun.serve, same headers and bytes", series: { unit: "µs", runs: theirs } },
    ...(most === undefined ? {} : { goal: { of: "ratio", bound: "most", value: most } as const }),
    note: canPin ? "processor time; one core, the load on another" : "processor time",
  };
}
