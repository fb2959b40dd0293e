import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import type { Image } from "../src/domain/image.ts";
import { type Pixels, psnr, ssim } from "../test/picture-likeness.ts";
import { cpuSeconds } from "./cpu-time.ts";
import { type Benchmark, type Context, interleave, type Row } from "./frame.ts";
import { stampedJpeg } from "./images.ts";
import { type Imgproxy, MISSING, startImgproxy } from "./peers/imgproxy.ts";
import { createAlbum, putImage, type RunningStore, startStore } from "./store.ts";

const WIDTHS = [400, 1600];
const FORMATS = [
  { format: "jpeg", quality: 80 },
  { format: "webp", quality: 80 },
  { format: "avif", quality: 50 },
  { format: "png", quality: undefined },
] as const;

export const renders: Benchmark = {
  name: "renders",
  about:
    "processor time of renders of 12 megapixels against imgproxy, at a quality at which both are as near to the original",
  async run(context) {
    const folder = join(context.folder, "originals");
    await mkdir(folder);
    await using store = await startStore({ dataFolder: join(context.folder, "data") });
    await using imgproxy = await startImgproxy(folder);
    await createAlbum(store, "bench");
    const photos = await makePhotos(context, store, folder);
    const rows: Row[] = [];
    for (const width of context.smoke ? [100] : WIDTHS)
      for (const { format, quality } of FORMATS)
        rows.push(await row(context, { store, imgproxy, photos }, { width, format, quality }));
    return rows;
  },
};

interface Photo {
  readonly file: string;
  readonly image: Image;
  readonly bytes: Uint8Array;
}

/** The same pixels in other files, so neither program remembers one. */
async function makePhotos({ smoke }: Context, store: RunningStore, folder: string): Promise<readonly Photo[]> {
  const photo = smoke ? await drawingOf(1000, 750) : await drawingOf(4000, 3000);
  const photos: Photo[] = [];
  for (let index = 0; index < (smoke ? 1 : 20); index++) {
    const [file, bytes] = [`${index}.jpg`, photo(index)];
    await Bun.write(join(folder, file), bytes);
    photos.push({ file, bytes, image: await putImage(store, "bench", file, bytes) });
  }
  return photos;
}

/** How wide the random pixels of each layer are drawn, as parts of the width, and how strong: as in photos, what is finer is weaker. */
const LAYERS = [
  { pixels: 8, strength: 0.5 },
  { pixels: 40, strength: 0.25 },
  { pixels: 200, strength: 0.16 },
  { pixels: 1000, strength: 0.09 },
] as const;

/** A drawing with detail of every size and soft colours, in which PSNR and SSIM see what they see in a photo. */
async function drawingOf(width: number, height: number): Promise<(index: number) => Uint8Array<ArrayBuffer>> {
  const sum = new Float32Array(width * height * 3).fill(0);
  for (const { pixels, strength } of LAYERS) {
    const raw = { width: pixels, height: Math.round((pixels * height) / width), channels: 3 } as const;
    const random = new Uint8Array(raw.width * raw.height * 3);
    for (let at = 0; at < random.length; at += 3) {
      const light = Math.random() * 200;
      for (let channel = 0; channel < 3; channel++) random[at + channel] = light + Math.random() * 55;
    }
    const layer = await sharp(random, { raw }).resize(width, height, { kernel: "cubic", fit: "fill" }).raw().toBuffer();
    for (let at = 0; at < sum.length; at++) sum[at] = (sum[at] as number) + strength * (layer[at] as number);
  }
  const raw = { width, height, channels: 3 } as const;
  return stampedJpeg(await sharp(Uint8ClampedArray.from(sum), { raw }).jpeg({ quality: 88 }).toBuffer());
}

interface Contenders {
  readonly store: RunningStore;
  readonly imgproxy: Imgproxy | undefined;
  readonly photos: readonly Photo[];
}

interface Wanted {
  readonly width: number;
  readonly format: string;
  /** Undefined for what is lossless. */
  readonly quality: number | undefined;
}

async function row(context: Context, { store, imgproxy, photos }: Contenders, wanted: Wanted): Promise<Row> {
  const { width, format, quality } = wanted;
  const ours = ({ image }: Photo, at: number) =>
    get(`${store.url}${image.links.content}?w=${at}&format=${format}${quality === undefined ? "" : `&q=${quality}`}`);
  const [first] = photos as [Photo];
  const reference = await ofAllPixels(first.bytes, width);
  const mine = await rate(await ours(first, width), reference);
  const matched = imgproxy && (await matchQuality(imgproxy, first, wanted, reference, mine.psnr));
  const measure = async (pid: number, render: (photo: Photo) => Promise<unknown>) => {
    const before = cpuSeconds(pid, { family: true });
    for (const photo of photos) await render(photo);
    return ((cpuSeconds(pid, { family: true }) - before) * 1000) / photos.length;
  };
  // Another width each time, so no variant is cached. Not wider: at 401 px of 4000 the store decodes a quarter and no longer
  // an eighth, which is another picture than the one that is rated above.
  const next = { ours: width, theirs: width };
  const { ours: measured, theirs } = await interleave(context.runs, {
    ours: () => {
      const at = --next.ours;
      return measure(store.pid, (photo) => ours(photo, at));
    },
    theirs: async () => {
      const at = --next.theirs;
      if (imgproxy === undefined) return Number.NaN;
      return measure(imgproxy.pid, ({ file }) => get(imgproxy.url(file, at, format, matched?.quality)));
    },
  });
  return {
    work: `${format}, ${width} px of ${context.smoke ? "0.75" : "12"} megapixels: processor time each`,
    ours: { unit: "ms", runs: measured },
    against:
      matched === undefined
        ? { name: "imgproxy", missing: MISSING }
        : { name: "imgproxy", series: { unit: "ms", runs: theirs } },
    goal: { of: "ratio", bound: "most", value: 1 },
    note: [describe(mine, quality), ...(matched ? [`imgproxy: ${describe(matched, matched.quality)}`] : [])].join("; "),
  };
}

interface Rated {
  /** Against the picture that is made of all pixels. */
  readonly psnr: number;
  readonly ssim: number;
  readonly kilobytes: number;
}

const describe = ({ psnr: decibels, ssim: similarity, kilobytes }: Rated, quality: number | undefined): string =>
  `${quality === undefined ? "" : `q=${quality}, `}${decibels.toFixed(2)} dB, SSIM ${similarity.toFixed(4)}, ${kilobytes.toFixed(1)} KB`;

async function rate(encoded: Uint8Array, reference: Pixels): Promise<Rated> {
  const pixels = await decode(sharp(encoded));
  return { psnr: psnr(pixels, reference), ssim: ssim(pixels, reference), kilobytes: encoded.byteLength / 1024 };
}

/** The quality at which imgproxy comes nearest to this likeness. */
async function matchQuality(
  imgproxy: Imgproxy,
  { file }: Photo,
  { width, format, quality }: Wanted,
  reference: Pixels,
  wanted: number,
): Promise<Rated & { readonly quality: number | undefined }> {
  const at = async (tried: number | undefined) => ({
    quality: tried,
    ...(await rate(await get(imgproxy.url(file, width, format, tried)), reference)),
  });
  if (quality === undefined) return at(undefined);
  let [low, high] = [1, 100];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((await at(middle)).psnr < wanted) low = middle;
    else high = middle;
  }
  const [below, above] = [await at(low), await at(high)];
  return wanted - below.psnr < above.psnr - wanted ? below : above;
}

/** Nothing is left out while it is decoded. */
async function ofAllPixels(jpeg: Uint8Array, width: number): Promise<Pixels> {
  const { data, ...raw } = await decode(sharp(jpeg));
  return decode(sharp(data, { raw }).resize(width));
}

async function decode(image: Sharp): Promise<Pixels & { readonly channels: 3 }> {
  const { data, info } = await image.toColourspace("srgb").removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: 3 };
}

async function get(url: string): Promise<Uint8Array> {
  const response = await fetch(url);
  if (response.status !== 200) throw new Error(`GET ${url} answered ${response.status}: ${await response.text()}`);
  return response.bytes();
}
