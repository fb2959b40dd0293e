import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { inflateSync } from "node:zlib";
import fc from "fast-check";
import sharp from "sharp";
import { writeWithoutLocation } from "../../../../src/adapters/renderer/without-location/write-without-location.ts";
import { StoreError } from "../../../../src/domain/errors.ts";
import { CORPORA, hasCorpora } from "../../../corpora.ts";
import {
  cameraExif,
  exifSegment,
  extendedXmpSegments,
  plainJpeg,
  plainPng,
  plainWebp,
  pngChunk,
  rawProfile,
  segment,
  withChunks,
  withSegments,
  withWebpChunks,
  XMP,
  xmpSegment,
} from "../located-images.ts";
import { expectCameraKept, expectStripped, leftOf, newPath, pixelsOf, strip, useFolder } from "./without-location.ts";

useFolder();

describe("strip=location of a JPEG", () => {
  test("removes the location of each embedded picture and keeps the offsets", async () => {
    const primary = withSegments(await plainJpeg(), exifSegment(cameraExif("MM")), segment(0xe2, "MPF\0", "index"));
    const second = withSegments(await plainJpeg(), exifSegment(cameraExif("II")), xmpSegment(XMP));
    const image = Buffer.concat([primary, Buffer.alloc(300), second, second, Buffer.alloc(5)]);
    const stripped = await expectStripped(image);
    expect(stripped.length).toBe(image.length);
    const inside = stripped.subarray(primary.length + 300, primary.length + 300 + second.length);
    expect((await pixelsOf(inside)).equals(await pixelsOf(second))).toBe(true);
    await expectCameraKept(inside);
  });

  test("removes trailing data such as a video", async () => {
    const jpeg = withSegments(await plainJpeg(), exifSegment(cameraExif("II")));
    const stripped = await expectStripped(Buffer.concat([jpeg, Buffer.from("\0\0\0\x18ftypmp42 PLANTED")]));
    expect(stripped.length).toBe(jpeg.length);
  });

  test("removes comments and segments that contain a location, and no others", async () => {
    const jpeg = await plainJpeg();
    const others = [segment(0xfe, "a comment"), segment(0xed, "Photoshop 3.0\0", "8BIM\x04\x04"), segment(0xe2, "ICC")];
    const naming = [
      segment(0xfe, "GPSLatitude: PLANTED"),
      segment(0xeb, '{"exif:GPSLongitude":"PLANTED"}'),
      segment(0xed, "Photoshop 3.0\0", "8BIM\x04\x22\0\0PLANTED"),
    ];
    const stripped = await expectStripped(withSegments(jpeg, ...others, ...naming));
    for (const kept of others) expect(stripped.includes(kept)).toBe(true);
  });

  test("works on a truncated file", async () => {
    const image = withSegments(await plainJpeg(), exifSegment(cameraExif("II")));
    for (let length = 4; length < 500; length += 7) {
      expect(leftOf(await strip(image.subarray(0, length)))).toEqual([]);
    }
  });

  test("removes a segment between scans", async () => {
    const jpeg = await sharp(await plainPng())
      .jpeg({ progressive: true })
      .toBuffer();
    const scan = jpeg.lastIndexOf(Buffer.from([0xff, 0xda]));
    const image = Buffer.concat([jpeg.subarray(0, scan), exifSegment(cameraExif("II")), jpeg.subarray(scan)]);
    await expectStripped(image);
  });
});

const resource = (id: number, data: Buffer) =>
  Buffer.concat([Buffer.from("8BIM"), Buffer.from([id >> 8, id & 0xff, 0, 0, 0, 0, 0, data.length]), data]);

describe("strip=location of a PNG", () => {
  test("removes the location from profiles stored as text", async () => {
    const png = await plainPng();
    const exif = cameraExif("II");
    const prefixed = Buffer.concat([Buffer.from("Exif\0\0"), exif]);
    const signed = Buffer.concat([Buffer.from("http://ns.adobe.com/xap/1.0/\0"), Buffer.from(XMP)]);
    const chunks = [rawProfile("exif", prefixed), rawProfile("APP1", exif), rawProfile("xmp", Buffer.from(XMP))];
    const stripped = await strip(withChunks(png, ...chunks, rawProfile("APP1", signed)));
    const profiles = unpackedProfiles(stripped);
    expect(profiles).toHaveLength(4);
    expect(profiles.flatMap(leftOf)).toEqual([]);
    expect(profiles.map((profile) => profile.includes("Acme One") || profile.includes("UserComment"))).toEqual(
      Array<boolean>(4).fill(true),
    );
    expect((await pixelsOf(stripped)).equals(await pixelsOf(png))).toBe(true);
  });

  test("removes texts with a location, unreadable texts, and trailing data", async () => {
    const png = await plainPng();
    const bomb = pngChunk("zTXt", Buffer.from("Comment\0\0PLANTED", "latin1"));
    const image = Buffer.concat([
      withChunks(
        png,
        pngChunk("tEXt", "exif:GPSLatitude\0 48/1, PLANTED"),
        pngChunk("iTXt", "Comment\0\0\0\0\0GPSLatitude PLANTED"),
        pngChunk("iTXt", "PLANTED\0"),
        pngChunk("caBX", "exif:GPSLatitude PLANTED"),
        pngChunk("zTXt", "Raw profile type exif\0\0PLANTED"),
        pngChunk("tEXt", "Raw profile type exif\0no digits PLANTED"),
        bomb,
      ),
      Buffer.from("PLANTED"),
    ]);
    expect((await expectStripped(image)).equals(png)).toBe(true);
  });

  test("removes Photoshop profiles that contain EXIF or XMP", async () => {
    const png = await plainPng();
    const profiles = [
      rawProfile("8bim", resource(0x0422, cameraExif("II").subarray(0, 250))),
      rawProfile("8bim", resource(0x0424, Buffer.from("<x/>"))),
      rawProfile("generic", Buffer.from(XMP)),
    ];
    for (const profile of profiles) expect((await strip(withChunks(png, profile))).equals(png)).toBe(true);
  });

  test("keeps other texts and unknown chunks", async () => {
    const kept = [pngChunk("tEXt", "Comment\0kept"), pngChunk("tEXt", "broken"), pngChunk("abCd", "kept")];
    const profiles = [rawProfile("iptc", Buffer.from("kept")), rawProfile("8bim", Buffer.from("8BIM\x04\x04kept"))];
    const image = withChunks(await plainPng(), ...kept, ...profiles);
    expect((await strip(image)).equals(image)).toBe(true);
  });

  test("works on a truncated file", async () => {
    const image = withChunks(await plainPng(), pngChunk("eXIf", cameraExif("II")));
    for (let length = 8; length < 600; length += 7) {
      if (length >= 12) expect(leftOf(await strip(image.subarray(0, length)))).toEqual([]);
    }
  });
});

test("strip=location of a WebP removes chunks with a location and trailing data", async () => {
  const image = withWebpChunks(await plainWebp(), 0, ["ABCD", Buffer.from("GPSLatitude PLANTED")]);
  const stripped = await expectStripped(Buffer.concat([image, Buffer.from("PLANTED")]));
  expect(stripped.length).toBe(image.length);
});

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "nothing",
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );

describe("strip=location errors", () => {
  test("another format is invalid_image, a missing file is unavailable, and no target is left", async () => {
    const target = newPath();
    const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
    expect(await codeOf(writeWithoutLocation({ bytes: svg }, target))).toBe("invalid_image");
    expect(await codeOf(writeWithoutLocation({ path: newPath() }, target))).toBe("unavailable");
    expect(existsSync(target)).toBe(false);
  });

  test("an existing target is not overwritten", async () => {
    const target = newPath();
    await Bun.write(target, "somebody else's");
    expect(await codeOf(writeWithoutLocation({ bytes: await plainPng() }, target))).toContain("EEXIST");
    expect(await Bun.file(target).text()).toBe("somebody else's");
  });

  test("oversized metadata is invalid_image", async () => {
    const image = withWebpChunks(await plainWebp(), 0x04, ["XMP ", Buffer.alloc(17 * 2 ** 20, " ")]);
    const target = newPath();
    expect(await codeOf(writeWithoutLocation({ bytes: image }, target))).toBe("invalid_image");
    expect(existsSync(target)).toBe(false);
  });
});

test("strip=location of damaged bytes ends with a copy or invalid_image", async () => {
  const exif = cameraExif("II");
  const originals = [
    withSegments(await plainJpeg(), exifSegment(exif), xmpSegment(XMP), ...extendedXmpSegments(XMP, 300)),
    withChunks(await plainPng(), pngChunk("eXIf", exif), rawProfile("exif", exif), pngChunk("iTXt", "a\0\0\0\0\0b")),
    withWebpChunks(await plainWebp(), 0x0c, ["EXIF", exif], ["XMP ", Buffer.from(XMP)]),
  ];
  const damage = fc.record({
    original: fc.constantFrom(...originals),
    cut: fc.option(fc.nat()),
    changes: fc.array(fc.tuple(fc.nat({ max: 3000 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(damage, async ({ original, cut, changes }) => {
      const bytes = Buffer.from(original).subarray(0, cut === null ? undefined : cut % (original.length + 1));
      for (const [offset, value] of changes) if (offset < bytes.length) bytes[offset] = value;
      const target = newPath();
      try {
        await writeWithoutLocation({ bytes }, target);
      } catch (error) {
        expect((error as StoreError).code).toBe("invalid_image");
        return;
      }
      expect(statSync(target).size).toBeLessThanOrEqual(bytes.length + 1000);
      await rm(target);
    }),
    { numRuns: Number(process.env["IMAGE_STORE_TEST_RUNS"] ?? 300) },
  );
});

test.skipIf(!hasCorpora)("strip=location returns corpus files without a location unchanged", async () => {
  const files = readdirSync(join(CORPORA, "valid"), { recursive: true }) as string[];
  const images = files.filter((name) => /\.(jpe?g|png|webp)$/.test(name));
  expect(images.length).toBeGreaterThan(200);
  const changed: string[] = [];
  for (const name of images) {
    const bytes = readFileSync(join(CORPORA, "valid", name));
    const target = newPath();
    const copied = await writeWithoutLocation({ bytes }, target).catch((error: StoreError) => error.code);
    if (!copied.startsWith("image/") || !bytes.equals(readFileSync(target))) changed.push(`${copied} ${name}`);
    await rm(target, { force: true });
  }
  expect(changed.filter((name) => !/pngsuite\/x/.test(name))).toEqual([]);
});

/** The profiles of ImageMagick's kind that a PNG has, as bytes. */
function unpackedProfiles(png: Buffer): Buffer[] {
  const profiles: Buffer[] = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    const data = png.subarray(at + 8, at + 8 + png.readUInt32BE(at));
    if (png.toString("latin1", at + 4, at + 8) !== "zTXt") continue;
    const text = inflateSync(data.subarray(data.indexOf(0) + 2)).toString("latin1");
    profiles.push(Buffer.from(text.replace(/^\s*\S+\s+\d+\s+/, "").replaceAll(/\s/g, ""), "hex"));
  }
  return profiles;
}
