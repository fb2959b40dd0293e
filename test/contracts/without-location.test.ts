import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { inflateSync } from "node:zlib";
import readExif from "exif-reader";
import fc from "fast-check";
import sharp from "sharp";
import { writeWithoutLocation } from "../../src/adapters/renderer/without-location/write-without-location.ts";
import { StoreError } from "../../src/domain/errors.ts";
import {
  type ByteOrder,
  cameraExif,
  type Directory,
  exifBlock,
  exifSegment,
  extendedXmpSegments,
  GPS,
  PLANTED,
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
} from "./fixtures/located-images.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-store-location-"));
});
afterAll(() => rm(folder, { recursive: true }));

let names = 0;
const newPath = () => join(folder, `${names++}`);

/** Once from memory and once from a file: both give the same. */
async function strip(image: Uint8Array): Promise<Buffer> {
  const [source, one, other] = [newPath(), newPath(), newPath()];
  await writeFile(source, image);
  const types = await Promise.all([
    writeWithoutLocation({ bytes: image }, one),
    writeWithoutLocation({ path: source }, other),
  ]);
  expect(types[0]).toBe(types[1]);
  const result = await readFile(one);
  expect(result.equals(await readFile(other))).toBe(true);
  return result;
}

/** What could still tell the place: any of the planted values, in either byte order, or a name of a field. */
function leftOf(image: Buffer): string[] {
  const numbers = [...PLANTED.latitude.slice(1), ...PLANTED.longitude.slice(1), PLANTED.altitude];
  const found = numbers.filter((value) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return image.includes(bytes) || image.includes(bytes.swap32());
  });
  const texts = ["PLANTED", "GPSL", "GPSA", "GpsL"].filter((text) => image.includes(text));
  return [...found.map(String), ...texts];
}

const pixelsOf = (image: Buffer): Promise<Buffer> => sharp(image).raw().toBuffer();

/** The copy has the same pixels, and no location by any reading of it. */
async function expectStripped(image: Buffer): Promise<Buffer> {
  expect(leftOf(image)).not.toEqual([]);
  const stripped = await strip(image);
  expect(leftOf(stripped)).toEqual([]);
  expect((await pixelsOf(stripped)).equals(await pixelsOf(image))).toBe(true);
  const { exif } = await sharp(stripped).metadata();
  if (exif !== undefined) expect(readExif(exif).GPSInfo).toBeUndefined();
  expect((await strip(stripped)).equals(stripped)).toBe(true);
  return stripped;
}

/** Everything that a camera said, but for the place. */
async function expectCameraKept(stripped: Buffer): Promise<void> {
  const { exif } = await sharp(stripped).metadata();
  const { Image, Photo, Thumbnail } = readExif(exif ?? Buffer.alloc(0));
  expect(Image).toMatchObject({ Make: "Acme", Model: "Acme One", Orientation: 6, XPTitle: "after it" });
  expect(Image?.["GPSTag"]).toBeUndefined();
  expect(Photo).toMatchObject({ FNumber: 4, LensModel: "50mm F1.8", OffsetTimeOriginal: "+02:00" });
  expect(Thumbnail).toEqual({ Software: "thumbnailer" });
}

describe.each<ByteOrder>(["II", "MM"])("EXIF in byte order %s", (order) => {
  test("of a JPEG keeps everything but the place, at its place", async () => {
    const image = withSegments(await plainJpeg(), exifSegment(cameraExif(order)));
    const stripped = await expectStripped(image);
    expect(stripped.length).toBe(image.length);
    await expectCameraKept(stripped);
  });

  test("of a PNG", async () => {
    const png = await plainPng();
    await expectCameraKept(await expectStripped(withChunks(png, pngChunk("eXIf", cameraExif(order)))));
  });

  test("of a WebP, with the prefix of a JPEG and without", async () => {
    const webp = await plainWebp();
    for (const block of [cameraExif(order), Buffer.concat([Buffer.from("Exif\0\0"), cameraExif(order)])]) {
      await expectCameraKept(await expectStripped(withWebpChunks(webp, 0x08, ["EXIF", block])));
    }
  });

  test("without a place comes back byte for byte", async () => {
    const block = cameraExif(order, null);
    const images = [
      withSegments(await plainJpeg(), exifSegment(block)),
      withChunks(await plainPng(), pngChunk("eXIf", block), rawProfile("exif", block)),
      withWebpChunks(await plainWebp(), 0x08, ["EXIF", block]),
    ];
    for (const image of images) expect((await strip(image)).equals(image)).toBe(true);
  });
});

test("a place in several blocks, several directories, and behind another pointer goes from all of them", async () => {
  const nested = exifBlock("II", new Map([[0x8769, new Map([[0x8825, GPS]]) as Directory]]), new Map([[0x8825, GPS]]));
  await expectStripped(withSegments(await plainJpeg(), exifSegment(cameraExif("II")), exifSegment(nested)));
});

/** A camera's block with something wrong in it. */
const damaged = (change: (block: Buffer) => void): Buffer => {
  const block = cameraExif("II");
  change(block);
  return block;
};
const entryOf = (block: Buffer, tag: number): number => {
  const at = Array.from({ length: block.readUInt16LE(8) }, (_, index) => 10 + 12 * index);
  return at.find((entry) => block.readUInt16LE(entry) === tag) ?? Number.NaN;
};

const gpsOf = (block: Buffer): number => block.readUInt32LE(entryOf(block, 0x8825) + 8);

describe("EXIF that cannot be edited", () => {
  test.each<[string, (block: Buffer) => void]>([
    ["a value of the place in another field's", (block) => block.writeUInt32LE(10, gpsOf(block) + 2 + 12 + 8)],
    ["the place where the other fields are", (block) => block.writeUInt32LE(8, entryOf(block, 0x8825) + 8)],
    ["a pointer that is none", (block) => block.writeUInt16LE(3, entryOf(block, 0x8825) + 2)],
    ["a directory longer than the block", (block) => block.writeUInt16LE(900, gpsOf(block))],
    ["a type of value that nobody knows", (block) => block.writeUInt16LE(77, gpsOf(block) + 2 + 12 + 2)],
  ])("%s leaves the orientation", async (_, change) => {
    const image = withSegments(await plainJpeg(), exifSegment(damaged(change)));
    const stripped = await strip(image);
    expect(leftOf(stripped)).toEqual([]);
    expect(stripped.length).toBe(image.length);
    const metadata = await sharp(stripped).metadata();
    expect(metadata.orientation).toBe(6);
    expect(readExif(metadata.exif ?? Buffer.alloc(0)).Image).toEqual({ Orientation: 6 });
  });

  test("a thumbnail with a place of its own leaves the orientation", async () => {
    const thumbnail = withSegments(await plainJpeg(), exifSegment(cameraExif("II")));
    const block = exifBlock(
      "II",
      new Map([[0x0112, { short: 3 }]]),
      new Map([
        [0x0201, new Map()],
        [0x0202, new Map()],
      ]),
    );
    const next = block.readUInt32LE(8 + 2 + 12);
    block.writeUInt32LE(block.length, next + 2 + 8);
    block.writeUInt32LE(thumbnail.length, next + 2 + 12 + 8);
    const stripped = await expectStripped(
      withSegments(await plainJpeg(), exifSegment(Buffer.concat([block, thumbnail]))),
    );
    expect((await sharp(stripped).metadata()).orientation).toBe(3);
  });

  test("what is no EXIF at all is wiped", async () => {
    const stripped = await strip(withSegments(await plainJpeg(), segment(0xe1, "Exif\0\0", "PLANTED")));
    expect(leftOf(stripped)).toEqual([]);
  });
});

const KEPT_OF_XMP = ['photoshop:City="München"', 'exif:FNumber="4/1"', "<exif:UserComment>kept</exif:UserComment>"];

describe("XMP", () => {
  const cases: readonly [string, () => Promise<Buffer>][] = [
    ["a JPEG", async () => withSegments(await plainJpeg(), xmpSegment(XMP))],
    [
      "a PNG",
      async () => withChunks(await plainPng(), pngChunk("iTXt", Buffer.from(`XML:com.adobe.xmp\0\0\0\0\0${XMP}`))),
    ],
    ["a WebP", async () => withWebpChunks(await plainWebp(), 0x04, ["XMP ", Buffer.from(XMP)])],
  ];
  test.each(cases)("of %s loses fields of GPS in every notation, and nothing else", async (_, make) => {
    const image = await make();
    const stripped = await expectStripped(image);
    expect(stripped.length).toBe(image.length);
    for (const kept of KEPT_OF_XMP) expect(stripped.includes(kept)).toBe(true);
    const packet = (await sharp(stripped).metadata()).xmp?.toString() ?? "";
    expect(packet.replaceAll(/\s+/g, "")).toBe(
      XMP.replaceAll(/\sexif:GPS\w+=("[^"]*"|'[^']*')/g, "")
        .replaceAll(/<(exif:GPS\w+|drone-dji:Gps\w+)( [^>]*)?>.*?<\/\1>|<exif:GPSTimeStamp\/>/g, "")
        .replaceAll(/\s+/g, ""),
    );
  });

  test("in parts that cut through a tag", async () => {
    const jpeg = await plainJpeg();
    const parts = extendedXmpSegments(XMP, 97);
    const stripped = await expectStripped(withSegments(jpeg, ...parts));
    await expectStripped(withSegments(jpeg, ...parts.toReversed()));
    const start = (parts[0]?.length ?? 0) - 97;
    const whole = parts.map((part, index) => {
      const at = 2 + parts.slice(0, index).reduce((sum, { length }) => sum + length, 0);
      return stripped.subarray(at + start, at + part.length);
    });
    const packet = Buffer.concat(whole);
    expect(leftOf(packet)).toEqual([]);
    for (const kept of KEPT_OF_XMP) expect(packet.includes(kept)).toBe(true);
  });

  test("in parts of which one is missing is blank", async () => {
    const parts = extendedXmpSegments(XMP, 97).filter((_, index) => index !== 2);
    const stripped = await expectStripped(withSegments(await plainJpeg(), ...parts));
    expect(stripped.includes("UserComment")).toBe(false);
  });

  test.each([
    ["an element that does not end", XMP.replace("</exif:GPSAltitude>", "")],
    ["an attribute without an end", XMP.replace('PLANTEDN"', "PLANTEDN")],
    ["a document type", `<!DOCTYPE x [<!ENTITY y "exif:GPSLatitude">]>${XMP}`],
    ["a comment that says it", `${XMP}<!-- exif:GPSLatitude="PLANTED" -->`],
    ["text that quotes it", XMP.replace("kept", "&lt;exif:GPSLatitude&gt;PLANTED")],
    ["an encoding of two bytes", Buffer.from(XMP, "utf16le").toString("latin1")],
  ])("with %s is blank", async (_, packet) => {
    const data =
      packet.startsWith("\xff") || packet.includes("\0") ? Buffer.from(packet, "latin1") : Buffer.from(packet);
    const image = withWebpChunks(await plainWebp(), 0x04, ["XMP ", data]);
    const stripped = await strip(image);
    expect(leftOf(Buffer.from(stripped.toString("latin1").replaceAll("\0", ""), "latin1"))).toEqual([]);
    expect((await sharp(stripped).metadata()).xmp?.toString().trim()).toBe("");
    expect((await pixelsOf(stripped)).equals(await pixelsOf(image))).toBe(true);
  });

  test("without a place comes back byte for byte", async () => {
    const packet = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><a b='GPS logger'/>a > b</x:xmpmeta>";
    const image = withSegments(await plainJpeg(), xmpSegment(packet), ...extendedXmpSegments(packet, 10));
    expect((await strip(image)).equals(image)).toBe(true);
  });
});

describe("a JPEG", () => {
  test("of several pictures loses the place of each, at the same offsets", async () => {
    const primary = withSegments(await plainJpeg(), exifSegment(cameraExif("MM")), segment(0xe2, "MPF\0", "index"));
    const second = withSegments(await plainJpeg(), exifSegment(cameraExif("II")), xmpSegment(XMP));
    const image = Buffer.concat([primary, Buffer.alloc(300), second, second, Buffer.alloc(5)]);
    const stripped = await expectStripped(image);
    expect(stripped.length).toBe(image.length);
    const inside = stripped.subarray(primary.length + 300, primary.length + 300 + second.length);
    expect((await pixelsOf(inside)).equals(await pixelsOf(second))).toBe(true);
    await expectCameraKept(inside);
  });

  test("loses what stands behind the pictures, such as a video", async () => {
    const jpeg = withSegments(await plainJpeg(), exifSegment(cameraExif("II")));
    const stripped = await expectStripped(Buffer.concat([jpeg, Buffer.from("\0\0\0\x18ftypmp42 PLANTED")]));
    expect(stripped.length).toBe(jpeg.length);
  });

  test("loses comments and other segments that name the place, and no others", async () => {
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

  test("that is cut off loses what it has", async () => {
    const image = withSegments(await plainJpeg(), exifSegment(cameraExif("II")));
    for (let length = 4; length < 500; length += 7) {
      expect(leftOf(await strip(image.subarray(0, length)))).toEqual([]);
    }
  });

  test("with a segment between its scans loses it there", async () => {
    const jpeg = await sharp(await plainPng())
      .jpeg({ progressive: true })
      .toBuffer();
    const scan = jpeg.lastIndexOf(Buffer.from([0xff, 0xda]));
    const image = Buffer.concat([jpeg.subarray(0, scan), exifSegment(cameraExif("II")), jpeg.subarray(scan)]);
    await expectStripped(image);
  });
});

describe("a PNG", () => {
  test("loses a place in profiles as text", async () => {
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

  test("loses texts that name it, those that cannot be read, and what stands behind", async () => {
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

  test("keeps other texts, and chunks that nobody knows", async () => {
    const kept = [pngChunk("tEXt", "Comment\0kept"), pngChunk("tEXt", "broken"), pngChunk("abCd", "kept")];
    const image = withChunks(await plainPng(), ...kept, rawProfile("iptc", Buffer.from("kept")));
    expect((await strip(image)).equals(image)).toBe(true);
  });

  test("that is cut off loses what it has", async () => {
    const image = withChunks(await plainPng(), pngChunk("eXIf", cameraExif("II")));
    for (let length = 8; length < 600; length += 7) {
      if (length >= 12) expect(leftOf(await strip(image.subarray(0, length)))).toEqual([]);
    }
  });
});

test("a WebP loses chunks that name the place, and what stands behind the last", async () => {
  const image = withWebpChunks(await plainWebp(), 0, ["ABCD", Buffer.from("GPSLatitude PLANTED")]);
  const stripped = await expectStripped(Buffer.concat([image, Buffer.from("PLANTED")]));
  expect(stripped.length).toBe(image.length);
});

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => "nothing",
    (error: unknown) => (error instanceof StoreError ? error.code : String(error)),
  );

describe("what cannot be done", () => {
  test("another format is invalid_image, a missing file unavailable, and no target is left", async () => {
    const target = newPath();
    const gif = await sharp(await plainPng())
      .gif()
      .toBuffer();
    expect(await codeOf(writeWithoutLocation({ bytes: gif }, target))).toBe("invalid_image");
    expect(await codeOf(writeWithoutLocation({ path: newPath() }, target))).toBe("unavailable");
    expect(existsSync(target)).toBe(false);
  });

  test("metadata without measure is invalid_image", async () => {
    const image = withWebpChunks(await plainWebp(), 0x04, ["XMP ", Buffer.alloc(17 * 2 ** 20, " ")]);
    const target = newPath();
    expect(await codeOf(writeWithoutLocation({ bytes: image }, target))).toBe("invalid_image");
    expect(existsSync(target)).toBe(false);
  });
});

test("any damage ends with a copy or invalid_image", async () => {
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

const CORPORA = resolve(process.env["IMAGE_STORE_CORPORA"] ?? join(import.meta.dir, "../../../shared/corpora"));
const isThere = existsSync(join(CORPORA, "valid"));
if (!isThere) console.warn(`SKIPPED: the corpora of images are not in ${CORPORA} (IMAGE_STORE_CORPORA).`);

test.skipIf(!isThere)(
  "files of the corpora, none of which says where it was taken, come back byte for byte",
  async () => {
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
  },
);

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
