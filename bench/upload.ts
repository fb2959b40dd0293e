import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Benchmark, type Context, type Goal, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { createAlbum, createImages, type RunningStore, startStore } from "./store.ts";

const SIZES = [
  { kilobytes: 100, timesBare: 1.6, timesFiles: 2 },
  { kilobytes: 4, timesBare: 2, timesFiles: 4 },
] as const;

export const upload: Benchmark = {
  name: "upload",
  about: "durable image creates, against one file per image and against a bare write loop on the same disk",
  async run(context) {
    await using segments = await startStore({ dataFolder: join(context.folder, "segments") });
    const settings = { SMALL_IMAGE: "0" };
    await using files = await startStore({ dataFolder: join(context.folder, "files"), settings });
    const stores = { segments, files };
    for (const store of Object.values(stores)) await createAlbum(store, "bench");
    const rows: Row[] = [];
    for (const { kilobytes, timesBare, timesFiles } of SIZES) {
      rows.push(...(await compare(context, stores, kilobytes, 32, { bare: timesBare, files: timesFiles })));
      rows.push(...(await compare(context, stores, kilobytes, 1, { files: 1 })));
    }
    return rows;
  },
};

async function compare(
  context: Context,
  stores: Readonly<Record<"segments" | "files", RunningStore>>,
  kilobytes: number,
  inFlight: number,
  goals: { readonly bare?: number; readonly files: number },
): Promise<readonly Row[]> {
  const file = join(context.folder, `${kilobytes}.jpg`);
  await Bun.write(file, await jpegOf(kilobytes * 1024));
  const seconds = context.seconds(5);
  const worst = { segments: 0, files: 0 };
  const cpu: Record<"segments" | "files", number[]> = { segments: [], files: [] };
  const measure = (name: "segments" | "files") => async () => {
    const store = stores[name];
    const before = await store.cpuSeconds();
    const { perSecond, p99, requests } = await createImages(store, file, { seconds, inFlight });
    cpu[name].push(((await store.cpuSeconds()) - before) * (1e6 / requests));
    worst[name] = Math.max(worst[name], p99);
    return perSecond;
  };
  for (const store of Object.values(stores)) await createImages(store, file, { seconds: context.seconds(2), inFlight });
  const runs = await interleave(context.runs, {
    segments: measure("segments"),
    files: measure("files"),
    bare: () => bareLoop(join(context.folder, "bare"), file, inFlight, seconds),
  });
  const work = `create image, ${kilobytes} KB, durable, ${inFlight} in flight`;
  const ours = { unit: "/s", runs: runs.segments } as const;
  return [
    {
      work,
      ours,
      against: { name: "a file each", series: { unit: "/s", runs: runs.files } },
      ...least(goals.files),
      note: `worst p99 ${worst.segments.toFixed(0)} ms, with a file each ${worst.files.toFixed(0)} ms`,
    },
    {
      work,
      ours,
      against: { name: "bare write loop", series: { unit: "/s", runs: runs.bare } },
      ...least(goals.bare),
      note: "server, load generator and loop use all cores",
    },
    {
      work: `processor time of it, all threads and the kernel's part`,
      ours: { unit: "µs", runs: cpu.segments },
      against: { name: "a file each", series: { unit: "µs", runs: cpu.files } },
    },
  ];
}

const least = (value: number | undefined): { goal?: Goal } =>
  value === undefined ? {} : { goal: { of: "ratio", bound: "least", value } };

/** Files per second in a process of its own. Its files are removed before the next run. */
async function bareLoop(folder: string, file: string, inFlight: number, seconds: number): Promise<number> {
  await mkdir(folder);
  const command = [process.execPath, join(import.meta.dir, "peers", "bare-write.ts"), folder, file];
  const environment = { ...process.env, UV_THREADPOOL_SIZE: String(inFlight) };
  const printed = await Bun.$`${[...command, String(inFlight), String(seconds)]}`.env(environment).quiet().text();
  await rm(folder, { recursive: true });
  return Number(printed);
}
