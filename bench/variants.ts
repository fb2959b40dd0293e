import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Image } from "../src/domain/image.ts";
import { cpuSeconds } from "./cpu-time.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { jpegOf, photoOf } from "./images.ts";
import { LOAD_PLACE, runGetLoad } from "./load.ts";
import { SERVER_CORE } from "./machine.ts";
import { createAlbum, putImage, type RunningStore, startStore } from "./store.ts";

const WIDTH = 400;
const CONNECTIONS = 32;
const VIPSTHUMBNAIL = Bun.which("vipsthumbnail") ?? undefined;

export const variants: Benchmark = {
  name: "variants",
  about: "rendered variants against vipsthumbnail, cached variants against originals of the same size, sizes by format",
  async run(context) {
    return [await cold(context), await warm(context), ...(await sizes(context))];
  },
};

/** The whole cost: server, child processes, communication and storing. */
async function cold(context: Context): Promise<Row> {
  const files = context.smoke ? 3 : 100;
  const originals = join(context.folder, "originals");
  await mkdir(originals);
  await using store = await startStore({ dataFolder: join(context.folder, "cold") });
  await createAlbum(store, "bench");
  const photo = await photoOf(4000, 3000);
  const images: Image[] = [];
  for (let index = 0; index < files; index++) {
    const bytes = photo(index);
    await Bun.write(join(originals, `${index}.jpg`), bytes);
    images.push(await putImage(store, "bench", `${index}.jpg`, bytes));
  }
  // Another quality each time, so no variant is cached.
  const quality = { ours: 80, theirs: 80 };
  const ours = () => {
    const q = quality.ours++;
    return perFile(
      files,
      () => cpuSeconds(store.pid, { family: true }),
      async () => {
        for (const { links } of images) await get(store, `${links.content}?w=${WIDTH}&format=jpeg&q=${q}`);
      },
    );
  };
  await get(store, `${images[0]?.links.content}?w=${WIDTH}&format=jpeg&q=1`);
  const { ours: measured, theirs } = await interleave(context.runs, {
    ours,
    theirs: () =>
      VIPSTHUMBNAIL === undefined
        ? Promise.resolve(Number.NaN)
        : vipsthumbnail(originals, `${context.folder}/%s-${quality.theirs}.jpg[Q=${quality.theirs++},strip]`, files),
  });
  return {
    work: `variant, ${WIDTH} px of 12 megapixels, JPEG, made anew: processor time each`,
    ours: { unit: "ms", runs: measured },
    against:
      VIPSTHUMBNAIL === undefined
        ? { name: "vipsthumbnail", missing: "libvips-tools is not installed" }
        : { name: `vipsthumbnail, ${files} files in one process`, series: { unit: "ms", runs: theirs } },
    goal: { of: "ratio", bound: "most", value: 1.15 },
    note: `one at a time; server, children, pipe and storing included; ${Math.round((images[0]?.size ?? 0) / 1024)} KB each`,
  };
}

async function vipsthumbnail(folder: string, output: string, files: number): Promise<number> {
  const names = Array.from({ length: files }, (_, index) => `${folder}/${index}.jpg`);
  const process = Bun.spawn([VIPSTHUMBNAIL as string, ...names, "--size", `${WIDTH}x`, "-o", output], {
    env: { ...Bun.env, VIPS_CONCURRENCY: "1" },
    stderr: "inherit",
  });
  if ((await process.exited) !== 0) throw new Error("vipsthumbnail failed.");
  const { user, system } = process.resourceUsage()?.cpuTime ?? { user: 0n, system: 0n };
  return Number(user + system) / 1000 / files;
}

async function perFile(files: number, cpu: () => number, work: () => Promise<void>): Promise<number> {
  const before = cpu();
  await work();
  return ((cpu() - before) * 1000) / files;
}

async function get(store: RunningStore, path: string, headers: Record<string, string> = {}): Promise<Uint8Array> {
  const response = await fetch(store.url + path, { headers });
  if (response.status !== 200) throw new Error(`GET ${path} answered ${response.status}: ${await response.text()}`);
  return response.bytes();
}

async function warm(context: Context): Promise<Row> {
  await using store = await startStore({ dataFolder: join(context.folder, "warm"), core: SERVER_CORE });
  await createAlbum(store, "bench");
  const photo = await photoOf(2000, 1500);
  const image = await putImage(store, "bench", "photo.jpg", photo(0));
  const variant = `${image.links.content}?w=480&format=jpeg`;
  const { byteLength } = await get(store, variant);
  const original = await putImage(store, "bench", "plain.jpg", await jpegOf(byteLength));
  const measure = async (path: string, seconds = context.seconds(4)) =>
    (await runGetLoad({ port: store.port, path, connections: CONNECTIONS, seconds })).perSecond;
  await measure(variant, context.seconds(2));
  const { ours, theirs } = await interleave(context.runs, {
    ours: () => measure(variant),
    theirs: () => measure(original.links.content),
  });
  return {
    work: `GET a variant that is kept, ${Math.round(byteLength / 1024)} KB, ${CONNECTIONS} connections`,
    ours: { unit: "/s", runs: ours },
    against: { name: "an original of the same size", series: { unit: "/s", runs: theirs } },
    goal: { of: "ratio", bound: "least", value: 0.9 },
    note: LOAD_PLACE,
  };
}

/** Of a drawn photo whose sharp edges and noise favour no format. */
async function sizes(context: Context): Promise<Row[]> {
  await using store = await startStore({ dataFolder: join(context.folder, "sizes") });
  await createAlbum(store, "bench");
  const photo = await photoOf(2000, 1500);
  const { links } = await putImage(store, "bench", "photo.jpg", photo(0));
  const rows: Row[] = [];
  for (const quality of [50, 80]) {
    const kilobytes = async (format: string) =>
      (await get(store, `${links.content}?w=1280&format=${format}&q=${quality}`)).byteLength / 1024;
    const jpeg = await kilobytes("jpeg");
    for (const format of ["webp", "avif"]) {
      rows.push({
        work: `size of 1280 px at q=${quality}, ${format}`,
        ours: { unit: "KB", runs: [await kilobytes(format)] },
        against: { name: "jpeg", series: { unit: "KB", runs: [jpeg] } },
      });
    }
  }
  return rows;
}
