import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { describeWithSharp } from "../../../src/adapters/renderer/describe-with-sharp.ts";
import { createProber } from "../../../src/adapters/renderer/probe.ts";
import { renderWithSharp } from "../../../src/adapters/renderer/render-with-sharp.ts";
import { writeWithoutLocation } from "../../../src/adapters/renderer/without-location/write-without-location.ts";
import type { VariantFormat } from "../../../src/domain/formats.ts";
import type { ImageInfo } from "../../../src/domain/image.ts";
import { planRender } from "../../../src/domain/render-plan.ts";
import type { ResizedPlan } from "../../../src/domain/variant.ts";
import { parseResized } from "../../../src/domain/variant-query.ts";
import { CORPORA, hasCorpora } from "../../corpora.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";

const FOLDER = join(CORPORA, "reported");

const maxPixels = 64_000_000;
const pathOf = (name: string) => join(FOLDER, name);
let scratch: string;
let prober: ReturnType<typeof createProber>;
beforeAll(async () => {
  scratch = await newFolder("reported");
  prober = createProber({ maxPixels, acceptTiff: true, children: 1 });
});
afterAll(async () => {
  await prober[Symbol.asyncDispose]();
  await removeFolder(scratch);
});

const probe = (name: string): Promise<ImageInfo> => prober.probe({ path: pathOf(name) });
const tell = (name: string) => describeWithSharp({ source: { path: pathOf(name) }, maxPixels, exposeLocation: false });

async function render(name: string, format: VariantFormat = "png"): Promise<Buffer> {
  const picture = planRender(parseResized({ format }), await probe(name), []) as ResizedPlan;
  return await renderWithSharp({ path: pathOf(name) }, picture, maxPixels);
}

async function meansOf(image: Buffer): Promise<readonly number[]> {
  const { channels } = await sharp(image).stats();
  return channels.map(({ mean }) => Math.round(mean * 10) / 10);
}

describe.skipIf(!hasCorpora)("images from bug reports", () => {
  // The means of red, green and blue that Chromium 140 shows.
  test.each([
    ["avif-nclx-display-p3-not-converted.avif", [131.9, 120.9, 126.9]],
    ["png-cicp-p3-ignored.png", [126.3, 114.9, 118.6]],
    ["avif-pq-hdr-not-tone-mapped.avif", [127.8, 99.3, 121.2]],
    ["grey16-png-icc-profile-ignored.png", [180.7, 180.7, 180.7]],
  ] as const)("%s has the colours that a browser shows", async (name, expected) => {
    const means = await meansOf(await render(name));
    for (const [channel, mean] of expected.entries()) expect(Math.abs((means[channel] ?? 0) - mean)).toBeLessThan(0.6);
  });

  test.each([
    ["avif-sequence-422-called-broken.avif", { width: 120, height: 80, frames: 1 }],
    ["jpeg-complete-without-eoi-422.jpg", { width: 300, height: 200 }],
    ["jpeg-samsung-sos-sound-false.jpg", { width: 300, height: 200 }],
    ["gif-complete-junk-for-trailer-upload-422.gif", { width: 120, height: 80, frames: 6 }],
    ["tiff-30mp-with-thumbnail-page-image-too-large.tif", { width: 6000, height: 5000, frames: 2 }],
    ["tiff-pyramid-20mp-image-too-large.tif", { width: 5000, height: 4000, frames: 1 }],
    ["tiff-raw-like-recorded-as-its-thumbnail.tif", { width: 1200, height: 800 }],
    ["apng-loses-animation.png", { width: 120, height: 80, frames: 1 }],
  ] as const)("%s is stored, is whole and has variants", async (name, info) => {
    expect(await probe(name)).toMatchObject(info);
    expect(await tell(name)).toMatchObject({ decodable: true, placeholder: expect.any(String), decodeError: null });
    const { width, height } = await sharp(await render(name)).metadata();
    expect({ width, height }).toEqual({ width: info.width, height: info.height });
  });

  test("a truncated GIF is stored and shows its decodable part, as a JPEG does", async () => {
    const name = "gif-truncated-upload-422-unlike-jpeg.gif";
    expect(await probe(name)).toMatchObject({ width: 300, height: 200, frames: 1 });
    expect(await tell(name)).toMatchObject({
      decodable: false,
      decodeError: "The file ends before the picture does.",
      placeholder: expect.any(String),
    });
    expect(await meansOf(await render(name))).not.toEqual([0, 0, 0, 255]);
  });

  test("a GIF whose first frame leaves canvas free is transparent there, animated and still", async () => {
    const name = "gif-partial-first-frame-black-not-transparent.gif";
    expect(await probe(name)).toMatchObject({ hasAlpha: true, frames: 2 });
    for (const format of ["png", "webp"] as const) {
      const image = sharp(await render(name, format)).ensureAlpha();
      const { data } = await image.raw().toBuffer({ resolveWithObject: true });
      expect([data[3], data[(15 * 100 + 15) * 4 + 3]]).toEqual([0, 255]);
    }
    expect((await sharp(await render(name, "webp")).metadata()).pages).toBe(2);
  });

  test("an AVIF sequence without a still picture is refused as such, not as broken", async () => {
    const bytes = await readFile(pathOf("avif-sequence-422-called-broken.avif"));
    bytes.write("free", bytes.indexOf("meta", 0, "latin1"), "latin1");
    const refused = await prober.probe({ bytes }).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: "unsupported_image",
      message: expect.stringContaining("AVIF sequence without a still picture"),
      members: { accepted: expect.arrayContaining(["image/avif"]) },
    });
  });

  test("a TIFF with an unsupported compression is refused with the compression's name", async () => {
    const refused = await probe("tiff-zstd-accepted-never-renders.tif").catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: "unsupported_image", message: expect.stringContaining("Zstandard") });
    expect(refused).toMatchObject({ members: { accepted: expect.arrayContaining(["image/png"]) } });
  });

  test.each([
    ["strip-location-keeps-xmp-georss-point.jpg", /georss:point|48\.8583736/],
    ["avif-strip-location-400.avif", /GPSLatitude|48,51/],
  ])("%s loses its location and keeps its pixels", async (name, location) => {
    const target = join(scratch, name);
    await writeWithoutLocation({ path: pathOf(name) }, target);
    const [before, after] = [await readFile(pathOf(name)), await readFile(target)];
    expect(before.toString("latin1")).toMatch(location);
    expect(after.toString("latin1")).not.toMatch(location);
    expect(after.length).toBe(before.length);
    expect((await sharp(after).raw().toBuffer()).equals(await sharp(before).raw().toBuffer())).toBe(true);
  });
});
