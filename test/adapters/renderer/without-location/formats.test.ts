import { describe, expect, test } from "bun:test";
import sharp from "sharp";
import { openTiffBlock } from "../../../../src/adapters/renderer/exif/directories.ts";
import { cameraExif } from "../located-images.ts";
import { expectStripped, leftOf, pixelsOf, strip, useFolder } from "./without-location.ts";

useFolder();

const XMP =
  '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description ' +
  'rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" exif:GPSLatitude="48,51N PLANTED"/></rdf:RDF></x:xmpmeta>';
const plain = () => sharp({ create: { width: 40, height: 30, channels: 3, background: "#369" } });

/** A TIFF file that is the EXIF block of a camera, with a picture of one grey strip in its first directory. */
function tiffOf(block: Buffer, littleEndian: boolean): Buffer {
  const tiff = openTiffBlock(Buffer.from(block));
  const entries = tiff?.directory(tiff.first)?.entries ?? [];
  const pixels = Buffer.alloc(40 * 30, 0x55);
  const count = entries.length + 8;
  const table = Buffer.alloc(2 + count * 12 + 4);
  const at = block.length + (block.length % 2);
  const u16 = (value: number, to: number) =>
    littleEndian ? table.writeUInt16LE(value, to) : table.writeUInt16BE(value, to);
  const u32 = (value: number, to: number) =>
    littleEndian ? table.writeUInt32LE(value, to) : table.writeUInt32BE(value, to);
  const own: readonly (readonly [tag: number, value: number])[] = [
    [0x0100, 40],
    [0x0101, 30],
    [0x0102, 8],
    [0x0103, 1],
    [0x0106, 1],
    [0x0111, at + table.length],
    [0x0116, 30],
    [0x0117, pixels.length],
  ];
  const rows = [
    ...entries.map((entry) => ({
      tag: entry.tag,
      write: (to: number) => block.copy(table, to, entry.position, entry.position + 12),
    })),
    ...own.map(([tag, value]) => ({
      tag,
      write(to: number) {
        u16(tag, to);
        u16(4, to + 2);
        u32(1, to + 4);
        u32(value, to + 8);
      },
    })),
  ].toSorted((one, other) => one.tag - other.tag);
  u16(count, 0);
  for (const [index, row] of rows.entries()) row.write(2 + index * 12);
  const head = Buffer.alloc(at);
  block.copy(head);
  if (littleEndian) head.writeUInt32LE(at, 4);
  else head.writeUInt32BE(at, 4);
  return Buffer.concat([head, table, pixels]);
}

const comment = (text: string): Buffer =>
  Buffer.concat([Buffer.from([0x21, 0xfe, text.length]), Buffer.from(text), Buffer.from([0])]);

const box = (type: string, body: Uint8Array) => {
  const bytes = Buffer.alloc(8 + body.length);
  bytes.writeUInt32BE(bytes.length);
  bytes.write(type, 4, "latin1");
  bytes.set(body, 8);
  return bytes;
};

describe("strip=location of other formats", () => {
  test.each(["II", "MM"] as const)("removes the GPS directory of a TIFF in byte order %s", async (order) => {
    const image = tiffOf(cameraExif(order), order === "II");
    const stripped = await expectStripped(image);
    expect(stripped.length).toBe(image.length);
    expect(stripped.includes("Acme One")).toBe(true);
  });

  test("refuses a TIFF whose GPS directory overlaps its pixels", async () => {
    const image = tiffOf(cameraExif("II"), true);
    const offsets = image.indexOf(Buffer.from([0x11, 0x01, 4, 0, 1, 0, 0, 0]));
    image.writeUInt32LE(8, offsets + 8);
    expect(await strip(image).catch((error: { code: string }) => error.code)).toBe("invalid_image");
  });

  test("removes the location in a GIF's XMP and the comments that mention it", async () => {
    const gif = await plain().gif().toBuffer();
    const magic = Buffer.from([1, ...Array.from({ length: 256 }, (_, index) => 255 - index), 0]);
    const xmp = Buffer.concat([Buffer.from("21ff0b", "hex"), Buffer.from("XMP DataXMP"), Buffer.from(XMP), magic]);
    const end = gif.length - 1;
    const image = Buffer.concat([
      gif.subarray(0, end),
      xmp,
      comment("A boat"),
      comment("GPSLatitude 48 PLANTED"),
      gif.subarray(end),
    ]);
    const stripped = await expectStripped(image);
    const withTail = Buffer.concat([image, Buffer.from("PLANTED behind the trailer")]);
    expect((await strip(withTail)).equals(stripped)).toBe(true);
    expect(stripped.includes("A boat")).toBe(true);
    expect(stripped.includes("rdf:Description")).toBe(true);
  });

  test("removes the location in an AVIF's EXIF, XMP and vendor boxes", async () => {
    const exif = cameraExif("MM");
    const avif = await plain().withXmp(XMP).avif({ effort: 0 }).toBuffer();
    const uuid = Buffer.concat([Buffer.from("be7acfcb97a942e89c71999491e3afac", "hex"), Buffer.from(XMP)]);
    const image = Buffer.concat([avif, box("uuid", uuid), box("mpvd", exif), Buffer.from("PLANTED")]);
    expect(leftOf(avif)).not.toEqual([]);
    const stripped = await strip(image);
    expect(leftOf(stripped)).toEqual([]);
    expect((await pixelsOf(stripped)).equals(await pixelsOf(avif))).toBe(true);
  });

  test("recognises GeoRSS under any prefix", async () => {
    const xmp = XMP.replace(
      'exif:GPSLatitude="48,51N PLANTED"/>',
      'xmlns:g="http://www.georss.org/georss"><g:point>48 PLANTED</g:point></rdf:Description>',
    );
    const stripped = await strip(await plain().withXmp(xmp).png().toBuffer());
    expect(leftOf(stripped)).toEqual([]);
  });
});
