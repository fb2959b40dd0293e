import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Contender, startContenders } from "./contenders.ts";
import { cpuSeconds } from "./cpu-time.ts";
import { type Benchmark, type Context, type Goal, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { LOAD_PLACE, runLoad } from "./load.ts";
import { canPin, LOAD_CORE, onCore, SERVER_CORE } from "./machine.ts";
import { median } from "./statistics.ts";

/** The least ratio of our rate to that of the others. */
const WORKS = [
  { kilobytes: 100, inFlight: 32, goals: { bare: 1.6, files: 2, seaweedfs: 5 } },
  { kilobytes: 100, inFlight: 1, goals: { files: 1, seaweedfs: 1.2 } },
  { kilobytes: 4, inFlight: 32, goals: { bare: 2, files: 4, seaweedfs: 4 } },
  { kilobytes: 4, inFlight: 1, goals: { files: 1 } },
] as const;

type Name = "ours" | "files" | "bareUpload" | "seaweedfs";
type Goals = Partial<Record<Name | "bare", number>>;

export const upload: Benchmark = {
  name: "upload",
  about: `durable image creates on ${canPin ? "one core" : "all cores"}, against one file per image, SeaweedFS and a bare write loop`,
  async run(context) {
    await using contenders = await startContenders(context, ["ours", "files", "bareUpload", "seaweedfs"]);
    const servers = new Map(Object.entries(contenders.all) as [Name, Contender][]);
    const rows: Row[] = [];
    for (const work of WORKS) rows.push(...(await compare(context, servers, work)));
    return rows;
  },
};

async function compare(
  context: Context,
  servers: ReadonlyMap<Name, Contender>,
  { kilobytes, inFlight, goals }: (typeof WORKS)[number],
): Promise<readonly Row[]> {
  const imageFile = join(context.folder, `${kilobytes}.jpg`);
  await Bun.write(imageFile, await jpegOf(kilobytes * 1024));
  const seconds = context.seconds(4);
  const p99: Partial<Record<Name, number>> = {};
  const cpu: Partial<Record<Name, number[]>> = {};
  const turns: Partial<Record<Name | "bare", () => Promise<number>>> = {};
  for (const [name, { upload: to }] of servers) {
    if (to === undefined) continue;
    const create = (duration: number) =>
      runLoad(
        {
          ...to,
          path: to.path.replace("{new}", `${crypto.randomUUID()}-{n}.jpg`),
          imageFile,
          connections: inFlight,
          seconds: duration,
        },
        canPin ? { core: LOAD_CORE } : {},
      );
    const times: number[] = [];
    cpu[name] = times;
    turns[name] = async () => {
      const before = cpuSeconds(to.pid, { family: true });
      const result = await create(seconds);
      times.push((cpuSeconds(to.pid, { family: true }) - before) * (1e6 / result.requests));
      p99[name] = Math.max(p99[name] ?? 0, result.p99);
      return result.perSecond;
    };
    if (!context.smoke) await create(1);
  }
  turns.bare = () => bareLoop(join(context.folder, "bare"), imageFile, inFlight, seconds);
  const runs = await interleave(context.runs, turns as Record<Name | "bare", () => Promise<number>>);
  const work = `create image, ${kilobytes} KB, durable, ${inFlight} in flight`;
  const against = (name: Name | "bare", title: string, note: string): Row => ({
    work,
    ours: { unit: "/s", runs: runs.ours },
    against: { name: title, series: { unit: "/s", runs: runs[name] } },
    ...least((goals as Goals)[name]),
    note,
  });
  const worst = (name: Name) => `worst p99 ${p99.ours?.toFixed(0)} ms, of the other ${p99[name]?.toFixed(0)} ms`;
  return [
    ...[...servers]
      .filter(([name]) => name !== "ours")
      .map(([name, { name: title }]) => against(name, title, `${worst(name)}; ${LOAD_PLACE}`)),
    against("bare", "bare write loop", "the loop alone on the core"),
    ...[...servers.keys()].map(
      (name): Row => ({
        work: `  processor time of it, ${servers.get(name)?.name}`,
        ours: { unit: "µs", runs: cpu[name] ?? [] },
        note: `all threads and the kernel's part; ${median(runs[name]).toFixed(0)}/s`,
      }),
    ),
  ];
}

const least = (value: number | undefined): { goal?: Goal } =>
  value === undefined ? {} : { goal: { of: "ratio", bound: "least", value } };

/** Files per second in a process of its own. Its files are removed before the next run. */
async function bareLoop(folder: string, file: string, inFlight: number, seconds: number): Promise<number> {
  await mkdir(folder);
  const command = [process.execPath, join(import.meta.dir, "peers", "bare-write.ts"), folder, file];
  const pinned = onCore(SERVER_CORE, [...command, String(inFlight), String(seconds)]);
  const environment = { ...process.env, UV_THREADPOOL_SIZE: String(inFlight) };
  const printed = await Bun.$`${pinned}`.env(environment).quiet().text();
  await rm(folder, { recursive: true });
  return Number(printed);
}
