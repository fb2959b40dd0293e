import { crc32 } from "node:zlib";
import { type BoundedReader, Unusual } from "../bounded-reader.ts";
import type { ByteReader } from "../byte-reader.ts";
import { type Chromaticities, colourSpaceOf, type EncodedColour, type Point } from "../colour/code-points.ts";
import { eraseFromExif } from "../without-location/exif.ts";
import { hasForeignResources, mentionsLocation, type Patch } from "../without-location/patch.ts";
import { eraseFromXmp } from "../without-location/xmp.ts";
import type { EncodingCodec, Header } from "./codec.ts";
import { parseText, writeText } from "./png-text.ts";

export const png: EncodingCodec = {
  recognises: (start) => start.startsWith("\x89PNG\r\n\x1a\n"),
  loader: "Png",
  isDecodedAs: ({ format }) => format === "png",
  readHeader,
  followsExif: true,
  // Its warnings are about metadata only.
  warnsOfDamage: false,
  prepare: (original) => ({ colour: colourSpaceOf(readColour(original)) }),
  withoutLocation: patchChunks,
  encode: (image) => image.png(),
};

const PALETTE = 3;
/** Bit depths by colour type. */
const BIT_DEPTHS = new Map([
  [0, [1, 2, 4, 8, 16]],
  [2, [8, 16]],
  [PALETTE, [1, 2, 4, 8]],
  [4, [8, 16]],
  [6, [8, 16]],
]);
const MAX_SIDE = 0x7fffffff;
/** Libraries read damaged chunks of these types differently. */
const CHECKED = new Set(["PLTE", "tRNS"]);
/** A reader must not skip a chunk that is neither known nor ancillary (W3C PNG, 5.4). */
const PASSABLE = /^(PLTE|IDAT|[a-z][A-Za-z]{3})$/;

/** W3C PNG, 11: chunks up to the first of the image data. An animated one counts as its first frame, as decoders see it. */
function readHeader(file: BoundedReader): Header {
  if (file.uint32(8) !== 13 || file.ascii(12, 4) !== "IHDR") throw new Unusual();
  requireChecksum(file, 8, 13);
  const [width, height] = [file.uint32(16), file.uint32(20)];
  const [bitDepth, colourType] = [file.uint8(24), file.uint8(25)];
  const isPlain = file.uint8(26) === 0 && file.uint8(27) === 0 && file.uint8(28) <= 1;
  if (!isPlain || BIT_DEPTHS.get(colourType)?.includes(bitDepth) !== true) throw new Unusual();
  if (width < 1 || width > MAX_SIDE || height < 1 || height > MAX_SIDE) throw new Unusual();

  const seen = new Set<string>();
  let offset = 33;
  for (let type = ""; type !== "IDAT"; ) {
    const length = file.uint32(offset);
    type = file.ascii(offset + 4, 4);
    // EXIF is rare in PNG and stored in two ways, which decoders read differently.
    if (type === "eXIf" || type === "zTXt" || !PASSABLE.test(type)) throw new Unusual();
    if (CHECKED.has(type)) {
      if (seen.has(type)) throw new Unusual();
      requireChecksum(file, offset, length);
    }
    seen.add(type);
    offset += 12 + length;
  }
  if (offset > file.size || (colourType === PALETTE && !seen.has("PLTE"))) throw new Unusual();
  return { width, height, frames: 1, hasAlpha: colourType >= 4 || seen.has("tRNS"), orientation: 1 };
}

function requireChecksum(file: BoundedReader, offset: number, length: number): void {
  const checksum = Bun.hash.crc32(file.bytes(offset + 4, length + 4));
  if (file.uint32(offset + 8 + length) !== checksum) throw new Unusual();
}

const MAX_CHUNKS = 10_000;

/** What chunks say of the colours, the strongest first (W3C PNG, 4.3): cICP, a profile, sRGB, gAMA with cHRM. */
function readColour(file: ByteReader): EncodedColour | undefined {
  const found = new Map<string, Buffer>();
  for (let offset = 8, chunks = 0; offset + 12 <= file.size && chunks < MAX_CHUNKS; chunks++) {
    const header = file.read(offset, offset + 8);
    const [length, type] = [header.readUInt32BE(), header.toString("latin1", 4, 8)];
    if (type === "IDAT") break;
    if (["cICP", "gAMA", "cHRM"].includes(type) && length <= 32)
      found.set(type, file.read(offset + 8, offset + 8 + length));
    else if (type === "iCCP" || type === "sRGB") found.set(type, Buffer.alloc(0));
    offset += 12 + length;
  }
  const cicp = found.get("cICP");
  if (cicp?.length === 4) return { primaries: cicp[0] ?? 2, transfer: cicp[1] ?? 2 };
  const [gama, chrm] = [found.get("gAMA"), found.get("cHRM")];
  if (found.has("iCCP") || found.has("sRGB") || gama?.length !== 4) return undefined;
  const gamma = gama.readUInt32BE() / 100_000;
  if (gamma < 0.01 || gamma > 100) return undefined;
  return { gamma, chromaticities: chrm?.length === 32 ? readChromaticities(chrm) : undefined };
}

function readChromaticities(chrm: Buffer): Chromaticities | undefined {
  const point = (index: number): Point => [
    chrm.readUInt32BE(index * 8) / 100_000,
    chrm.readUInt32BE(index * 8 + 4) / 100_000,
  ];
  const all = [point(1), point(2), point(3), point(0)] as const;
  return all.every(([x, y]) => x <= 1 && y > 0 && y <= 1) ? all : undefined;
}

/** Chunks with nothing but pixels and how to show them (W3C PNG, 11); an animation's frames are in two of them. */
const PIXELS = new Set(
  "IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT tIME acTL fcTL fdAT".split(" "),
);
const TEXTS = new Set(["tEXt", "zTXt", "iTXt"]);
const NOTHING = new Uint8Array();

/** Chunks may change their lengths: no offsets refer to them. Data behind the last chunk is removed. */
function patchChunks(original: ByteReader): readonly Patch[] {
  const patches: Patch[] = [];
  for (let offset = 8; offset < original.size; ) {
    const header = original.read(offset, offset + 8);
    const length = header.length < 8 ? Number.POSITIVE_INFINITY : header.readUInt32BE();
    const type = header.toString("latin1", 4, 8);
    const [start, end] = [offset, offset + 12 + length];
    if (end > original.size) {
      // Pixels that are cut off can be shown; other chunks that are cut off have no use.
      if (!PIXELS.has(type)) patches.push({ start, end: original.size, bytes: NOTHING });
      break;
    }
    offset = end;
    if (type === "IEND") {
      if (end < original.size) patches.push({ start: end, end: original.size, bytes: NOTHING });
      break;
    }
    if (PIXELS.has(type)) continue;
    const before = original.read(start + 8, end - 4);
    const after = eraseLocation(type, before);
    if (after === undefined) patches.push({ start, end, bytes: NOTHING });
    else if (!after.equals(before)) patches.push({ start, end, bytes: writeChunk(type, after) });
  }
  return patches;
}

/** Returns undefined where the chunk must be removed. */
function eraseLocation(type: string, before: Buffer): Buffer | undefined {
  if (type === "eXIf") {
    const block = Buffer.from(before);
    eraseFromExif(block);
    return block;
  }
  const chunk = TEXTS.has(type) ? parseText(type, before) : undefined;
  if (chunk === undefined) {
    const isOpaque = type === "zTXt" || type === "iTXt";
    return isOpaque || mentionsLocation(before) ? undefined : before;
  }
  const text = Buffer.from(chunk.text);
  if (!eraseFromText(chunk.keyword, text)) return undefined;
  return text.equals(chunk.text) ? before : writeText({ ...chunk, text });
}

const RAW_PROFILE = /^Raw profile type (?<kind>.+)$/i;

function eraseFromText(keyword: string, text: Buffer): boolean {
  const kind = RAW_PROFILE.exec(keyword)?.groups?.["kind"]?.toLowerCase();
  if (kind !== undefined) return eraseFromRawProfile(text, kind);
  if (keyword === "XML:com.adobe.xmp") return eraseFromXmp(text);
  // ImageMagick puts what it read elsewhere under keywords such as exif:GPSLatitude.
  return !/gps/i.test(keyword) && !mentionsLocation(text);
}

/** ImageMagick's: a line break, the name, the length, and the bytes in hexadecimal digits, broken into lines. */
const PROFILE = /^\s*\S[^\n]*\n\s*\d+\s+/;
const XMP_SIGNATURE = "http://ns.adobe.com/xap/1.0/\0";

function eraseFromRawProfile(text: Buffer, kind: string): boolean {
  const written = text.toString("latin1");
  const start = PROFILE.exec(written)?.[0].length;
  if (start === undefined || !/^[\s\da-f]*$/i.test(written.slice(start))) return false;
  const block = Buffer.from(written.slice(start).replaceAll(/\s+/g, ""), "hex");
  if (kind !== "exif" && kind !== "app1" && kind !== "xmp")
    return !mentionsLocation(block) && !hasForeignResources(block);
  const isSigned = block.toString("latin1", 0, XMP_SIGNATURE.length) === XMP_SIGNATURE;
  const packet = isSigned ? block.subarray(XMP_SIGNATURE.length) : block;
  const before = Buffer.from(block);
  if (isSigned || packet[0] === "<".charCodeAt(0)) {
    if (!eraseFromXmp(packet)) return false;
  } else eraseFromExif(block);
  if (block.equals(before)) return true;
  // Each digit replaces the one at its position, so the line breaks stay.
  const digits = block.toString("hex");
  let next = 0;
  for (let at = start; at < text.length && next < digits.length; at++) {
    if (!/\s/.test(written.charAt(at))) text[at] = digits.charCodeAt(next++);
  }
  return true;
}

function writeChunk(type: string, data: Buffer): Buffer {
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length);
  chunk.write(type, 4, "latin1");
  data.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}
