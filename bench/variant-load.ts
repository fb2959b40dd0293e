import { availableParallelism } from "node:os";
import { join } from "node:path";
import { loadInTurns } from "./describe-load.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf, photoOf } from "./images.ts";
import { type LoadResult, runLoad } from "./load.ts";
import { createAlbum, createImages, putImage, type RunningStore, startStore, sumMetric } from "./store.ts";

const GETS_PER_SECOND = 200;
const CLIENTS = 200;
const UPLOADS = 32;

export const variantLoad: Benchmark = {
  name: "variant-load",
  about: `GET p99 while ${CLIENTS} clients request uncached variants, and uploads while images are described`,
  async run(context) {
    return [...(await besideRenders(context)), await besideDescriptions(context)];
  },
};

async function besideRenders(context: Context): Promise<readonly Row[]> {
  await using store = await startStore({ dataFolder: join(context.folder, "renders") });
  await createAlbum(store, "bench");
  const photo = await photoOf(4000, 3000);
  const { links } = await putImage(store, "bench", "photo.jpg", photo(0));
  const seconds = context.seconds(5);
  const getP99 = async (work: Promise<unknown> | undefined) => {
    const load = { method: "GET", path: links.self, connections: 8, rate: GETS_PER_SECOND, seconds, expect: 200 };
    const [result] = await Promise.all([runLoad({ port: store.port, ...load }), work]);
    return result.p99;
  };
  const answers: Record<number, number> = {};
  let next = 1;
  const burst = async () => {
    const first = next;
    next += CLIENTS;
    const paths = Array.from({ length: CLIENTS }, (_, index) => `${links.content}?w=${100 + first + index}&q=50`);
    for (const status of await Promise.all(paths.map((path) => statusOf(store, path)))) {
      answers[status] = (answers[status] ?? 0) + 1;
    }
  };
  const { idle, busy, control } = await interleave(context.runs, {
    idle: () => getP99(undefined),
    busy: () => getP99(burst()),
    control: () => besideOtherWork(() => getP99(undefined)),
  });
  const unexpected = Object.keys(answers).filter((status) => status !== "200" && status !== "503");
  if (unexpected.length > 0) throw new Error(`Variants were answered ${JSON.stringify(answers)}.`);
  const work = `p99 of GET of a record while ${CLIENTS} clients ask for ${CLIENTS} new variants of 12 megapixels`;
  const ours = { unit: "ms", runs: busy } as const;
  return [
    {
      work,
      ours,
      against: { name: "idle", series: { unit: "ms", runs: idle } },
      goal: { of: "ratio", bound: "most", value: 2 },
      note: `${GETS_PER_SECOND} GETs/s; variants answered: ${JSON.stringify(answers)}`,
    },
    {
      work,
      ours,
      against: { name: "beside as many loops at nice 10 as renders", series: { unit: "ms", runs: control } },
    },
  ];
}

/** Processes without any tie to the store, as many as it renders at a time and with the same priority. */
async function besideOtherWork<Result>(measure: () => Promise<Result>): Promise<Result> {
  const loop = ["nice", "-n", "10", process.execPath, "-e", "for (;;);"];
  const others = Array.from({ length: Math.max(1, availableParallelism() - 1) }, () => Bun.spawn(loop));
  try {
    return await measure();
  } finally {
    for (const other of others) other.kill("SIGKILL");
    await Promise.all(others.map(({ exited }) => exited));
  }
}

async function statusOf(store: RunningStore, path: string): Promise<number> {
  const response = await fetch(store.url + path);
  await response.bytes();
  return response.status;
}

async function besideDescriptions(context: Context): Promise<Row> {
  const file = join(context.folder, "100.jpg");
  await Bun.write(file, await jpegOf(100 * 1024));
  await using describing = await startStore({
    dataFolder: join(context.folder, "describing"),
    settings: { DESCRIBE: "true" },
  });
  await using plain = await startStore({
    dataFolder: join(context.folder, "plain"),
    settings: { DESCRIBE: "false" },
  });
  for (const store of [describing, plain]) {
    await createAlbum(store, "bench");
    await createImages(store, file, { seconds: context.seconds(2), inFlight: UPLOADS });
  }
  const load = async (store: RunningStore): Promise<number> => {
    const { perSecond }: LoadResult = await createImages(store, file, {
      seconds: context.seconds(5),
      inFlight: UPLOADS,
    });
    return perSecond;
  };
  const { ours, theirs } = await loadInTurns(context.runs, { describing, plain }, load);
  const waiting = await undescribed(describing);
  return {
    work: `create image, 100 KB, ${UPLOADS} in flight, while images are described`,
    ours: { unit: "/s", runs: ours },
    against: { name: "without descriptions", series: { unit: "/s", runs: theirs } },
    goal: { of: "ratio", bound: "least", value: 0.9 },
    note: `${waiting.toLocaleString("en")} images waited to be described at the end`,
  };
}

/** Images without an event so far. */
async function undescribed(store: RunningStore): Promise<number> {
  const images = sumMetric(await store.metrics(), "image_store_images");
  let described = 0;
  for (let after = ""; ; ) {
    const query = `limit=1000&type=image.updated${after === "" ? "" : `&after=${after}`}`;
    const page = (await (await fetch(`${store.url}/v1/events?${query}`)).json()) as Events;
    described += page.items.length;
    if (page.items.length === 0 && page.nextCursor === after) return images - described;
    after = page.nextCursor;
  }
}

interface Events {
  readonly items: readonly unknown[];
  readonly nextCursor: string;
}
