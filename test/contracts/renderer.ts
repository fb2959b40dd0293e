import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { CONTENT_TYPES, VARIANT_FORMATS } from "../../src/domain/formats.ts";
import type { ResizedPlan } from "../../src/domain/variant.ts";
import type { BlobSource, Rendered, Renderer } from "../../src/ports.ts";
import { sha256 } from "../blobs.ts";
import { expectCode } from "../errors.ts";
import { type Pixels, psnr } from "../picture-likeness.ts";
import { BLUE, type Colour, GREEN, GREY, PICTURE, quarters, RED, WHITE } from "../pictures.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";

const never = new AbortController().signal;

const plain = ([r, g, b]: Colour, width: number, height: number, alpha?: number): Sharp =>
  sharp({
    create: { width, height, channels: alpha === undefined ? 3 : 4, background: { r, g, b, alpha: alpha ?? 1 } },
  });

/** Red, green and blue frames. */
async function animation(width = 90, height = 60): Promise<Sharp> {
  const frames = await Promise.all(
    [RED, GREEN, BLUE].map((colour) => plain(colour, width, height).ensureAlpha().raw().toBuffer()),
  );
  const raw = { width, height: height * 3, channels: 4, pageHeight: height } as const;
  return sharp(Buffer.concat(frames), { raw });
}
const TIMES = { delay: [50, 150, 1000], loop: 3 };

export const MAX_PIXELS = 1_000_000;

/** What every Renderer does with pixels, of which it takes MAX_PIXELS. */
export function rendererContract(name: string, open: () => Renderer): void {
  describe(`Renderer contract: ${name}`, () => {
    let renderer: Renderer;
    let folder: string;
    let paths = 0;
    beforeAll(async () => {
      folder = await newFolder("renderer");
      renderer = open();
    });
    afterAll(async () => {
      await renderer[Symbol.asyncDispose]();
      await removeFolder(folder);
    });

    const newPath = () => join(folder, String(++paths));
    async function stored(bytes: Buffer): Promise<BlobSource> {
      const path = newPath();
      await writeFile(path, bytes);
      return { path };
    }

    interface Made extends Rendered {
      readonly bytes: Buffer;
      readonly frames: number;
      /** Mean of the pixels around the place, given in parts of the width and height; of one frame. */
      readonly at: (x: number, y: number, frame?: number) => Promise<number[]>;
    }

    async function render(original: Buffer | BlobSource, changes: Partial<ResizedPlan> = {}): Promise<Made> {
      const picture = { ...PICTURE, ...changes };
      const target = newPath();
      const source = Buffer.isBuffer(original) ? await stored(original) : original;
      const rendered = await renderer.render(source, picture, target, never);
      const bytes = readFileSync(target);
      expect(rendered).toEqual({
        contentType: CONTENT_TYPES[picture.format],
        size: bytes.length,
        sha256: sha256(bytes),
      });
      const metadata = await sharp(bytes).metadata();
      const { width, height, pages: frames = 1, pageHeight = height, exif, icc, xmp, orientation } = metadata;
      expect({ width, height: pageHeight, exif, icc, xmp, orientation }).toEqual({
        width: picture.width,
        height: picture.height,
      } as never);
      const at = async (x: number, y: number, page = 0): Promise<number[]> => {
        const [left, top] = [Math.round(x * width - 1), Math.round(y * pageHeight - 1)];
        const region = { left: Math.max(0, left), top: Math.max(0, top), width: 2, height: 2 };
        const piece = await sharp(bytes, { page }).ensureAlpha().extract(region).raw().toBuffer();
        return [0, 1, 2, 3].map((channel) => {
          const values = [0, 1, 2, 3].map((pixel) => piece[pixel * 4 + channel] ?? 0);
          return values.reduce((sum, value) => sum + value) / 4;
        });
      };
      return { ...rendered, bytes, frames, at };
    }

    const originals = {
      jpeg: () => quarters().jpeg({ quality: 95 }),
      png: () => quarters().png(),
      webp: () => quarters().webp({ quality: 95 }),
      gif: () => quarters().gif(),
      avif: () => quarters().avif({ effort: 0, quality: 90 }),
      tiff: () => quarters().tiff(),
    };

    for (const [format, make] of Object.entries(originals)) {
      test(`${format} is converted to every format, from a file and from memory`, async () => {
        const bytes = await make().toBuffer();
        for (const target of VARIANT_FORMATS) {
          const fromFile = await render(bytes, { format: target });
          const fromMemory = await render({ bytes }, { format: target });
          expect(fromMemory.sha256).toBe(fromFile.sha256);
          expectColour(await fromFile.at(0.25, 0.25), RED);
          expectColour(await fromFile.at(0.75, 0.25), GREEN);
          expectColour(await fromFile.at(0.25, 0.75), BLUE);
          expectColour(await fromFile.at(0.75, 0.75), WHITE);
        }
      });
    }

    test("applies every EXIF orientation", async () => {
      for (let orientation = 1; orientation <= 8; orientation++) {
        const upright = orientation < 5 ? quarters() : quarters(80, 120);
        const size = orientation < 5 ? { width: 60, height: 40 } : { width: 40, height: 60 };
        const bytes = await (await storedAs(upright, orientation)).jpeg({ quality: 95 }).toBuffer();
        const { at } = await render(bytes, size);
        const found = await Promise.all([at(0.25, 0.25), at(0.75, 0.25), at(0.25, 0.75), at(0.75, 0.75)]);
        for (const [index, colour] of [RED, GREEN, BLUE, WHITE].entries()) expectColour(found[index] ?? [], colour);
      }
    });

    test("cover crops to the centre or the focal point", async () => {
      const bytes = await quarters(1000, 500).jpeg({ quality: 95 }).toBuffer();
      const square = { width: 100, height: 100, fit: "cover" } as const;
      const middle = await render(bytes, square);
      expectColour(await middle.at(0.3, 0.25), RED);
      expectColour(await middle.at(0.7, 0.75), WHITE);
      const left = await render(bytes, { ...square, crop: { x: 0, y: 0.5 } });
      expectColour(await left.at(0.95, 0.25), RED);
      expectColour(await left.at(0.95, 0.75), BLUE);
      const right = await render(bytes, { ...square, crop: { x: 1, y: 0.5 } });
      expectColour(await right.at(0.05, 0.25), GREEN);
      expectColour(await right.at(0.05, 0.75), WHITE);
    });

    test("the focal point refers to the displayed orientation", async () => {
      const bytes = await (await storedAs(quarters(400, 200), 6)).jpeg({ quality: 95 }).toBuffer();
      const { at } = await render(bytes, { width: 100, height: 100, fit: "cover", crop: { x: 1, y: 0 } });
      expectColour(await at(0.05, 0.25), GREEN);
      expectColour(await at(0.05, 0.75), WHITE);
    });

    test("attention and entropy find the only object of an image", async () => {
      const spot = await quarters(40, 40).png().toBuffer();
      const bytes = await plain(GREY, 400, 100)
        .composite([{ input: spot, left: 340, top: 30 }])
        .png()
        .toBuffer();
      for (const crop of ["attention", "entropy"] as const) {
        const { bytes: found } = await render(bytes, { width: 50, height: 50, fit: "cover", crop });
        const { channels } = await sharp(found).stats();
        expect(channels[0]?.stdev).toBeGreaterThan(20);
      }
    });

    test("contain adds a background and never enlarges", async () => {
      const box = { width: 200, height: 200, fit: "contain" } as const;
      const bytes = await plain(RED, 100, 50).png().toBuffer();
      const transparent = await render(bytes, box);
      expectColour(await transparent.at(0.5, 0.5), RED);
      expectColour(await transparent.at(0.5, 0.3), [0, 0, 0, 0]);
      expectColour(await transparent.at(0.2, 0.5), [0, 0, 0, 0]);
      const coloured = await render(bytes, { ...box, background: "1432d2" });
      expectColour(await coloured.at(0.2, 0.5), [0x14, 0x32, 0xd2]);
      expectColour(await (await render(bytes, { ...box, format: "jpeg" })).at(0.2, 0.5), WHITE);
    });

    test("a background keeps its colour on a greyscale image", async () => {
      const box = { width: 80, height: 80, fit: "contain", background: "dc1e28" } as const;
      const bytes = await plain(GREY, 80, 40).toColourspace("b-w").png().toBuffer();
      expect((await sharp(bytes).metadata()).channels).toBe(1);
      for (const format of VARIANT_FORMATS) {
        const { at } = await render(bytes, { ...box, format });
        expectColour(await at(0.5, 0.1), RED);
        expectColour(await at(0.5, 0.5), GREY);
      }
    });

    test("transparency is kept, or the background shows through it", async () => {
      const bytes = await plain(RED, 120, 80, 0.5).png().toBuffer();
      for (const format of ["png", "webp", "avif"] as const) {
        expectColour(await (await render(bytes, { format })).at(0.5, 0.5), [...RED, 128]);
      }
      expectColour(await (await render(bytes, { format: "jpeg" })).at(0.5, 0.5), halfRed(WHITE));
      expectColour(
        await (await render(bytes, { format: "jpeg", background: "1432d2" })).at(0.5, 0.5),
        halfRed(BLUE),
        12,
      );
    });

    test("colours of any profile and depth are converted to sRGB", async () => {
      const cases = {
        p3: quarters().withIccProfile("p3").jpeg({ quality: 95 }),
        deepP3: deep(quarters()).withIccProfile("p3").png(),
        deep: deep(quarters()).png(),
      };
      for (const image of Object.values(cases)) {
        const { at } = await render(await image.toBuffer());
        expectColour(await at(0.25, 0.25), RED, 8);
        expectColour(await at(0.75, 0.25), GREEN, 8);
        expectColour(await at(0.25, 0.75), BLUE, 8);
      }
    });

    test("a JPEG is as a picture made of all its pixels at every size, from a file and from memory", async () => {
      const photo = detailed(800, 640);
      const whole = await photo.clone().jpeg({ quality: 95 }).toBuffer();
      const odd = await photo.clone().resize(797, 641, { fit: "fill" }).jpeg({ quality: 95 }).toBuffer();
      const turned = await (await storedAs(photo.clone(), 6)).jpeg({ quality: 95 }).toBuffer();
      for (const original of [whole, odd, turned])
        for (const by of [2, 2.5, 4, 5, 8, 10, 15.9, 16, 40]) {
          const size = { width: Math.round(800 / by), height: Math.round(640 / by) };
          const { bytes, sha256: fromFile } = await render(original, { ...size, format: "png" });
          const pixels = await pixelsOf(sharp(original).autoOrient());
          const expected = await pixelsOf(sharp(pixels.data, { raw: pixels }).resize({ ...size, fit: "fill" }));
          // libjpeg leaves out the part of a pixel at an odd edge.
          expect(psnr(await pixelsOf(sharp(bytes)), expected)).toBeGreaterThan(original === odd ? 33 : 40);
          expect((await render({ bytes: original }, { ...size, format: "png" })).sha256).toBe(fromFile);
        }
    });

    test("a JPEG with a profile has the same colours with every fit, beside a background in sRGB", async () => {
      const bytes = await quarters(800, 400).withIccProfile("p3").jpeg({ quality: 95 }).toBuffer();
      const background = "1e32d2";
      for (const [width, height] of [
        [320, 160],
        [150, 40],
        [40, 150],
        [20, 100],
      ] as const)
        for (const fit of ["fill", "cover", "contain"] as const) {
          const made = await render(bytes, { width, height, fit, background });
          const scale = fit === "contain" ? Math.min(width / 800, height / 400) : 1;
          const [x, y] = fit === "contain" ? [(800 * scale) / width / 4, (400 * scale) / height / 4] : [0.25, 0.25];
          expectColour(await made.at(0.5 - x, 0.5 - y), RED, 10);
          expectColour(await made.at(0.5 + x, 0.5 - y), GREEN, 10);
          expectColour(await made.at(0.5 + x, 0.5 + y), WHITE, 10);
          if (fit === "contain" && width !== 2 * height)
            expectColour(await (width > 2 * height ? made.at(0.02, 0.5) : made.at(0.5, 0.02)), BLUE);
        }
    });

    test("blur does not mix frames of an animation", async () => {
      const bytes = await quarters().png().toBuffer();
      const detail = async (blur: number) =>
        (await sharp((await render(bytes, { blur })).bytes).stats()).channels[1]?.stdev ?? 0;
      expect(await detail(20)).toBeLessThan((await detail(0)) * 0.9);
      const moving = await (await animation()).webp({ lossless: true, ...TIMES }).toBuffer();
      const blurred = await render(moving, { format: "webp", blur: 8, quality: 100 });
      expect(blurred.frames).toBe(3);
      for (const [frame, colour] of [RED, GREEN, BLUE].entries()) {
        expectColour(await blurred.at(0.5, 0.05, frame), colour);
        expectColour(await blurred.at(0.5, 0.95, frame), colour);
      }
    });

    test("an animation keeps its frames, delays and loop count", async () => {
      const image = await animation();
      const moving = { gif: await image.gif(TIMES).toBuffer(), webp: await image.webp(TIMES).toBuffer() };
      for (const bytes of Object.values(moving)) {
        for (const fit of ["fill", "cover", "contain"] as const) {
          for (const crop of ["centre", "attention", { x: 0.2, y: 0.9 }] as const) {
            const made = await render(bytes, { format: "webp", width: 50, height: 50, fit, crop });
            const { delay, loop } = await sharp(made.bytes, { animated: true }).metadata();
            expect({ frames: made.frames, delay, loop: loop ?? 0 }).toEqual({ frames: 3, ...TIMES } as never);
            for (const [frame, colour] of [RED, GREEN, BLUE].entries()) {
              expectColour(await made.at(0.5, 0.5, frame), colour, 10);
            }
          }
        }
      }
    });

    test("a still of an animation is its first frame", async () => {
      const bytes = await (await animation()).gif(TIMES).toBuffer();
      for (const format of VARIANT_FORMATS) {
        const still = await render(bytes, { format, animated: false });
        expect(still.frames).toBe(1);
        expectColour(await still.at(0.5, 0.5), RED, 10);
      }
    });

    test("the EXIF orientation of a WebP is ignored, as in browsers", async () => {
      const bytes = await quarters().withMetadata({ orientation: 6 }).webp({ lossless: true }).toBuffer();
      const { at } = await render(bytes, { format: "png" });
      expectColour(await at(0.25, 0.25), RED, 12);
      expectColour(await at(0.75, 0.25), GREEN, 12);
    });

    test("a damaged image shows its decodable part; without one it is invalid_image permanently", async () => {
      const whole = await quarters(400, 300).jpeg().toBuffer();
      const { at } = await render(whole.subarray(0, whole.length / 2), { format: "png" });
      expectColour(await at(0.25, 0.1), RED, 12);
      const headers = whole.indexOf(Buffer.from([0xff, 0xda])) + 14;
      const target = newPath();
      const failed = renderer.render(await stored(whole.subarray(0, headers)), PICTURE, target, never);
      await expectCode(failed, "invalid_image");
      expect(await failed.catch((error: { members: object }) => error.members)).toEqual({
        reason: "undecodable",
      } as never);
      expect(existsSync(target)).toBe(false);
    });

    test("a format that is not accepted is never decoded", async () => {
      const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
      await expectCode(renderer.render({ bytes: svg }, PICTURE, newPath(), never), "invalid_image");
    });

    test("too many pixels, summed over the needed frames, are image_too_large", async () => {
      const large = await plain(RED, 1100, 1000).png().toBuffer();
      await expectCode(renderer.render(await stored(large), PICTURE, newPath(), never), "image_too_large");
      const moving = await (await animation(800, 600)).gif().toBuffer();
      const webp = { ...PICTURE, format: "webp" } as const;
      await expectCode(renderer.render({ bytes: moving }, webp, newPath(), never), "image_too_large");
      expect((await render(moving, { animated: false })).frames).toBe(1);
    });

    test("missing bytes and an unwritable target are unavailable", async () => {
      await expectCode(renderer.render({ path: newPath() }, PICTURE, newPath(), never), "unavailable");
      const bytes = await quarters().png().toBuffer();
      await expectCode(renderer.render({ bytes }, PICTURE, join(newPath(), "in"), never), "unavailable");
    });

    test("an original without its location is rendered to a file", async () => {
      const bytes = await quarters()
        .withExif({ IFD3: { GPSLatitudeRef: "N", GPSLatitude: "51/1 30/1 0/1" } })
        .jpeg()
        .toBuffer();
      const target = newPath();
      const rendered = await renderer.render({ bytes }, { kind: "without-location" }, target, never);
      const written = readFileSync(target);
      expect(rendered).toEqual({ contentType: "image/jpeg", size: written.length, sha256: sha256(written) });
      expect(written.equals(bytes)).toBe(false);
    });

    test("describe runs in the same children", async () => {
      const bytes = await quarters().jpeg().toBuffer();
      const info = {
        contentType: "image/jpeg",
        width: 120,
        height: 80,
        frames: 1,
        hasAlpha: false,
        orientation: 1,
      } as const;
      expect(await renderer.describe({ bytes }, info, never)).toMatchObject({ decodable: true, decodeError: null });
    });
  });
}

function expectColour(found: readonly number[], [...expected]: readonly number[], tolerance = 6): void {
  const near = found.map((value, channel) => {
    const wanted = expected[channel] ?? 255;
    return Math.abs(value - wanted) <= tolerance ? wanted : value;
  });
  expect(near).toEqual(expected.length === 4 ? expected : [...expected, 255]);
}

/** A picture with detail everywhere, the same each time. */
function detailed(width: number, height: number): Sharp {
  let state = 1;
  const pixels = Buffer.from(
    Array.from({ length: 50 * 40 * 3 }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state >>> 24;
    }),
  );
  const raw = { width: 50, height: 40, channels: 3 } as const;
  return sharp(pixels, { raw }).resize(width, height, { fit: "fill", kernel: "cubic" });
}

async function pixelsOf(image: Sharp): Promise<Pixels & { readonly channels: 3 }> {
  const { data, info } = await image.removeAlpha().raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, channels: 3 };
}

const halfRed = (under: Colour): number[] => RED.map((value, channel) => (value + (under[channel] ?? 0)) / 2);

const deep = (image: Sharp): Sharp => image.toColourspace("rgb16");

/** Turned and mirrored so that a reader of the orientation sees it as it was. */
async function storedAs(upright: Sharp, orientation: number): Promise<Sharp> {
  const png = await upright.png().toBuffer();
  const image = sharp(png);
  const undo: Readonly<Record<number, () => Sharp>> = {
    2: () => image.flop(),
    3: () => image.rotate(180),
    4: () => image.flip(),
    5: () => image.flop().rotate(270),
    6: () => image.rotate(270),
    7: () => image.flop().rotate(90),
    8: () => image.rotate(90),
  };
  const pixels = await (undo[orientation]?.() ?? image).png().toBuffer();
  return sharp(pixels).withMetadata({ orientation });
}
