import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { createProber } from "../../src/adapters/renderer/probe.ts";
import { createRenderer } from "../../src/adapters/renderer/renderer.ts";
import { VARIANT_FORMATS } from "../../src/domain/formats.ts";
import type { ImageInfo } from "../../src/domain/image.ts";
import type { ResizedPlan } from "../../src/domain/variant.ts";
import type { Prober, Renderer } from "../../src/ports.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { adobeRgbProfile } from "./adobe-rgb.ts";
import { decodeWithImageMagick, hasImageMagick, meanDifference, toSrgb } from "./image-magick.ts";

/** Of 255. */
const MAX_DIFFERENCE = 2;
const LARGEST_SIDE = 200;
const corpora = process.env["IMAGE_STORE_CORPORA"] ?? join(import.meta.dir, "../../../shared/corpora");
const hasCorpora = existsSync(join(corpora, "dimensions.json"));
if (!hasCorpora) console.warn(`SKIPPED: the corpora are not in ${corpora} (IMAGE_STORE_CORPORA)`);

let folder: string;
let renderer: Renderer;
let prober: Prober;
beforeAll(async () => {
  folder = await newFolder("pictures");
  renderer = createRenderer({ maxPixels: 50_000_000, exposeLocation: false, children: 1 });
  prober = createProber({ maxPixels: 50_000_000, acceptTiff: true, children: 1 });
});
afterAll(async () => {
  await renderer[Symbol.asyncDispose]();
  await prober[Symbol.asyncDispose]();
  await removeFolder(folder);
});

let made = 0;
async function stored(image: Sharp | Buffer): Promise<string> {
  const path = join(folder, String(++made));
  await Bun.write(path, Buffer.isBuffer(image) ? image : await image.toBuffer());
  return path;
}

/** Something of every colour, with edges and slopes. */
function scene(width = 480, height = 360, shift = 0): Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const isInside = (x - width / 3 - shift) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2;
      const slope = [(200 * x) / width, (180 * y) / height, 90 + (100 * (x + y)) / (width + height)];
      pixels.set(isInside ? [210, 60, 40 + (y % 100)] : slope, (y * width + x) * 3);
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

async function withTransparency(): Promise<Sharp> {
  const { data, info } = await scene().ensureAlpha().raw().toBuffer({ resolveWithObject: true });
  for (let pixel = 0; pixel < data.length / 4; pixel++) {
    const x = pixel % info.width;
    data[pixel * 4 + 3] = x < 160 ? 0 : Math.min(255, x - 100);
  }
  return sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } });
}

async function moving(): Promise<Sharp> {
  const frames = await Promise.all([0, 40, 80].map((shift) => scene(240, 180, shift).raw().toBuffer()));
  return sharp(Buffer.concat(frames), { raw: { width: 240, height: 540, channels: 3, pageHeight: 180 } });
}

/** Fits, as the renderer is asked to make it, and as large as the record says that it is displayed. */
async function pictureOf(path: string, changes: Partial<ResizedPlan> = {}): Promise<[ResizedPlan, ImageInfo]> {
  const info = await prober.probe({ path });
  const scale = Math.min(1, LARGEST_SIDE / Math.max(info.width, info.height));
  const side = (length: number): number => Math.max(1, Math.round(length * scale));
  const size = { width: side(info.width), height: side(info.height) };
  const rest = { fit: "fill", crop: "centre", background: null, format: "png", quality: 95, blur: 0 } as const;
  return [{ kind: "resized", ...size, ...rest, animated: false, ...changes }, info];
}

/** How far the renderer's picture is from ImageMagick's; both are decoded by ImageMagick. */
async function differenceOf(path: string, changes: Partial<ResizedPlan> = {}): Promise<number> {
  const [picture, info] = await pictureOf(path, changes);
  const target = join(folder, `${++made}.${picture.format}`);
  await renderer.render({ path }, picture, target, new AbortController().signal);
  const isMoving = info.contentType === "image/gif" || info.contentType === "image/webp";
  const whole = isMoving || picture.animated ? ["-coalesce"] : [];
  const colours = info.contentType === "image/avif" ? ["-colorspace", "sRGB"] : await toSrgb(path, folder);
  const size = ["-filter", "Lanczos", "-resize", `${picture.width}x${picture.height}!`];
  const operations = [...whole, "-auto-orient", ...colours, ...size];
  const expected = await decodeWithImageMagick(picture.animated ? path : `${path}[0]`, operations);
  const found = await decodeWithImageMagick(target, [
    ...(picture.animated ? ["-coalesce"] : []),
    ...(picture.format === "avif" ? ["-colorspace", "sRGB"] : []),
  ]);
  return meanDifference(found, expected);
}

const xmpOrientation = `<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`;

const deep = (image: Sharp): Sharp => image.toColourspace("rgb16");
const CASES: Readonly<Record<string, () => Sharp | Promise<Sharp>>> = {
  "a progressive JPEG": () => scene().jpeg({ progressive: true, quality: 95 }),
  "a JPEG that is many times larger": () => scene(3200, 2400).jpeg({ quality: 90 }),
  "a grey JPEG": () => scene().greyscale().jpeg({ quality: 95 }),
  "a grey PNG with transparency": async () => (await withTransparency()).toColourspace("b-w").png(),
  "a CMYK JPEG with its profile": () => scene().toColourspace("cmyk").withIccProfile("cmyk").jpeg({ quality: 95 }),
  "a CMYK JPEG without one": () => scene().toColourspace("cmyk").jpeg({ quality: 95 }),
  "a JPEG in Display P3": () => scene().withIccProfile("p3").jpeg({ quality: 95 }),
  "a PNG of 16 bits": () => deep(scene()).png(),
  "a PNG of 16 bits in Display P3": () => deep(scene()).withIccProfile("p3").png(),
  "a PNG with transparency": async () => (await withTransparency()).png(),
  "a PNG with a palette with transparency": async () => (await withTransparency()).png({ palette: true, dither: 0 }),
  "a GIF": () => scene().gif({ dither: 0 }),
  "a WebP": () => scene().webp({ quality: 95 }),
  "a WebP that is many times larger": () => scene(2400, 1800).webp({ quality: 90 }),
  "an AVIF": () => scene().avif({ quality: 90, effort: 0 }),
  "a TIFF": () => scene().tiff(),
  "a JPEG that only XMP turns, which nobody looks at": () => scene().withXmp(xmpOrientation).jpeg({ quality: 95 }),
};

/** Where ImageMagick is no judge. */
const JUDGED_OTHERWISE = new Set([
  // What no frame covers is black for one, blue for the other, and transparent for browsers.
  "image-rs-gif/border_touching_layers.gif",
  // Frames that reach beyond the canvas: libvips shows all of them, so the picture is larger.
  "image-rs-gif/issue_1455_oversized.gif",
  "image-rs-gif/oob.gif",
  // It does not read the profile of an AVIF.
  "photos/vips-avif-orientation-6.avif",
  // It shows the first picture of the file, not the one that is the primary one.
  "photos/pitm.avif",
]);

describe.skipIf(!hasImageMagick())("variants match ImageMagick's for", () => {
  for (const [what, make] of Object.entries(CASES)) {
    test(what, async () => {
      expect(await differenceOf(await stored(await make()))).toBeLessThan(MAX_DIFFERENCE);
    });
  }

  test("a JPEG in Adobe RGB and a 16-bit image", async () => {
    const profile = join(folder, "adobe.icc");
    await Bun.write(profile, adobeRgbProfile());
    const jpeg = await stored(scene().withIccProfile(profile).jpeg({ quality: 95 }));
    expect((await sharp(jpeg).metadata()).icc?.length).toBe(adobeRgbProfile().length);
    expect(await differenceOf(jpeg)).toBeLessThan(MAX_DIFFERENCE);
    expect(await differenceOf(await stored(deep(scene()).withIccProfile(profile).png()))).toBeLessThan(MAX_DIFFERENCE);
  });

  test("every EXIF orientation", async () => {
    for (let orientation = 1; orientation <= 8; orientation++) {
      const path = await stored(scene().withMetadata({ orientation }).jpeg({ quality: 95 }));
      expect(await differenceOf(path)).toBeLessThan(MAX_DIFFERENCE);
    }
  });

  test("every format", async () => {
    for (const format of VARIANT_FORMATS) {
      const path = await stored(scene().jpeg({ quality: 95 }));
      expect(await differenceOf(path, { format })).toBeLessThan(MAX_DIFFERENCE);
    }
  });

  test("every frame of an animation", async () => {
    for (const image of [(await moving()).gif({ dither: 0 }), (await moving()).webp({ quality: 95 })]) {
      const path = await stored(image);
      const changes = { format: "webp", animated: true, quality: 100 } as const;
      expect(await differenceOf(path, changes)).toBeLessThan(MAX_DIFFERENCE);
    }
  });

  test("the same picture only (control)", async () => {
    const path = await stored(scene().jpeg());
    const [{ width, height }] = await pictureOf(path);
    const [one, other] = await Promise.all(
      [path, await stored(scene().flop().jpeg())].map((file) =>
        decodeWithImageMagick(file, ["-resize", `${width}x${height}!`]),
      ),
    );
    expect(meanDifference(one as Buffer, other as Buffer)).toBeGreaterThan(10 * MAX_DIFFERENCE);
  });

  test.skipIf(!hasCorpora)(
    "every valid file of the corpora",
    async () => {
      const names = Object.keys(JSON.parse(readFileSync(join(corpora, "dimensions.json"), "utf8")) as object);
      const far: [string, number][] = [];
      let compared = 0;
      for (const name of names.filter((candidate) => !JUDGED_OTHERWISE.has(candidate))) {
        const path = join(corpora, "valid", name);
        const difference = await differenceOf(path).catch((error: unknown) => {
          // Broken on purpose.
          if (name === "pngsuite/xcsn0g01.png") return 0;
          throw new Error(name, { cause: error });
        });
        compared++;
        if (!(difference < MAX_DIFFERENCE)) far.push([name, difference]);
      }
      expect(far).toEqual([]);
      expect(compared).toBeGreaterThan(240);
    },
    300_000,
  );
});
