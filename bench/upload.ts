import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { createAlbum, createImages, type RunningStore, startStore } from "./store.ts";

const IN_FLIGHT = 32;

export const upload: Benchmark = {
  name: "upload",
  about: "durable creates of images against a bare loop of the same bytes on the same disk",
  async run(context) {
    await using store = await startStore({ dataFolder: join(context.folder, "data") });
    await createAlbum(store, "bench");
    const rows: Row[] = [];
    for (const kilobytes of [100, 4]) rows.push(await row(context, store, kilobytes));
    return rows;
  },
};

async function row(context: Context, store: RunningStore, kilobytes: number): Promise<Row> {
  const file = join(context.folder, `${kilobytes}.jpg`);
  await Bun.write(file, await jpegOf(kilobytes * 1024));
  const seconds = context.seconds(5);
  await createImages(store, file, { seconds: context.seconds(2), inFlight: IN_FLIGHT });
  let p99 = 0;
  const { ours, bare } = await interleave(context.runs, {
    ours: async () => {
      const result = await createImages(store, file, { seconds, inFlight: IN_FLIGHT });
      p99 = Math.max(p99, result.p99);
      return result.perSecond;
    },
    bare: () => bareLoop(join(context.folder, "bare"), file, seconds),
  });
  return {
    work: `create image, ${kilobytes} KB, durable, ${IN_FLIGHT} in flight`,
    ours: { unit: "/s", runs: ours },
    against: { name: "bare write loop", series: { unit: "/s", runs: bare } },
    goal: { of: "ratio", bound: "least", value: 0.7 },
    note: `worst p99 ${p99.toFixed(0)} ms; server, its load and the loop have all cores`,
  };
}

/** Files a second of a process of its own. What it wrote goes before the next run, so that none is slower for it. */
async function bareLoop(folder: string, file: string, seconds: number): Promise<number> {
  await mkdir(folder);
  const command = [process.execPath, join(import.meta.dir, "peers", "bare-write.ts"), folder, file];
  const environment = { ...process.env, UV_THREADPOOL_SIZE: String(IN_FLIGHT) };
  const printed = await Bun.$`${[...command, String(IN_FLIGHT), String(seconds)]}`.env(environment).quiet().text();
  await rm(folder, { recursive: true });
  return Number(printed);
}
