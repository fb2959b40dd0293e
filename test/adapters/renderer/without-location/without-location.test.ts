import { describe, expect, test } from "bun:test";
import readExif from "exif-reader";
import sharp from "sharp";
import {
  type ByteOrder,
  cameraExif,
  type Directory,
  exifBlock,
  exifSegment,
  extendedXmpSegments,
  GPS,
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
import { expectCameraKept, expectStripped, leftOf, pixelsOf, strip, useFolder } from "./without-location.ts";

useFolder();

describe.each<ByteOrder>(["II", "MM"])("strip=location of EXIF in byte order %s", (order) => {
  test("keeps everything but the location in a JPEG, at the same offsets", async () => {
    const image = withSegments(await plainJpeg(), exifSegment(cameraExif(order)));
    const stripped = await expectStripped(image);
    expect(stripped.length).toBe(image.length);
    await expectCameraKept(stripped);
  });

  test("removes the location from a PNG", async () => {
    const png = await plainPng();
    await expectCameraKept(await expectStripped(withChunks(png, pngChunk("eXIf", cameraExif(order)))));
  });

  test("removes the location from a WebP, with and without the JPEG prefix", async () => {
    const webp = await plainWebp();
    for (const block of [cameraExif(order), Buffer.concat([Buffer.from("Exif\0\0"), cameraExif(order)])]) {
      await expectCameraKept(await expectStripped(withWebpChunks(webp, 0x08, ["EXIF", block])));
    }
  });

  test("returns a file without a location unchanged", async () => {
    const block = cameraExif(order, null);
    const images = [
      withSegments(await plainJpeg(), exifSegment(block)),
      withChunks(await plainPng(), pngChunk("eXIf", block), rawProfile("exif", block)),
      withWebpChunks(await plainWebp(), 0x08, ["EXIF", block]),
    ];
    for (const image of images) expect((await strip(image)).equals(image)).toBe(true);
  });
});

test("strip=location removes the location from several blocks, directories and pointers", async () => {
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

test("strip=location removes the location from XMP inside EXIF, or that XMP when it cannot be edited", async () => {
  const jpeg = await plainJpeg();
  const stripped = await expectStripped(withSegments(jpeg, exifSegment(exifBlock("MM", new Map([[0x02bc, XMP]])))));
  expect(stripped.includes("<exif:UserComment>kept</exif:UserComment>")).toBe(true);
  const broken = XMP.replace("</exif:GPSAltitude>", "");
  const wiped = await expectStripped(withSegments(jpeg, exifSegment(exifBlock("MM", new Map([[0x02bc, broken]])))));
  expect(wiped.includes("UserComment")).toBe(false);
});

describe("strip=location of EXIF that cannot be edited", () => {
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

  test("keeps only the orientation when a thumbnail has a location", async () => {
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

  test("overwrites a block that is not EXIF", async () => {
    const stripped = await strip(withSegments(await plainJpeg(), segment(0xe1, "Exif\0\0", "PLANTED")));
    expect(leftOf(stripped)).toEqual([]);
  });
});

const KEPT_OF_XMP = ['photoshop:City="München"', 'exif:FNumber="4/1"', "<exif:UserComment>kept</exif:UserComment>"];

const inLines = (image: Buffer) => (image.toString("base64").match(/.{1,76}/g) ?? []).join("&#xA;");

const holding = (image: Buffer) =>
  `<rdf:Description GImage:Data="${image.toString("base64")}"><xmp:Thumbnails><rdf:Alt><rdf:li>` +
  `<xmpGImg:format>JPEG</xmpGImg:format><xmpGImg:image>${inLines(image)}</xmpGImg:image>` +
  "</rdf:li></rdf:Alt></xmp:Thumbnails></rdf:Description>";

/** What is left of either copy. */
const picturesIn = (stripped: Buffer) =>
  [/GImage:Data="([^"]*)"/, /<xmpGImg:image>([^<]*)</].map((pattern) =>
    (pattern.exec(stripped.toString("latin1"))?.[1] ?? "gone").trim(),
  );

describe("strip=location of XMP", () => {
  const cases: readonly [string, () => Promise<Buffer>][] = [
    ["a JPEG", async () => withSegments(await plainJpeg(), xmpSegment(XMP))],
    [
      "a PNG",
      async () => withChunks(await plainPng(), pngChunk("iTXt", Buffer.from(`XML:com.adobe.xmp\0\0\0\0\0${XMP}`))),
    ],
    ["a WebP", async () => withWebpChunks(await plainWebp(), 0x04, ["XMP ", Buffer.from(XMP)])],
  ];
  test.each(cases)("in %s removes GPS fields in every notation and nothing else", async (_, make) => {
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

  test("removes both of two nested elements with one name", async () => {
    const nested = "<exif:GPSArea>PLANTED<exif:GPSArea>PLANTED</exif:GPSArea><exif:GPSArea/>PLANTED</exif:GPSArea>";
    const packet = XMP.replace("<exif:UserComment>", `${nested}<exif:UserComment>`);
    const stripped = await expectStripped(withSegments(await plainJpeg(), xmpSegment(packet)));
    for (const kept of KEPT_OF_XMP) expect(stripped.includes(kept)).toBe(true);
  });

  test("works on parts that split a tag", async () => {
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

  test("blanks parts of which one is missing", async () => {
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
  ])("with %s blanks the block", async (_, packet) => {
    const data =
      packet.startsWith("\xff") || packet.includes("\0") ? Buffer.from(packet, "latin1") : Buffer.from(packet);
    const image = withWebpChunks(await plainWebp(), 0x04, ["XMP ", data]);
    const stripped = await strip(image);
    expect(leftOf(Buffer.from(stripped.toString("latin1").replaceAll("\0", ""), "latin1"))).toEqual([]);
    expect((await sharp(stripped).metadata()).xmp?.toString().trim()).toBe("");
    expect((await pixelsOf(stripped)).equals(await pixelsOf(image))).toBe(true);
  });

  test("removes the location in W3C, drone and Darwin Core vocabularies under any prefix", async () => {
    const position =
      '<rdf:Description xmlns:ns0="http://www.w3.org/2003/01/geo/wgs84_pos#" ns0:lat="PLANTED" ns0:long="PLANTED">' +
      "<drone-x:Latitude>PLANTED</drone-x:Latitude><dwc:decimalLongitude>PLANTED</dwc:decimalLongitude>" +
      "<dc:title><rdf:Alt><rdf:li>kept</rdf:li></rdf:Alt></dc:title></rdf:Description>";
    const stripped = await expectStripped(withSegments(await plainJpeg(), xmpSegment(position)));
    expect(stripped.includes("<dc:title><rdf:Alt><rdf:li>kept</rdf:li></rdf:Alt></dc:title>")).toBe(true);
  });

  describe("with an embedded picture", () => {
    const located: readonly [string, () => Promise<Buffer>][] = [
      ["a JPEG", async () => withSegments(await plainJpeg(), exifSegment(cameraExif("II")))],
      ["a PNG", async () => withChunks(await plainPng(), pngChunk("eXIf", cameraExif("MM")))],
      ["a WebP", async () => withWebpChunks(await plainWebp(), 0x08, ["EXIF", cameraExif("II")])],
      ["a TIFF", async () => cameraExif("II")],
    ];

    test.each(located)("that has a location (%s) removes the picture", async (_, make) => {
      const packet = holding(await make());
      for (const data of [Buffer.from(packet), Buffer.from(packet, "utf16le")]) {
        const stripped = await strip(withWebpChunks(await plainWebp(), 0x04, ["XMP ", data]));
        if (data.includes(0)) expect((await sharp(stripped).metadata()).xmp?.toString().trim()).toBe("");
        else expect(picturesIn(stripped)).toEqual(["", ""]);
      }
    });

    test("in parts removes it too", async () => {
      const image = await located[0]?.[1]();
      const parts = extendedXmpSegments(holding(image ?? Buffer.alloc(0)), 700);
      const stripped = await strip(withSegments(await plainJpeg(), ...parts));
      const start = (parts[0]?.length ?? 0) - 700;
      const texts = parts.map((part, index) => {
        const at = 2 + parts.slice(0, index).reduce((sum, { length }) => sum + length, 0);
        return stripped.subarray(at + start, at + part.length);
      });
      expect(picturesIn(Buffer.concat(texts))).toEqual(["", ""]);
    });

    test("that has only pixels keeps it", async () => {
      for (const image of [await plainJpeg(), await plainPng(), await plainWebp()]) {
        const whole = withWebpChunks(await plainWebp(), 0x04, ["XMP ", Buffer.from(holding(image))]);
        expect((await strip(whole)).equals(whole)).toBe(true);
      }
    });
  });

  test("returns a file without a location unchanged", async () => {
    const packet = "<x:xmpmeta xmlns:x='adobe:ns:meta/'><a b='GPS logger'/>a > b</x:xmpmeta>";
    const image = withSegments(await plainJpeg(), xmpSegment(packet), ...extendedXmpSegments(packet, 10));
    expect((await strip(image)).equals(image)).toBe(true);
  });
});
