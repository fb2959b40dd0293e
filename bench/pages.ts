import { join } from "node:path";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf } from "./images.ts";
import { runLoad } from "./load.ts";
import { seededFolder } from "./seed.ts";
import { type RunningStore, startStore } from "./store.ts";

const IMAGES = "/v1/albums/bench/images";
const SMALL = 1000;
const PAGE_SIZE = 50;
const READERS = 4;
const CREATES = 500;

interface Seeded {
  readonly store: RunningStore;
  readonly images: number;
}

export const pages: Benchmark = {
  name: "pages",
  about: "an album of 1,000,000 images against one of 1,000, and page 10,000 against page 1",
  async run(context) {
    const many = context.smoke ? 10_000 : 1_000_000;
    const file = join(context.folder, "4.jpg");
    await Bun.write(file, await jpegOf(4096));
    await using large = await startSeeded(context, many);
    await using small = await startSeeded(context, SMALL);
    const sides = { ours: { store: large, images: many }, theirs: { store: small, images: SMALL } };
    const work: Record<string, (side: Seeded) => Promise<number>> = {
      "page of an album": ({ store }) => readP99(context, store, `${IMAGES}?pageSize=${PAGE_SIZE}`),
      "get a record": ({ store, images }) => readP99(context, store, `${IMAGES}/{r}`, images),
      "create an image, 4 KB, 8 in flight": ({ store }) => createP99(context, store, file),
    };
    const rows: Row[] = [];
    for (const [name, measure] of Object.entries(work)) {
      await measure(sides.ours);
      await measure(sides.theirs);
      const { ours, theirs } = await interleave(context.runs, {
        ours: () => measure(sides.ours),
        theirs: () => measure(sides.theirs),
      });
      rows.push(
        comparison(`${name} of ${many.toLocaleString("en")} images`, ours, `of ${SMALL.toLocaleString("en")}`, theirs),
      );
    }
    return [...rows, await farPage(context, large, many)];
  },
};

const startSeeded = async (context: Context, images: number): Promise<RunningStore> =>
  startStore({
    dataFolder: await seededFolder(context.cache, { images }, context.say),
    // Retention would prune old seeded events during the measurement.
    settings: { EVENTS_RETENTION: "forever" },
  });

const comparison = (work: string, ours: number[], peer: string, theirs: number[]): Row => ({
  work: `${work}, p99`,
  ours: { unit: "ms", runs: ours },
  against: { name: peer, series: { unit: "ms", runs: theirs } },
  goal: { of: "ratio", bound: "most", value: 1.5 },
});

const readP99 = async (context: Context, store: RunningStore, path: string, range = 1): Promise<number> => {
  const seconds = context.seconds(3);
  return (await runLoad({ port: store.port, method: "GET", path, range, connections: READERS, seconds, expect: 200 }))
    .p99;
};

/** Deletes what it creates, unmeasured, so the album keeps its size. */
async function createP99(context: Context, store: RunningStore, imageFile: string): Promise<number> {
  const prefix = crypto.randomUUID();
  const load = { port: store.port, connections: 8, seconds: 60, requests: context.smoke ? 50 : CREATES };
  const headers = { "content-type": "image/jpeg" };
  const path = `${IMAGES}?name=${prefix}-{n}`;
  const result = await runLoad({ ...load, method: "POST", path, headers, imageFile, expect: 201 });
  await runLoad({ ...load, method: "DELETE", path: `${IMAGES}/${prefix}-{n}`, expect: 204 });
  return result.p99;
}

/** The page after half of all images; its token is found by walking there in the largest steps. */
async function farPage(context: Context, store: RunningStore, images: number): Promise<Row> {
  let token = "";
  for (let passed = 0; passed < images / 2; passed += 1000) {
    const answer = await fetch(`${store.url}${IMAGES}?pageSize=1000${token === "" ? "" : `&pageToken=${token}`}`);
    token = ((await answer.json()) as { nextPageToken: string }).nextPageToken;
  }
  const page = (pageToken: string) => () =>
    readP99(context, store, `${IMAGES}?pageSize=${PAGE_SIZE}${pageToken === "" ? "" : `&pageToken=${pageToken}`}`);
  const { far, first } = await interleave(context.runs, { far: page(token), first: page("") });
  const number = (images / 2 / PAGE_SIZE).toLocaleString("en");
  return comparison(`page ${number} of an album`, far, "page 1", first);
}
