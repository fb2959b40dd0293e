import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import sharp, { type Sharp } from "sharp";
import { describeWithSharp } from "../../../src/adapters/renderer/describe-with-sharp.ts";
import { createProber } from "../../../src/adapters/renderer/probe.ts";
import { renderWithSharp } from "../../../src/adapters/renderer/render-with-sharp.ts";
import type { ResizedPlan } from "../../../src/domain/variant.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { pngChunk, withChunks } from "./located-images.ts";

const maxPixels = 10_000_000;
const PLAIN: ResizedPlan = {
  kind: "resized",
  width: 40,
  height: 30,
  fit: "fill",
  crop: "centre",
  background: null,
  format: "png",
  quality: 100,
  blur: 0,
  animated: false,
};

let folder: string;
let prober: ReturnType<typeof createProber>;
beforeAll(async () => {
  folder = await newFolder("kinds");
  prober = createProber({ maxPixels, acceptTiff: true, children: 1 });
});
afterAll(async () => {
  await prober[Symbol.asyncDispose]();
  await removeFolder(folder);
});

const solid = (background: string) => sharp({ create: { width: 40, height: 30, channels: 3, background } });
const render = (bytes: Uint8Array, picture: Partial<ResizedPlan> = {}) =>
  renderWithSharp({ bytes }, { ...PLAIN, ...picture }, maxPixels);

async function firstPixelOf(image: Buffer): Promise<readonly number[]> {
  return [...(await sharp(image).removeAlpha().raw().toBuffer()).subarray(0, 3)];
}

const u32 = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
};

describe("PNG colour without a profile", () => {
  // What Chromium shows of #804020.
  test.each([
    ["cICP of Display P3", pngChunk("cICP", Buffer.from([12, 13, 0, 1])), [138, 59, 21]],
    ["gAMA of linear light", pngChunk("gAMA", u32(100_000)), [188, 137, 99]],
    ["gAMA as of sRGB", pngChunk("gAMA", u32(45_455)), [128, 64, 32]],
  ] as const)("%s is converted to sRGB, including its background colour", async (_, chunk, expected) => {
    const png = withChunks(await solid("#804020").png().toBuffer(), chunk);
    const found = await firstPixelOf(await render(png));
    for (const [channel, value] of expected.entries())
      expect(Math.abs((found[channel] ?? 0) - value)).toBeLessThanOrEqual(1);
    const wide = await render(png, { width: 80, height: 30, fit: "contain", background: "0000ff" });
    expect(await firstPixelOf(wide)).toEqual([0, 0, 255]);
    const { dominantColour } = await describeWithSharp({ source: { bytes: png }, maxPixels, exposeLocation: false });
    const [red = 0] = Buffer.from((dominantColour ?? "").slice(1), "hex");
    expect(Math.abs(red - expected[0])).toBeLessThanOrEqual(1);
  });
});

const pagesOf = async (...images: readonly Buffer[]): Promise<Buffer> =>
  sharp([...images], { join: { animated: true } })
    .tiff({ compression: "deflate" })
    .toBuffer();

describe("a TIFF", () => {
  test("with several pages counts each", async () => {
    const page = await solid("#123456").png().toBuffer();
    const bytes = await pagesOf(page, page, page);
    expect(await prober.probe({ bytes })).toMatchObject({ width: 40, height: 30, frames: 3 });
  });

  test("with reduced-resolution pages is one image", async () => {
    const bytes = await sharp({ create: { width: 2000, height: 1500, channels: 3, background: "#345" } })
      .tiff({ pyramid: true, tile: true, tileWidth: 256, tileHeight: 256, compression: "deflate" })
      .toBuffer();
    expect(await prober.probe({ bytes })).toMatchObject({ width: 2000, height: 1500, frames: 1 });
  });

  test("with raw sensor data is refused", async () => {
    const tiff = await solid("#345").tiff({ compression: "none" }).toBuffer();
    // Its photometric interpretation, as a colour filter array.
    const entry = tiff.indexOf(Buffer.from([0x06, 0x01, 3, 0]));
    tiff.writeUInt16LE(32_803, entry + 8);
    const refused = await prober.probe({ bytes: tiff }).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "unsupported_image", message: expect.stringContaining("raw") });
  });
});

test.each([
  ["HEIC", Buffer.concat([u32(24), Buffer.from("ftypheic\0\0\0\0mif1heic")])],
  ["SVG", Buffer.from('<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>')],
  ["BMP", Buffer.from("BM\0\0\0\0\0\0\0\0\0\0")],
  ["JPEG XL", Buffer.from([0xff, 0x0a, 0, 0, 0, 0])],
] as const)("%s is refused with its name and the accepted formats", async (name, bytes) => {
  const refused = await prober.probe({ bytes }).catch((error: unknown) => error);
  expect(refused).toMatchObject({
    code: "unsupported_image",
    message: expect.stringContaining(name),
    members: { found: name, accepted: expect.arrayContaining(["image/jpeg", "image/avif"]) },
  });
});

describe("a GIF", () => {
  test("without a trailer, or with bytes after it, is decodable", async () => {
    const gif = await solid("#ff0000").gif().toBuffer();
    for (const bytes of [gif.subarray(0, -1), Buffer.concat([gif, Buffer.from("junk")])]) {
      expect(await prober.probe({ bytes })).toMatchObject({ width: 40, height: 30, frames: 1 });
      const described = await describeWithSharp({ source: { bytes }, maxPixels, exposeLocation: false });
      expect(described).toMatchObject({ decodable: true, dominantColour: "#ff0000" });
      expect(await firstPixelOf(await render(bytes))).toEqual([255, 0, 0]);
    }
  });

  test("with a damaged last frame has variants, animated and still", async () => {
    const frames = await Promise.all(
      ["#ff0000", "#00ff00", "#0000ff"].map((colour) =>
        sharp({
          create: {
            width: 40,
            height: 30,
            channels: 3,
            background: colour,
            noise: { type: "gaussian", mean: 128, sigma: 40 },
          },
        })
          .png()
          .toBuffer(),
      ),
    );
    const gif = await sharp(frames, { join: { animated: true } })
      .gif({ delay: [100, 100, 100] })
      .toBuffer();
    const bytes = gif.subarray(0, gif.length - 200);
    const info = await prober.probe({ bytes });
    expect(info).toMatchObject({ width: 40, height: 30 });
    const moving = await sharp(await render(bytes, { format: "webp", animated: info.frames > 1 })).metadata();
    expect(moving).toMatchObject({ width: 40, format: "webp" });
    expect((await describeWithSharp({ source: { bytes }, maxPixels, exposeLocation: false })).decodable).toBe(false);
  });
});

const noise = () =>
  sharp({
    create: {
      width: 200,
      height: 150,
      channels: 3,
      background: "#369",
      noise: { type: "gaussian", mean: 128, sigma: 40 },
    },
  });

describe("a truncated image", () => {
  test.each([
    ["JPEG", () => noise().jpeg()],
    ["progressive JPEG", () => noise().jpeg({ progressive: true })],
    ["PNG", () => noise().png()],
    ["GIF", () => noise().gif()],
    ["WebP", () => noise().webp()],
    ["lossless WebP", () => noise().webp({ lossless: true })],
    ["WebP with metadata", () => noise().withXmp("<x/>").webp()],
  ] as const)("of type %s is stored, is not decodable, and shows its decodable part", async (_, make) => {
    const whole = await make().toBuffer();
    for (const part of [0.9, 0.7, 0.5, 0.3]) {
      const bytes = whole.subarray(0, Math.round(whole.length * part));
      expect(await prober.probe({ bytes })).toMatchObject({ width: 200, height: 150, frames: 1 });
      const described = await describeWithSharp({ source: { bytes }, maxPixels, exposeLocation: false });
      expect(described).toMatchObject({ decodable: false, placeholder: expect.any(String) });
      const top = sharp(await render(bytes, { width: 200, height: 150 })).extract({
        left: 0,
        top: 0,
        width: 200,
        height: 30,
      });
      const { channels } = await sharp(await top.png().toBuffer()).stats();
      expect(channels[0]?.stdev).toBeGreaterThan(10);
    }
  });
});

test("a progressive JPEG that ends in a marker between two scans shows the scans before it", async () => {
  const whole = await noise().jpeg({ progressive: true }).toBuffer();
  const scans = [...whole.toString("latin1").matchAll(/\xff[\xc4\xda]\0/g)].map(({ index }) => index);
  for (const at of scans.slice(-3))
    for (const more of [1, 2, 3, 4, 6]) {
      const bytes = whole.subarray(0, at + more);
      const described = await describeWithSharp({ source: { bytes }, maxPixels, exposeLocation: false });
      expect(described).toMatchObject({ decodable: false, placeholder: expect.any(String) });
      const { channels } = await sharp(await render(bytes, { width: 200, height: 150 })).stats();
      expect(channels[0]?.stdev).toBeGreaterThan(5);
    }
});

const FRAMES = 4;
const [WIDTH, HEIGHT] = [120, 80];

/** An animation. `alphaOf`: the opacity of the pixels of a frame. */
function animation(alphaOf: (frame: number, pixel: number) => number = () => 255): Sharp {
  const bytes = Buffer.alloc(WIDTH * HEIGHT * FRAMES * 4);
  for (let pixel = 0; pixel < WIDTH * HEIGHT * FRAMES; pixel++) {
    const frame = Math.floor(pixel / (WIDTH * HEIGHT));
    bytes.set([(pixel * 37) % 256, (pixel >> 4) % 256, frame * 60, alphaOf(frame, pixel)], pixel * 4);
  }
  return sharp(bytes, { raw: { width: WIDTH, height: HEIGHT * FRAMES, channels: 4, pageHeight: HEIGHT } });
}

const DELAYS = { delay: [50, 60, 70, 80] };
const ANIMATIONS = {
  GIF: () => animation().gif(DELAYS),
  "transparent GIF": () => animation((frame, pixel) => (pixel % 7 > frame ? 255 : 0)).gif(DELAYS),
  WebP: () => animation().webp(DELAYS),
  "translucent WebP": () => animation((frame, pixel) => (pixel * 11 + frame) % 256).webp(DELAYS),
  "lossless WebP": () => animation((_, pixel) => (pixel * 11) % 256).webp({ ...DELAYS, lossless: true }),
  "WebP with metadata": () => animation().withXmp("<x/>").webp(DELAYS),
} as const;

/** Where each frame ends. */
async function endsOfFrames(whole: Buffer): Promise<readonly number[]> {
  const ends: number[] = [];
  if (whole.toString("latin1", 0, 4) === "RIFF") {
    for (let at = 12; at + 8 <= whole.length; ) {
      const length = whole.readUInt32LE(at + 4);
      const isFrame = whole.toString("latin1", at, at + 4) === "ANMF";
      at += 8 + length + (length % 2);
      if (isFrame) ends.push(at);
    }
    return ends;
  }
  // Each frame of a GIF follows its own control block.
  const control = Buffer.from([0x21, 0xf9, 0x04]);
  for (let at = whole.indexOf(control); at >= 0; at = whole.indexOf(control, at + 1)) ends.push(at);
  return [...ends.slice(1), whole.length - 1];
}

describe("a truncated animation", () => {
  test.each(Object.entries(ANIMATIONS))("of type %s plays its whole frames, wherever it ends", async (_, make) => {
    const whole = await make().toBuffer();
    const ends = await endsOfFrames(whole);
    expect(ends).toHaveLength(FRAMES);
    for (const [index, end] of ends.entries()) {
      const next = ends[index + 1] ?? whole.length;
      const cuts = [0, 1, 9, 20, 40, 0.1, 0.3, 0.6, 0.9].map((cut) => (cut < 1 ? Math.floor(cut * (next - end)) : cut));
      for (const cut of cuts.filter((more) => more < next - end && end + more < whole.length - 1)) {
        const bytes = whole.subarray(0, end + cut);
        const frames = index + 1;
        expect(await prober.probe({ bytes })).toMatchObject({ width: WIDTH, height: HEIGHT, frames });
        expect(await describeWithSharp({ source: { bytes }, maxPixels, exposeLocation: false })).toMatchObject({
          placeholder: expect.any(String),
        });
        const played = await sharp(await render(bytes, { format: "webp", animated: true })).metadata();
        expect([played.pages ?? 1, (await sharp(await render(bytes)).metadata()).pages ?? 1]).toEqual([frames, 1]);
      }
    }
  });

  test.each(["GIF", "WebP"] as const)("of type %s is not decodable, with the reason", async (type) => {
    const whole = await ANIMATIONS[type]().toBuffer();
    const [, second = 0] = await endsOfFrames(whole);
    const source = { bytes: whole.subarray(0, second + 30) };
    const described = await describeWithSharp({ source, maxPixels, exposeLocation: false });
    expect(described).toMatchObject({ decodable: false, decodeError: "The file ends before the picture does." });
  });

  test.each(["GIF", "WebP"] as const)("of type %s shows a first frame that is cut off as a still", async (type) => {
    const whole = await ANIMATIONS[type]().toBuffer();
    const [first = 0] = await endsOfFrames(whole);
    const bytes = whole.subarray(0, Math.floor(first * 0.7));
    expect(await prober.probe({ bytes })).toMatchObject({ width: WIDTH, height: HEIGHT, frames: 1 });
    const { channels } = await sharp(await render(bytes, { width: WIDTH, height: HEIGHT })).stats();
    expect(channels[0]?.stdev).toBeGreaterThan(10);
  });

  test.each(["gif", "webp"] as const)("that begins with a frame of one colour shows it (%s)", async (format) => {
    const frames = ["#369", "#963", "#396"].map((colour) => solid(colour).png().toBuffer());
    const joined = sharp(await Promise.all(frames), { join: { animated: true } });
    const whole = await joined.toFormat(format, DELAYS).toBuffer();
    const [first = 0, second = 0] = await endsOfFrames(whole);
    const damaged = Buffer.from(whole).fill(0xff, first + 30, first + 60);
    for (const bytes of [whole.subarray(0, second + 9), ...(format === "gif" ? [damaged] : [])]) {
      for (const animated of [false, true])
        expect(await firstPixelOf(await render(bytes, { animated, format: "webp" }))).toEqual([
          expect.closeTo(0x33, -1),
          expect.closeTo(0x66, -1),
          expect.closeTo(0x99, -1),
        ]);
      const described = await describeWithSharp({ source: { bytes }, maxPixels, exposeLocation: false });
      expect(described).toMatchObject({ placeholder: expect.any(String) });
    }
  });
});

test("an animated WebP with a frame that cannot be parsed plays the frames before it", async () => {
  const bytes = await ANIMATIONS.WebP().toBuffer();
  const [, second = 0] = await endsOfFrames(bytes);
  bytes.writeUInt32LE(0xffffff, second + 28);
  expect(await prober.probe({ bytes })).toMatchObject({ width: WIDTH, height: HEIGHT, frames: 2 });
  const described = await describeWithSharp({ source: { bytes }, maxPixels, exposeLocation: false });
  expect(described).toMatchObject({ decodable: false, placeholder: expect.any(String) });
  expect((await sharp(await render(bytes, { format: "webp", animated: true })).metadata()).pages).toBe(2);
});

/** A TIFF file of one strip a page, in 8-bit grey. */
function greyTiff(pages: readonly { width: number; height: number; newSubfileType?: number }[]): Buffer {
  const parts: Buffer[] = [Buffer.from("49492a0008000000", "hex")];
  let at = 8;
  for (const [index, { width, height, newSubfileType = 0 }] of pages.entries()) {
    const tags = [
      [254, newSubfileType],
      [256, width],
      [257, height],
      [258, 8],
      [259, 1],
      [262, 1],
      [273, 0],
      [277, 1],
      [278, height],
      [279, width * height],
    ] as const;
    const length = 2 + tags.length * 12 + 4;
    const directory = Buffer.alloc(length);
    directory.writeUInt16LE(tags.length);
    for (const [row, [tag, value]] of tags.entries()) {
      const entry = 2 + row * 12;
      directory.writeUInt16LE(tag, entry);
      directory.writeUInt16LE(4, entry + 2);
      directory.writeUInt32LE(1, entry + 4);
      directory.writeUInt32LE(tag === 273 ? at + length : value, entry + 8);
    }
    const pixels = Buffer.from(Array.from({ length: width * height }, (_, pixel) => (pixel * 7) % 256));
    at += length + pixels.length;
    if (index < pages.length - 1) directory.writeUInt32LE(at, length - 4);
    parts.push(directory, pixels);
  }
  return Buffer.concat(parts);
}

describe("a TIFF file whose first page is smaller than its second", () => {
  const [small, large] = [
    { width: 20, height: 15 },
    { width: 200, height: 150 },
  ];

  test("is one image of the second if the first is marked as a reduced copy", async () => {
    const bytes = greyTiff([{ ...small, newSubfileType: 1 }, large]);
    expect(await prober.probe({ bytes })).toMatchObject({ ...large, frames: 1 });
  });

  test("has two pages, of which the first is shown, if nothing marks the first", async () => {
    const bytes = greyTiff([small, large]);
    expect(await prober.probe({ bytes })).toMatchObject({ ...small, frames: 2 });
    const { width, height } = await sharp(await render(bytes, small)).metadata();
    expect({ width, height }).toEqual(small);
  });
});
