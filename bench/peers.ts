import { join } from "node:path";
import {
  type Column,
  type Contender,
  type Contenders,
  READS,
  type Read,
  startContenders,
  type Target,
} from "./contenders.ts";
import { cpuSeconds } from "./cpu-time.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { LOAD_PLACE, type Load, runLoad } from "./load.ts";
import { canPin, LOAD_CORE } from "./machine.ts";
import { median } from "./statistics.ts";
import { formatMatrix } from "./table.ts";

const CONNECTIONS = 32;
const COLUMNS = ["ours", "files", "bare", "nginx", "seaweedfs", "minio"] as const satisfies readonly Column[];

/** The least ratio of our rate to that of each. */
type Goals = Partial<Record<Column, number>>;

const READ_GOALS: Partial<Record<Read, Goals>> = {
  "GET content, 4 KB": { bare: 0.75, nginx: 1 },
  "GET content, 100 KB": { bare: 0.9, nginx: 0.95 },
  "GET image record": { bare: 0.5 },
};

const UPLOADS = [
  { kilobytes: 100, inFlight: 32, goals: { files: 2, seaweedfs: 5 } },
  { kilobytes: 4, inFlight: 32, goals: { files: 4, seaweedfs: 4 } },
  { kilobytes: 100, inFlight: 1, goals: { seaweedfs: 1.2 } },
] as const;

export const peers: Benchmark = {
  name: "peers",
  about: "reads and durable uploads beside the bare runtime, nginx, SeaweedFS and MinIO, each alone on one core",
  async run(context) {
    await using contenders = await startContenders(context, COLUMNS);
    const works: Work[] = [];
    for (const read of READS) works.push(await measureRead(context, contenders, read));
    for (const upload of UPLOADS) works.push(await measureUpload(context, contenders, upload));
    const names = COLUMNS.flatMap((column) => contenders.all[column]?.name ?? []);
    console.log(`\n${formatMatrix(names, works.map(matrixRow))}\n`);
    for (const why of contenders.missing) console.log(`Left out: ${why}.`);
    return works.flatMap(rowsOf);
  },
};

/** What each contender did of a work. */
interface Work {
  readonly name: string;
  readonly goals: Goals;
  readonly figures: readonly Figures[];
}

interface Figures {
  readonly column: Column;
  readonly name: string;
  readonly perSecond: readonly number[];
  /** Of a request, all threads and the kernel's part. */
  readonly cpuMicroseconds: readonly number[];
}

const measureRead = (context: Context, contenders: Contenders, read: Read): Promise<Work> =>
  measure(context, contenders, {
    name: `${read}, ${CONNECTIONS} connections`,
    goals: READ_GOALS[read] ?? {},
    loadOf: ({ reads }) => {
      const target = reads[read];
      const seconds = context.seconds(2);
      return target && { ...target, method: "GET", expect: 200, connections: CONNECTIONS, seconds };
    },
  });

async function measureUpload(
  context: Context,
  contenders: Contenders,
  { kilobytes, inFlight, goals }: (typeof UPLOADS)[number],
): Promise<Work> {
  const imageFile = join(context.folder, `upload-${kilobytes}.jpg`);
  await Bun.write(imageFile, await jpegOf(kilobytes * 1024));
  return measure(context, contenders, {
    name: `upload, ${kilobytes} KB, ${inFlight} in flight`,
    goals,
    loadOf: ({ upload }) => upload && { ...upload, imageFile, connections: inFlight, seconds: context.seconds(2) },
    // What others have not synced yet must not be synced in its time.
    prepare: async () => void (await Bun.$`sync`.quiet()),
  });
}

interface Measurement {
  readonly name: string;
  readonly goals: Goals;
  /** Undefined where the contender cannot do it. `{new}` in its path becomes a new name for each request. */
  readonly loadOf: (contender: Contender) => (Target & Load) | undefined;
  readonly prepare?: () => Promise<void>;
}

async function measure(
  context: Context,
  { all }: Contenders,
  { name, goals, loadOf, prepare }: Measurement,
): Promise<Work> {
  context.say(name);
  const cpu: Partial<Record<Column, number[]>> = {};
  const turns: Partial<Record<Column, () => Promise<number>>> = {};
  for (const column of COLUMNS) {
    const contender = all[column];
    const load = contender && loadOf(contender);
    if (load === undefined) continue;
    const times: number[] = [];
    cpu[column] = times;
    turns[column] = async () => {
      await prepare?.();
      const before = cpuSeconds(load.pid, { family: true });
      const { requests, perSecond } = await runOnce(load);
      times.push(((cpuSeconds(load.pid, { family: true }) - before) * 1e6) / requests);
      return perSecond;
    };
    if (!context.smoke) await runOnce({ ...load, seconds: 1 });
  }
  const runs = await interleave(context.runs, turns as Record<Column, () => Promise<number>>);
  const figures = COLUMNS.filter((column) => turns[column] !== undefined).map((column) => ({
    column,
    name: all[column]?.name ?? column,
    perSecond: runs[column],
    cpuMicroseconds: cpu[column] ?? [],
  }));
  return { name, goals, figures };
}

const runOnce = ({ path, ...load }: Target & Load) =>
  runLoad(
    { ...load, path: path.replace("{new}", `${crypto.randomUUID()}-{n}.jpg`) },
    canPin ? { core: LOAD_CORE } : {},
  );

const matrixRow = ({ name, figures }: Work) => ({
  work: name,
  cells: new Map(figures.map((one) => [one.name, { perSecond: one.perSecond, cpu: median(one.cpuMicroseconds) }])),
});

function rowsOf({ name, goals, figures: [ours, ...others] }: Work): readonly Row[] {
  if (ours === undefined) return [];
  const series = { unit: "/s", runs: ours.perSecond } as const;
  if (others.length === 0) return [{ work: name, ours: series }];
  return others.map((other) => ({
    work: name,
    ours: series,
    against: { name: other.name, series: { unit: "/s", runs: other.perSecond } },
    ...goalOf(goals[other.column]),
    note: `processor time ${cpuOf(ours)} µs and ${cpuOf(other)} µs a request; servers on one core, ${LOAD_PLACE}`,
  }));
}

const cpuOf = ({ cpuMicroseconds }: Figures): string => median(cpuMicroseconds).toFixed(0);

const goalOf = (value: number | undefined): Pick<Row, "goal"> =>
  value === undefined ? {} : { goal: { of: "ratio", bound: "least", value } };
