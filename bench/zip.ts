import { join } from "node:path";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { writeImages } from "./image-folder.ts";
import { jpegOf } from "./images.ts";
import { runCli } from "./programs.ts";
import { seededFolder } from "./seed.ts";
import { createAlbum, createImages, type RunningStore, startStore } from "./store.ts";

const KILOBYTES = 100;
const ALBUM = "bench";
const IN_FLIGHT = 16;

export const zip: Benchmark = {
  name: "zip",
  about: "an album as a ZIP archive, against a request for each image, and the pass over 100,000 records",
  run: async (context) => [...(await downloads(context)), ...(await manyImages(context)), ...(await passes(context))],
};

/** Each run has a store that has just started, so that its memory is that of the archive alone. */
async function manyImages(context: Context): Promise<readonly Row[]> {
  const images = context.smoke ? 200 : 100_000;
  const bytes = 10 * 1024;
  const dataFolder = join(context.folder, "many");
  const imageFile = join(context.folder, "small.jpg");
  await Bun.write(imageFile, await jpegOf(bytes));
  {
    await using store = await startStore({ dataFolder });
    await createAlbum(store, ALBUM);
    await createImages(store, imageFile, { seconds: 3600, inFlight: 32, requests: images });
  }
  const memory = { idle: [] as number[], peak: [] as number[] };
  for (let run = 0; run < context.runs; run++) {
    await using store = await startStore({ dataFolder });
    memory.idle.push(await store.residentMB());
    let peak = 0;
    const size = await sizeOf(`${store.url}/v1/albums/${ALBUM}/zip`, async () => {
      peak = Math.max(peak, await store.residentMB());
    });
    if (size < images * bytes) throw new Error(`Only ${size} bytes came.`);
    memory.peak.push(peak);
  }
  return [
    {
      work: `ZIP archive of ${images.toLocaleString("en")} images of 10 KB, peak memory of the store`,
      ours: { unit: "MB", runs: memory.peak },
      against: { name: "when idle", series: { unit: "MB", runs: memory.idle } },
    },
  ];
}

/** The client only counts the bytes. */
async function downloads(context: Context): Promise<readonly Row[]> {
  const images = context.smoke ? 50 : 10_000;
  const source = join(context.folder, "source");
  await writeImages(source, images, KILOBYTES * 1024);
  await using store = await startStore({ dataFolder: join(context.folder, "kept") });
  await runCli(store, context.folder, "sync", `${source}/`, ALBUM);
  const links = await contentLinks(store);
  let peakMB = 0;
  const cpu = { archive: [] as number[], single: [] as number[] };
  const measure = async (name: keyof typeof cpu, work: () => Promise<number>) => {
    const [cpuBefore, begin] = [await store.cpuSeconds(), performance.now()];
    const bytes = await work();
    if (bytes < images * KILOBYTES * 1024) throw new Error(`Only ${bytes} bytes came.`);
    const seconds = (performance.now() - begin) / 1000;
    cpu[name].push(((await store.cpuSeconds()) - cpuBefore) * (1e6 / images));
    return images / seconds;
  };
  const runs = await interleave(context.runs, {
    archive: () =>
      measure("archive", () =>
        sizeOf(`${store.url}/v1/albums/${ALBUM}/zip`, async () => {
          // Later, the store also keeps images in memory that single requests read.
          if (cpu.single.length === 0) peakMB = Math.max(peakMB, await store.residentMB());
        }),
      ),
    single: () => measure("single", () => sizeOfAll(links)),
  });
  const work = `images of ${KILOBYTES} KB in a ZIP archive of ${images.toLocaleString("en")}`;
  const against = `a request for each, ${IN_FLIGHT} in flight`;
  return [
    {
      work,
      ours: { unit: "/s", runs: runs.archive },
      against: { name: against, series: { unit: "/s", runs: runs.single } },
      note: `memory of the store at most ${peakMB.toFixed(0)} MB`,
    },
    {
      work: `${work}, processor time of the store for each`,
      ours: { unit: "µs", runs: cpu.archive },
      against: { name: against, series: { unit: "µs", runs: cpu.single } },
    },
  ];
}

async function sizeOf(url: string, onChunk: () => Promise<void>): Promise<number> {
  let [size, chunks] = [0, 0];
  for await (const chunk of (await fetch(url)).body ?? []) {
    size += chunk.length;
    chunks += 1;
    if (chunks % 256 === 1) await onChunk();
  }
  return size;
}

async function sizeOfAll(links: readonly string[]): Promise<number> {
  const left = links.values();
  const sizes = await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      let size = 0;
      for (const link of left) size += (await (await fetch(link)).bytes()).length;
      return size;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function contentLinks({ url }: RunningStore): Promise<readonly string[]> {
  const links: string[] = [];
  let query = "pageSize=1000";
  for (;;) {
    const page = (await (await fetch(`${url}/v1/albums/${ALBUM}/images?${query}`)).json()) as {
      readonly items: readonly { readonly links: { readonly content: string } }[];
      readonly nextPageToken?: string | null;
    };
    links.push(...page.items.map(({ links: { content } }) => url + content));
    if (page.nextPageToken == null) return links;
    query = `pageSize=1000&pageToken=${encodeURIComponent(page.nextPageToken)}`;
  }
}

async function passes(context: Context): Promise<readonly Row[]> {
  const images = context.smoke ? 2000 : 100_000;
  const dataFolder = await seededFolder(context.cache, { images }, context.say);
  await using store = await startStore({ dataFolder, settings: { EVENTS_RETENTION: "forever" } });
  const memory: number[] = [];
  const { head } = await interleave(context.runs, {
    async head() {
      const begin = performance.now();
      const response = await fetch(`${store.url}/v1/albums/${ALBUM}/zip`, { method: "HEAD" });
      if (!response.ok) throw new Error(`HEAD of the archive: ${response.status}`);
      memory.push(await store.residentMB());
      return performance.now() - begin;
    },
  });
  const work = `HEAD of a ZIP archive of ${images.toLocaleString("en")}`;
  return [
    { work, ours: { unit: "ms", runs: head } },
    { work: `${work}, memory of the store`, ours: { unit: "MB", runs: memory } },
  ];
}
