import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { thumbHashToAverageRGBA, thumbHashToRGBA } from "thumbhash";
import { prepareSharp } from "../../../src/adapters/renderer/decoder.ts";
import { describeWithSharp } from "../../../src/adapters/renderer/describe-with-sharp.ts";
import { CORPORA, hasCorpora } from "../../corpora.ts";
import { expectCode } from "../../errors.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { cameraExif, exifSegment, pngChunk, withChunks, withSegments } from "./located-images.ts";

const OPTIONS = { maxPixels: 1_000_000, exposeLocation: false };
const EARLY_END = "The file ends before the picture does.";
const DAMAGED = "The data of the pixels is damaged.";

let folder: string;
beforeAll(async () => {
  folder = await newFolder("describe");
  prepareSharp();
});
afterAll(async () => {
  // Other tests of this process make images too.
  sharp.unblock({ operation: ["VipsForeignLoad"] });
  await removeFolder(folder);
});

/** Once from memory and once from a file: both say the same. */
async function describeBoth(image: Uint8Array, options = OPTIONS) {
  const path = join(folder, "image");
  await writeFile(path, image);
  // The decoder's own words, for the log, say which of the two it was.
  const { decoderMessage: _fromMemory, ...description } = await describeWithSharp({
    source: { bytes: image },
    ...options,
  });
  const { decoderMessage: _fromFile, ...again } = await describeWithSharp({ source: { path }, ...options });
  expect(again).toEqual(description);
  return description;
}

const [WIDTH, HEIGHT] = [300, 200];
const NOISE = { type: "gaussian", mean: 128, sigma: 50 } as const;
const noise = (): Sharp =>
  sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: "#fff", noise: NOISE } });

/** Three quarters are red, the rest on the right is blue, as stored. */
const twoColours = (): Sharp =>
  sharp({ create: { width: WIDTH, height: HEIGHT, channels: 3, background: "#c02010" } }).composite([
    { input: { create: { width: 75, height: HEIGHT, channels: 3, background: "#1020c0" } }, left: 225, top: 0 },
  ]);

/** Frames of noise, one over the other. */
async function animation(frames: number): Promise<Sharp> {
  const pixels = await sharp({
    create: { width: 40, height: 40 * frames, channels: 3, background: "#fff", noise: NOISE },
  })
    .raw()
    .toBuffer();
  return sharp(pixels, { raw: { width: 40, height: 40 * frames, channels: 3, pageHeight: 40 } });
}

const MAKERS: readonly [string, () => Promise<Buffer>][] = [
  ["jpeg", () => noise().jpeg().toBuffer()],
  ["progressive jpeg", () => noise().jpeg({ progressive: true }).toBuffer()],
  ["png", () => noise().png().toBuffer()],
  ["webp", () => noise().webp().toBuffer()],
  ["gif", () => noise().gif().toBuffer()],
  ["avif", () => noise().avif({ effort: 0 }).toBuffer()],
  ["tiff", () => noise().tiff({ compression: "lzw" }).toBuffer()],
  ["animated gif", async () => (await animation(5)).gif().toBuffer()],
  ["animated webp", async () => (await animation(5)).webp().toBuffer()],
];

describe("describing pixels", () => {
  test("returns a ThumbHash and the dominant colour", async () => {
    const { placeholder, ...others } = await describeBoth(await twoColours().png().toBuffer());
    expect(others).toEqual({ dominantColour: "#c02010", exif: null, decodable: true, decodeError: null });
    const { w, h, rgba } = thumbHashToRGBA(Buffer.from(placeholder ?? "", "base64"));
    expect(w / h).toBeCloseTo(WIDTH / HEIGHT, 0);
    const [left, right] = [rgba.subarray(0, 3), rgba.subarray(4 * (w - 1), 4 * (w - 1) + 3)];
    expect((left[0] ?? 0) - (left[2] ?? 0)).toBeGreaterThan(80);
    expect((right[2] ?? 0) - (right[0] ?? 0)).toBeGreaterThan(80);
  });

  test("uses the displayed orientation", async () => {
    const { placeholder } = await describeBoth(await twoColours().withMetadata({ orientation: 6 }).jpeg().toBuffer());
    const { w, h, rgba } = thumbHashToRGBA(Buffer.from(placeholder ?? "", "base64"));
    expect(w).toBeLessThan(h);
    const [top, bottom] = [rgba.subarray(0, 3), rgba.subarray(rgba.length - 4, rgba.length - 1)];
    expect((top[0] ?? 0) - (top[2] ?? 0)).toBeGreaterThan(80);
    expect((bottom[2] ?? 0) - (bottom[0] ?? 0)).toBeGreaterThan(80);
  });

  test("ignores fully transparent pixels", async () => {
    const transparent = sharp({
      create: { width: 40, height: 40, channels: 4, background: { r: 255, g: 0, b: 0, alpha: 0 } },
    }).composite([
      { input: { create: { width: 10, height: 40, channels: 3, background: "#00ff00" } }, left: 0, top: 0 },
    ]);
    const { placeholder, dominantColour } = await describeBoth(await transparent.png().toBuffer());
    expect(dominantColour).toBe("#00ff00");
    expect(thumbHashToAverageRGBA(Buffer.from(placeholder ?? "", "base64")).a).toBeCloseTo(0.25, 1);
    const nothing = sharp({ create: { width: 4, height: 4, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0 } } });
    expect(await describeBoth(await nothing.png().toBuffer())).toMatchObject({
      dominantColour: "#000000",
      decodable: true,
    });
  });

  test.each([
    ["grey", () => twoColours().greyscale().toColourspace("b-w")],
    ["of 16 bits", () => twoColours().toColourspace("rgb16")],
    ["in CMYK", () => twoColours().toColourspace("cmyk")],
  ] as const)("converts %s to sRGB", async (_, make) => {
    const image = make();
    const bytes = await (_ === "in CMYK" ? image.jpeg() : image.png()).toBuffer();
    const { dominantColour, decodable } = await describeBoth(bytes);
    expect({ decodable, isColour: /^#[\da-f]{6}$/.test(dominantColour ?? "") }).toEqual({
      decodable: true,
      isColour: true,
    });
    const red = Number.parseInt(dominantColour?.slice(1, 3) ?? "", 16);
    if (_ !== "grey") expect(Math.abs(red - 0xc0)).toBeLessThan(12);
  });

  test.each(MAKERS)("a complete %s is decodable", async (_, make) => {
    expect(await describeBoth(await make())).toMatchObject({ decodable: true, decodeError: null });
  });

  test.each(MAKERS)(
    "a truncated %s is not decodable, and its decodable part is described where decoders show it",
    async (name, make) => {
      const image = await make();
      for (const length of [image.length - 20, image.length >> 1]) {
        const description = await describeBoth(image.subarray(0, length));
        expect(description.decodable).toBe(false);
        if (/jpeg|png|gif/.test(name)) expect(description.placeholder).not.toBe(null);
        expect([EARLY_END, DAMAGED]).toContain(description.decodeError ?? "");
      }
    },
  );

  test("a damaged later frame makes the image not decodable", async () => {
    const gif = await (await animation(5)).gif().toBuffer();
    gif.fill(0xff, gif.length - 600, gif.length - 500);
    expect((await describeBoth(gif)).decodable).toBe(false);
    const pages = await (await animation(3)).tiff({ compression: "deflate" }).toBuffer();
    expect((await describeBoth(pages)).decodable).toBe(true);
  });

  test("a gap that a decoder would skip makes the image not decodable", async () => {
    const jpeg = await noise().jpeg().toBuffer();
    const half = jpeg.length >> 1;
    const holed = Buffer.concat([jpeg.subarray(0, half), jpeg.subarray(half + 5000)]);
    expect((await describeBoth(holed)).decodeError).toBe(DAMAGED);
  });

  test("too many pixels and bytes that are no image have their own errors", async () => {
    const image = await noise().png().toBuffer();
    expect((await describeBoth(image, { ...OPTIONS, maxPixels: 1000 })).decodeError).toBe(
      "The picture has more pixels than this store decodes.",
    );
    expect((await describeBoth(Buffer.from("no image"))).decodeError).toBe(DAMAGED);
  });
});

test("metadata is read from images with damaged pixels, in every format that has it", async () => {
  const exif = { camera: "Acme One", lens: "50mm F1.8", fNumber: 4, takenAt: "2026-07-14T09:30:00+02:00" };
  const jpeg = withSegments(await noise().jpeg().toBuffer(), exifSegment(cameraExif("MM")));
  expect(await describeBoth(jpeg)).toMatchObject({ exif, decodable: true });
  expect(await describeBoth(jpeg.subarray(0, 5000))).toMatchObject({ exif, decodable: false });
  const png = withChunks(await noise().png().toBuffer(), pngChunk("eXIf", cameraExif("II")));
  expect(await describeBoth(png)).toMatchObject({ exif });
  const located = await describeBoth(png, { ...OPTIONS, exposeLocation: true });
  expect(located.exif?.location).toEqual({ latitude: expect.any(Number), longitude: expect.any(Number) });
});

const VALID = join(CORPORA, "valid");

test.skipIf(!hasCorpora)("every valid file of the corpora is decodable unless it is damaged on purpose", async () => {
  const every = Number(process.env["IMAGE_STORE_TEST_CORPORA_STEP"] ?? 4);
  const files = readdirSync(VALID, { recursive: true }) as string[];
  const images = files.filter((name) => /\.(jpe?g|png|webp|gif|avif|tiff?)$/.test(name)).sort();
  const sample = images.filter((_, index) => index % every === 0);
  expect(sample.length).toBeGreaterThan(10);
  const undecodable: string[] = [];
  for (const name of sample) {
    const { decodable } = await describeWithSharp({
      source: { path: join(VALID, name) },
      ...OPTIONS,
      maxPixels: 50_000_000,
    });
    if (!decodable) undecodable.push(name);
  }
  expect(undecodable.filter((name) => !/pngsuite\/x|pitm\.avif/.test(name))).toEqual([]);
});

test("a read error says nothing about the pixels", async () => {
  // Of a folder, a read fails as it does of a broken disk.
  for (const path of [join(folder, "missing"), folder])
    await expectCode(describeWithSharp({ source: { path }, ...OPTIONS }), "unavailable");
});
