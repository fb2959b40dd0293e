import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Benchmark, Context, Row, Series } from "./frame.ts";
import { runLoad } from "./load.ts";
import { seededFolder } from "./seed.ts";
import { startStore } from "./store.ts";

const CLIENTS = 32;
const SECONDS = 10;
const PAGE_BYTES = 4096;
/** Of the control. */
const READERS = 4;
/** Requests of /healthz a second, beside the others. */
const RATE = 200;

export const cold: Benchmark = {
  name: "cold",
  about: "random records of 1,000,000 images with the catalog cold on disk, and /healthz beside them",
  async run(context) {
    const images = context.smoke ? 10_000 : 1_000_000;
    const dataFolder = await seededFolder(context.cache, { images }, context.say);
    const catalog = join(dataFolder, "catalog.sqlite");
    const control: number[] = [];
    const coldRuns: Reads[] = [];
    const warmRuns: Reads[] = [];
    for (let run = 0; run < context.runs; run++) {
      await dropFromPageCache(catalog);
      control.push(await readPages(context, catalog));
      await dropFromPageCache(catalog);
      coldRuns.push(await readRecords(context, dataFolder, images));
      await Bun.$`cat ${catalog} > /dev/null`;
      warmRuns.push(await readRecords(context, dataFolder, images));
    }
    const of = `${images.toLocaleString("en")} images, ${CLIENTS} clients`;
    return [
      ...pageRows(`pages read for random records of ${of}, catalog cold`, coldRuns, control),
      {
        work: `GET random records of ${of}, catalog cold`,
        ours: recordsOf(coldRuns),
        against: { name: "catalog in the page cache", series: recordsOf(warmRuns) },
      },
      {
        work: "/healthz beside them, p99",
        ours: healthOf(coldRuns),
        against: { name: "catalog in the page cache", series: healthOf(warmRuns) },
        goal: { of: "ours", bound: "most", value: 5 },
      },
    ];
  },
};

interface Reads {
  readonly records: number;
  /** Undefined where the system does not count them. */
  readonly pages: { readonly all: number; readonly byEventLoop: number } | undefined;
  /** 99th percentile of /healthz in milliseconds. */
  readonly health: number;
}

const recordsOf = (runs: readonly Reads[]): Series => ({ unit: "/s", runs: runs.map(({ records }) => records) });
const healthOf = (runs: readonly Reads[]): Series => ({ unit: "ms", runs: runs.map(({ health }) => health) });

function pageRows(work: string, runs: readonly Reads[], control: readonly number[]): readonly Row[] {
  const pages = runs.map((run) => run.pages).filter((each) => each !== undefined);
  if (pages.length < runs.length) return [{ work, ours: undefined, note: "the system does not count them" }];
  const all = { unit: "/s", runs: pages.map((each) => each.all) } as const;
  return [
    {
      work,
      ours: all,
      against: {
        name: `${READERS} threads of random page reads of the same file`,
        series: { unit: "/s", runs: control },
      },
      goal: { of: "ratio", bound: "least", value: 0.7 },
      note: "read from the disk, as the system counts; the file is dropped from the page cache before each",
    },
    {
      work: "those of them for which the event loop waited",
      ours: { unit: "/s", runs: pages.map((each) => each.byEventLoop) },
      against: { name: "all of them", series: all },
      goal: { of: "ratio", bound: "most", value: 0.01 },
    },
  ];
}

/** Of a store that has just started. */
async function readRecords(context: Context, dataFolder: string, images: number): Promise<Reads> {
  await using store = await startStore({ dataFolder, settings: { EVENTS_RETENTION: "forever" } });
  const { pid, port } = store;
  const seconds = context.seconds(SECONDS);
  const path = "/v1/albums/bench/images/{r}";
  const pages = () => ({ all: pagesRead(`/proc/${pid}/io`), byEventLoop: pagesRead(`/proc/${pid}/task/${pid}/io`) });
  const before = pages();
  const [records, health] = await Promise.all([
    runLoad({ port, method: "GET", path, range: images, connections: CLIENTS, seconds, expect: 200 }),
    runLoad({ port, method: "GET", path: "/healthz", connections: 4, rate: RATE, seconds, expect: 200 }),
  ]);
  const after = pages();
  const perSecond = (which: "all" | "byEventLoop") => (after[which] - before[which]) / records.seconds;
  const counted = { all: perSecond("all"), byEventLoop: perSecond("byEventLoop") };
  return { records: records.perSecond, pages: Number.isNaN(counted.all) ? undefined : counted, health: health.p99 };
}

/** Pages that the disk was read for, for a process or a thread of it; NaN where the system does not tell. */
function pagesRead(path: string): number {
  try {
    return Number(/^read_bytes: (\d+)$/m.exec(readFileSync(path, "utf8"))?.[1]) / PAGE_BYTES;
  } catch {
    return Number.NaN;
  }
}

/** Pages a second of several processes of one thread each. */
async function readPages(context: Context, file: string): Promise<number> {
  const seconds = context.seconds(SECONDS);
  const program = join(import.meta.dir, "peers", "page-reads.ts");
  const counts = Array.from({ length: READERS }, async () =>
    Number(await Bun.$`${process.execPath} ${program} ${file} ${seconds}`.text()),
  );
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0) / seconds;
}

/** Of this file alone, which needs no rights and slows nothing else down. Its pages must be on the disk. */
const dropFromPageCache = (file: string) =>
  Bun.$`dd of=${file} oflag=nocache conv=notrunc,fdatasync count=0 status=none`.quiet();
