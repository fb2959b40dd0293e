import { join } from "node:path";
import { now } from "./clock.ts";
import type { Benchmark, Context, Row, Series } from "./frame.ts";
import { jpegOf, photoOf } from "./images.ts";
import { type Load, runLoad } from "./load.ts";
import { followEvents } from "./sse.ts";
import { median } from "./statistics.ts";
import { createAlbum, putImage, type RunningStore, startStore } from "./store.ts";

const DEFAULT_MINUTES = 1;
const TURN_SECONDS = 15;
/** Images that stay. */
const KEPT = 50;
const FOLLOWERS = 4;
const IMAGES = "/v1/albums/bench/images";
/** Shares of the time up to which the memory is told: 5, 10, 20 and 30 of 30 minutes. */
const SHARES = [1 / 6, 1 / 3, 2 / 3, 1];
/** Up to this one the memory may grow. */
const WARM = 1 / 3;
/** A sample moves with the collector, so the median of those of this share of the time counts. */
const WINDOW = 1 / 6;
const MOST_GROWTH = 1.1;

/** Requests a second of each kind: what two shared cores bear beside other work. */
const RATES = { content: 150, record: 100, page: 20, variant: 4, upload: 60, update: 20 } as const;

export const endurance: Benchmark = {
  name: "endurance",
  about:
    "minutes of every kind of request at a steady rate, with descriptions and event streams: memory must stay flat",
  async run(context) {
    const file = join(context.folder, "20.jpg");
    await Bun.write(file, await jpegOf(20 * 1024));
    const settings = {
      DESCRIBE: "true",
      LOG_LEVEL: "info",
      GRACE: "20s",
      SEGMENT_SIZE: "16MiB",
      EVENTS_RETENTION: "2m",
    };
    await using store = await startStore({ dataFolder: join(context.folder, "data"), settings });
    await createAlbum(store, "bench");
    const photo = await photoOf(800, 600);
    for (let n = 0; n < KEPT; n++) await putImage(store, "bench", `kept-${n}.jpg`, photo(n));
    await using following = new AsyncDisposableStack();
    for (let n = 0; n < FOLLOWERS; n++) following.use(await followEvents(store.url));

    const minutes = context.smoke ? 0.1 : (context.minutes ?? DEFAULT_MINUTES);
    const seconds = Math.min(TURN_SECONDS, (minutes * 60) / SHARES.length);
    const soaked: Soaked = { store, file, seconds, last: undefined, requests: {}, errors: {}, p99: [] };
    const samples: Sample[] = [];
    const begin = now();
    // On a busy machine a turn takes longer than its seconds.
    for (let at = 0; at < minutes; ) {
      await turn(soaked);
      at = (now() - begin) / 60_000;
      samples.push({ minutes: at, memoryMB: await store.residentMB() });
      if (Math.floor(at) > Math.floor(samples.at(-2)?.minutes ?? 0)) context.say(describe(samples.at(-1), soaked));
    }
    return rowsOf(context, minutes, samples, soaked);
  },
};

interface Sample {
  readonly minutes: number;
  readonly memoryMB: number;
}

interface Soaked {
  readonly store: RunningStore;
  readonly file: string;
  readonly seconds: number;
  /** What the last turn uploaded, which the next one deletes. */
  last: { readonly prefix: string; readonly count: number } | undefined;
  readonly requests: Record<string, number>;
  readonly errors: Record<string, number>;
  /** Of GETs of content, in milliseconds. */
  readonly p99: number[];
}

async function turn(soaked: Soaked): Promise<void> {
  const { store, file, seconds, last } = soaked;
  const prefix = crypto.randomUUID();
  const run = async (kind: string, load: Pick<Load, "method" | "path" | "expect"> & Partial<Load>) => {
    const result = await runLoad({ port: store.port, seconds, connections: 4, ...load }, { tolerateErrors: true });
    soaked.requests[kind] = (soaked.requests[kind] ?? 0) + result.requests;
    for (const [what, count] of Object.entries(result.errors)) {
      const error = `${kind} ${what}`;
      soaked.errors[error] = (soaked.errors[error] ?? 0) + count;
    }
    return result;
  };
  const read = (kind: keyof typeof RATES, path: string) =>
    run(kind, { method: "GET", path, range: KEPT, rate: RATES[kind], expect: 200 });
  const [content, uploaded] = await Promise.all([
    read("content", `${IMAGES}/kept-{r}.jpg/content`),
    run("upload", {
      method: "POST",
      path: `${IMAGES}?name=${prefix}-{n}.jpg`,
      headers: { "content-type": "image/jpeg" },
      imageFile: file,
      rate: RATES.upload,
      expect: 201,
    }),
    read("record", `${IMAGES}/kept-{r}.jpg`),
    read("page", `${IMAGES}?pageSize=100`),
    // A new size nearly each time.
    run("variant", {
      method: "GET",
      path: `${IMAGES}/kept-{n}.jpg/content?w=1{r}`.replace("{n}", String(Math.floor(Math.random() * KEPT))),
      range: 700,
      rate: RATES.variant,
      connections: 2,
      expect: 200,
    }),
    run("update", {
      method: "PATCH",
      path: `${IMAGES}/kept-{r}.jpg`,
      range: KEPT,
      headers: { "content-type": "application/merge-patch+json" },
      body: `{"description":"${prefix} {n}"}`,
      rate: RATES.update,
      expect: 200,
    }),
    last === undefined
      ? undefined
      : run("delete", {
          method: "DELETE",
          path: `${IMAGES}/${last.prefix}-{n}.jpg`,
          requests: last.count,
          rate: RATES.upload * 1.5,
          expect: 204,
        }),
  ]);
  soaked.p99.push(content.p99);
  soaked.last = { prefix, count: uploaded.requests };
}

const countOf = (counts: Readonly<Record<string, number>>) => ({ unit: "requests", runs: [total(counts)] }) as const;

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, number) => sum + number, 0);

const describe = (sample: Sample | undefined, { requests, errors }: Soaked): string =>
  `${sample?.minutes.toFixed(1)} min: ${sample?.memoryMB.toFixed(0)} MB, ${total(requests)} requests, ${total(errors)} errors`;

function rowsOf(
  context: Context,
  minutes: number,
  samples: readonly Sample[],
  { requests, errors, p99 }: Soaked,
): readonly Row[] {
  const upTo = (share: number): Series => {
    const within = samples.filter((sample) => {
      const at = sample.minutes / minutes;
      return at > share - WINDOW && at <= share;
    });
    return { unit: "MB", runs: [median((within.length === 0 ? samples : within).map(({ memoryMB }) => memoryMB))] };
  };
  const nameOf = (share: number) =>
    `the ${(WINDOW * minutes).toFixed(0)} minutes up to ${(share * minutes).toFixed(0)}`;
  return [
    ...SHARES.map(
      (share): Row => ({
        work: `memory, median of ${nameOf(share)}`,
        ours: upTo(share),
        ...(share <= WARM ? {} : { against: { name: nameOf(WARM), series: upTo(WARM) } }),
        // A smoke run ends while the memory grows.
        ...(share <= WARM || context.smoke
          ? {}
          : { goal: { of: "ratio", bound: "most", value: MOST_GROWTH } as const }),
      }),
    ),
    { work: "memory, a sample a turn", ours: { unit: "MB", runs: samples.map(({ memoryMB }) => memoryMB) } },
    { work: "requests", ours: countOf(requests), note: JSON.stringify(requests) },
    {
      work: "errors",
      ours: countOf(errors),
      goal: { of: "ours", bound: "most", value: 0 },
      note: JSON.stringify(errors),
    },
    { work: "p99 of GET content, of each turn", ours: { unit: "ms", runs: p99 } },
  ];
}
