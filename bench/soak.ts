import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type Benchmark, interleave, type Series } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { runLoad } from "./load.ts";
import { createAlbum, putImage, type RunningStore, startStore } from "./store.ts";

const UPLOADS = 16;
const DELETES = 4;
const GETS_PER_SECOND = 200;
const DEFAULT_MINUTES = 1;
const MAX_TURN_SECONDS = 15;
/** Of what was uploaded a turn ago: what stays lies between what is gone, so that segments have to be compacted. */
const DELETED_SHARE = 0.8;

export const soak: Benchmark = {
  name: "soak",
  about: "minutes of uploads, reads and deletes at full rate with compaction, against the same load without deletes",
  async run(context) {
    const file = join(context.folder, "20.jpg");
    const bytes = await jpegOf(20 * 1024);
    await Bun.write(file, bytes);
    const settings = { GRACE: "2s", SEGMENT_SIZE: "8MiB" };
    await using stores = new AsyncDisposableStack();
    const start = async (name: string): Promise<Soaked> => {
      const store = stores.use(await startStore({ dataFolder: join(context.folder, name), settings }));
      await createAlbum(store, "bench");
      const { links } = await putImage(store, "bench", "read.jpg", bytes);
      return { store, content: links.content, uploaded: [], memory: [], descriptors: [], uploads: [], deleted: 0 };
    };
    const deleting = await start("deleting");
    const keeping = await start("keeping");

    const minutes = context.smoke ? 0.05 : (context.minutes ?? DEFAULT_MINUTES);
    const turns = Math.max(2, Math.ceil((minutes * 60) / MAX_TURN_SECONDS));
    const seconds = (minutes * 60) / turns;
    context.say(`${turns} turns of ${seconds.toFixed(1)} s each`);
    const figures = await interleave(turns, {
      deleting: () => turn(deleting, file, seconds, true),
      keeping: () => turn(keeping, file, seconds, false),
    });
    const name = "without deletes";
    const { deleted } = deleting;
    return [
      {
        work: `p99 of GET, 20 KB, beside ${UPLOADS} uploads, ${DELETES} deletes and compaction, ${minutes} min`,
        ours: series("ms", figures.deleting),
        against: { name, series: series("ms", figures.keeping) },
        goal: { of: "ratio", bound: "most", value: 2 },
        note: `${GETS_PER_SECOND} GETs/s; ${deleted.toLocaleString("en")} deleted; a failed request would have ended the benchmark`,
      },
      {
        work: "uploads in it",
        ours: series("/s", deleting.uploads),
        against: { name, series: series("/s", keeping.uploads) },
      },
      {
        work: "memory after each round",
        ours: series("MB", deleting.memory),
        against: { name, series: series("MB", keeping.memory) },
        note: `${course(deleting.memory)}; without deletes ${course(keeping.memory)}`,
      },
      {
        work: "disk space of segments after each round, relative to live bytes",
        ours: series("MB", [await diskMB(join(context.folder, "deleting", "blobs"))]),
        against: { name: "live bytes", series: series("MB", [await liveMB(deleting.store)]) },
        goal: { of: "ratio", bound: "most", value: 2 },
        note: `descriptors ${course(deleting.descriptors)}; without deletes ${course(keeping.descriptors)}`,
      },
    ];
  },
};

interface Soaked {
  readonly store: RunningStore;
  readonly content: string;
  /** Each turn's names, and how many there were. */
  readonly uploaded: { readonly prefix: string; readonly count: number }[];
  readonly memory: number[];
  readonly descriptors: number[];
  readonly uploads: number[];
  deleted: number;
}

/** Returns the p99 of its GETs. */
async function turn(soaked: Soaked, file: string, seconds: number, deletes: boolean): Promise<number> {
  const { store, content, uploaded } = soaked;
  const prefix = crypto.randomUUID();
  const last = uploaded.at(-1);
  const path = "/v1/albums/bench/images";
  const { port } = store;
  const [get, create, remove] = await Promise.all([
    runLoad({ port, method: "GET", path: content, connections: 4, rate: GETS_PER_SECOND, seconds, expect: 200 }),
    runLoad({
      port,
      method: "POST",
      path: `${path}?name=${prefix}-{n}.jpg`,
      headers: { "content-type": "image/jpeg" },
      imageFile: file,
      connections: UPLOADS,
      seconds,
      expect: 201,
    }),
    last === undefined || !deletes
      ? undefined
      : runLoad(
          {
            port,
            method: "DELETE",
            path: `${path}/${last.prefix}-{r}.jpg`,
            range: last.count,
            connections: DELETES,
            // That many random numbers hit this share of the images at least once.
            requests: Math.ceil(-Math.log(1 - DELETED_SHARE) * last.count),
            seconds,
            expect: 204,
          },
          { tolerateErrors: true },
        ),
  ]);
  const others = Object.keys(remove?.errors ?? {}).filter((status) => status !== "404");
  if (others.length > 0) throw new Error(`Deletes were answered ${JSON.stringify(remove?.errors)}.`);
  soaked.deleted += remove?.requests ?? 0;
  uploaded.push({ prefix, count: create.requests });
  soaked.uploads.push(create.perSecond);
  soaked.memory.push(await store.residentMB());
  soaked.descriptors.push((await readdir(`/proc/${store.pid}/fd`)).length);
  return get.p99;
}

const series = (unit: Series["unit"], runs: readonly number[]): Series => ({ unit, runs });

const mean = (part: readonly number[]): number => part.reduce((sum, value) => sum + value, 0) / part.length;

/** The means of the first and of the last quarter. */
function course(figures: readonly number[]): string {
  const quarter = Math.max(1, Math.floor(figures.length / 4));
  return `${mean(figures.slice(0, quarter)).toFixed(0)} → ${mean(figures.slice(-quarter)).toFixed(0)}`;
}

async function diskMB(folder: string): Promise<number> {
  // Grace period, sweep and compaction take place after the last round.
  await Bun.sleep(10_000);
  const text = await Bun.$`du -sk ${folder}`.quiet().text();
  return Number(text.split("\t")[0]) / 1024;
}

async function liveMB(store: RunningStore): Promise<number> {
  const metrics = await store.metrics();
  return Number(/^image_store_image_bytes (\S+)$/m.exec(metrics)?.[1] ?? Number.NaN) / 1024 / 1024;
}
