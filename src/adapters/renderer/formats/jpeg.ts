import type { BlobSource } from "../../../ports.ts";
import { type BoundedReader, Unusual } from "../bounded-reader.ts";
import { type ByteReader, openByteReader } from "../byte-reader.ts";
import { eraseFromExif } from "../without-location/exif.ts";
import { hasForeignResources, mentionsLocation, type Patch, patchOf } from "../without-location/patch.ts";
import { eraseFromXmp } from "../without-location/xmp.ts";
import type { EncodingCodec, Header } from "./codec.ts";
import { type ExtendedPart, patchExtendedXmp } from "./extended-xmp.ts";

export const jpeg: EncodingCodec = {
  recognises: (start) => start.startsWith("\xff\xd8\xff"),
  loader: "Jpeg",
  isDecodedAs: ({ format }) => format === "jpeg",
  readHeader,
  followsExif: true,
  warnsOfDamage: true,
  prepare: (_original, source) => ({ repair: () => repair(source), mend: () => repair(source).input }),
  withoutLocation: patchSegments,
  encode: (image, quality) => image.jpeg({ quality }),
};

const [BASELINE, EXTENDED, PROGRESSIVE] = [0xc0, 0xc1, 0xc2];
/** Not those that are lossless, hierarchical or arithmetic: no camera or browser writes them. */
const PLAIN_FRAMES = new Set([BASELINE, EXTENDED, PROGRESSIVE]);
const HUFFMAN_TABLES = 0xc4;
const [START_OF_IMAGE, END_OF_IMAGE, START_OF_SCAN] = [0xd8, 0xd9, 0xda];
const QUANTISATION_TABLES = 0xdb;
const RESTART_INTERVAL = 0xdd;
const [APP1, APP13, COMMENT] = [0xe1, 0xed, 0xfe];
const EXIF = "Exif\0\0";
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const EXTENDED_XMP = "http://ns.adobe.com/xmp/extension/\0";

/** ISO/IEC 10918-1, B.2: segments up to the first scan. */
function readHeader(file: BoundedReader): Header {
  let frame: Frame | undefined;
  let orientation: number | undefined;
  for (let offset = 2; ; ) {
    if (file.uint8(offset) !== 0xff) throw new Unusual();
    const marker = file.uint8(offset + 1);
    if (marker === 0xff) {
      // A fill byte.
      offset++;
      continue;
    }
    const start = offset + 4;
    const end = offset + 2 + file.uint16(offset + 2);
    if (end < start) throw new Unusual();
    if (marker === START_OF_SCAN) {
      if (frame === undefined) throw new Unusual();
      requireScan(file, start, end, frame);
      return { ...frame.size, frames: 1, hasAlpha: false, orientation: orientation ?? 1 };
    }
    if (PLAIN_FRAMES.has(marker)) {
      if (frame !== undefined) throw new Unusual();
      frame = readFrame(file, start, end);
    } else if (marker === HUFFMAN_TABLES) {
      requireHuffmanTables(file, start, end);
    } else if (marker === QUANTISATION_TABLES) {
      requireQuantisationTables(file, start, end);
    } else if (marker === APP1 && end - start > EXIF.length && file.ascii(start, EXIF.length) === EXIF) {
      if (orientation !== undefined) throw new Unusual();
      orientation = readOrientation(file, start + EXIF.length, end);
    } else if (!isApplication(marker) && marker !== RESTART_INTERVAL && marker !== COMMENT) {
      throw new Unusual();
    }
    offset = end;
  }
}

const isApplication = (marker: number): boolean => marker >= 0xe0 && marker <= 0xef;

interface Frame {
  readonly size: { readonly width: number; readonly height: number };
  readonly componentIds: readonly number[];
}

function readFrame(file: BoundedReader, start: number, end: number): Frame {
  const [precision, height, width, components] = [
    file.uint8(start),
    file.uint16(start + 1),
    file.uint16(start + 3),
    file.uint8(start + 5),
  ];
  const isPlain = precision === 8 && [1, 3, 4].includes(components) && end - start === 6 + 3 * components;
  if (!isPlain || width === 0 || height === 0) throw new Unusual();
  const componentIds = Array.from({ length: components }, (_, index) => {
    requireSampling(file.uint8(start + 7 + 3 * index));
    return file.uint8(start + 6 + 3 * index);
  });
  return { size: { width, height }, componentIds };
}

/** Horizontal and vertical, 1–4 each. */
function requireSampling(factors: number): void {
  const [horizontal, vertical] = [factors >> 4, factors & 15];
  if (horizontal < 1 || horizontal > 4 || vertical < 1 || vertical > 4) throw new Unusual();
}

function requireScan(file: BoundedReader, start: number, end: number, { componentIds }: Frame): void {
  const components = file.uint8(start);
  if (components < 1 || components > componentIds.length || end - start !== 4 + 2 * components) throw new Unusual();
  for (let index = 0; index < components; index++) {
    if (!componentIds.includes(file.uint8(start + 1 + 2 * index))) throw new Unusual();
  }
  // What follows is read too: a file that ends here is cut off.
  file.uint8(end);
}

function requireHuffmanTables(file: BoundedReader, start: number, end: number): void {
  let offset = start;
  while (offset < end) {
    // Class 0 or 1, destination 0–3.
    if ((file.uint8(offset) & ~0x13) !== 0) throw new Unusual();
    const symbols = file.bytes(offset + 1, 16).reduce((sum, count) => sum + count, 0);
    if (symbols > 256) throw new Unusual();
    offset += 17 + symbols;
  }
  if (offset !== end) throw new Unusual();
}

function requireQuantisationTables(file: BoundedReader, start: number, end: number): void {
  let offset = start;
  while (offset < end) {
    const [precision, destination] = [file.uint8(offset) >> 4, file.uint8(offset) & 15];
    if (precision > 1 || destination > 3) throw new Unusual();
    offset += precision === 0 ? 65 : 129;
  }
  if (offset !== end) throw new Unusual();
}

const ORIENTATION = 0x0112;
const SHORT = 3;
const MAX_EXIF_ENTRIES = 256;

/** The orientation (1–8) that the EXIF block from `start` up to `end` gives in its first directory; 1 without one. */
function readOrientation(file: BoundedReader, start: number, end: number): number {
  const order = file.ascii(start, 2);
  if (order !== "II" && order !== "MM") throw new Unusual();
  const littleEndian = order === "II";
  if (file.uint16(start + 2, littleEndian) !== 42) throw new Unusual();
  const directory = start + file.uint32(start + 4, littleEndian);
  const entries = file.uint16(directory, littleEndian);
  if (entries > MAX_EXIF_ENTRIES || directory + 2 + entries * 12 > end) throw new Unusual();
  for (let entry = directory + 2; entry < directory + 2 + entries * 12; entry += 12) {
    if (file.uint16(entry, littleEndian) !== ORIENTATION) continue;
    const orientation = file.uint16(entry + 8, littleEndian);
    const isPlain = file.uint16(entry + 2, littleEndian) === SHORT && file.uint32(entry + 4, littleEndian) === 1;
    if (!isPlain || orientation < 1 || orientation > 8) throw new Unusual();
    return orientation;
  }
  return 1;
}

/**
 * The same JPEG in memory without the defects that cost no pixel and of which decoders warn all the same: parameters of a
 * scan that mean nothing in a sequential picture (Samsung writes others), bytes between two segments, and an end that has
 * no marker. Whatever a decoder still finds is damage. A segment that is cut off is left out.
 */
function repair(source: BlobSource): { readonly input: Buffer; readonly isCut: boolean } {
  using original = openByteReader(source);
  const file = original.copy(0, original.size, Uint8Array.of(0xff, END_OF_IMAGE));
  let isSequential = false;
  const levels: Levels = new Map();
  for (let at = 2; at + 1 < original.size; ) {
    if (file[at] !== 0xff || file[at + 1] === 0xff) {
      // Filled bytes are no warning.
      file[at++] = 0xff;
      continue;
    }
    const marker = file[at + 1] ?? 0;
    if (marker === END_OF_IMAGE) break;
    const end = at + 4 > original.size ? Number.POSITIVE_INFINITY : at + 2 + file.readUInt16BE(at + 2);
    // A decoder fails at what is cut off, although it has decoded what is before it.
    if (end > original.size) return { input: Buffer.concat([file.subarray(0, at), file.subarray(-2)]), isCut: true };
    if (marker === BASELINE || marker === EXTENDED) isSequential = true;
    noteComponents(levels, file, at, marker);
    if (marker === START_OF_SCAN) {
      if (isSequential) file.set([0, 63, 0], end - 3);
      noteScan(levels, file, at, end);
      at = endOfScan(file, end);
    } else at = end;
  }
  return { input: file, isCut: levels.values().some((ofComponent) => ofComponent.some((level) => level > 0)) };
}

/** Of each component, how many bits of each coefficient are still to come. */
type Levels = Map<number, Uint8Array>;
const NOTHING_YET = 255;

function noteComponents(levels: Levels, file: Buffer, at: number, marker: number): void {
  if (!PLAIN_FRAMES.has(marker)) return;
  for (let index = 0; index < (file[at + 9] ?? 0); index++)
    levels.set(file[at + 10 + 3 * index] ?? 0, new Uint8Array(64).fill(NOTHING_YET));
}

function noteScan(levels: Levels, file: Buffer, at: number, end: number): void {
  const [from = 0, to = 63, approximation = 0] = file.subarray(end - 3, end);
  for (let index = 0; index < (file[at + 4] ?? 0); index++)
    levels.get(file[at + 5 + 2 * index] ?? 0)?.fill(approximation & 15, from, to + 1);
}

/** The next marker that is neither stuffing nor a restart. */
function endOfScan(file: Buffer, start: number): number {
  for (let at = file.indexOf(0xff, start); at >= 0; at = file.indexOf(0xff, at + 1)) {
    const code = file[at + 1] ?? 0;
    if (code !== 0 && code !== 0xff && !(code >= 0xd0 && code <= 0xd7)) return at;
  }
  return file.length;
}

/**
 * Every segment of every picture of the file (ISO/IEC 10918-1, B.1; CIPA DC-007 puts further ones behind the first), each
 * edited in place: the offsets of the index of those pictures hold. What else stands behind a picture is left out, since
 * it may be a video with a location of its own.
 */
function patchSegments(original: ByteReader): readonly Patch[] {
  const patches: Patch[] = [];
  const extended: ExtendedPart[] = [];
  for (let offset = 0; ; ) {
    const marker = findMarker(original, offset);
    if (marker === undefined) break;
    const { code, end: start } = marker;
    offset = start;
    if (code === END_OF_IMAGE) {
      const next = skipZeros(original, start);
      if (next === original.size) break;
      if (!isStart(original, next)) {
        patches.push({ start, end: original.size, bytes: new Uint8Array() });
        break;
      }
      offset = next;
    }
    if (isAlone(code)) continue;
    const length = (original.uint8(start) << 8) | original.uint8(start + 1);
    // Nothing useful can follow a segment that is not all there, or none.
    if (start + length > original.size) {
      if (isMetadata(code)) patches.push({ start: start - 2, end: original.size, bytes: new Uint8Array() });
      break;
    }
    offset = start + Math.max(2, length);
    if (!isMetadata(code)) continue;
    const before = original.read(start + 2, offset);
    if (code === APP1 && before.toString("latin1", 0, EXTENDED_XMP.length) === EXTENDED_XMP) {
      extended.push({ start: start + 2 + EXTENDED_XMP.length, bytes: before.subarray(EXTENDED_XMP.length) });
      continue;
    }
    const patch = patchOf(start + 2, before, eraseLocation(code, Buffer.from(before)));
    if (patch !== undefined) patches.push(patch);
  }
  return [...patches, ...patchExtendedXmp(extended)].toSorted((one, other) => one.start - other.start);
}

function eraseLocation(code: number, segment: Buffer): Buffer {
  const text = segment.toString("latin1");
  if (code === APP1 && /^exif\0/i.test(text)) eraseFromExif(segment.subarray(6));
  else if (code === APP1 && text.startsWith(XMP)) {
    const packet = segment.subarray(XMP.length);
    if (!eraseFromXmp(packet)) packet.fill(0x20);
  } else if (mentionsLocation(segment) || (code === APP13 && hasForeignResources(segment))) segment.fill(0);
  return segment;
}

/** Segments with no part of the picture itself. */
const isMetadata = (code: number): boolean => isApplication(code) || code === COMMENT;

/** Markers without a segment: restarts, the beginning and the end of an image, and one for arithmetic coders. */
const isAlone = (code: number): boolean => (code >= 0xd0 && code <= END_OF_IMAGE) || code === 0x01;

/** The next from `offset` on, over the data of a scan or whatever else is there, as decoders do. */
function findMarker(original: ByteReader, offset: number): { code: number; end: number } | undefined {
  for (let at = original.find(0xff, offset); at + 1 < original.size; at = original.find(0xff, at + 1)) {
    const code = original.uint8(at + 1);
    if (code !== 0 && code !== 0xff) return { code, end: at + 2 };
  }
  return undefined;
}

function skipZeros(original: ByteReader, offset: number): number {
  let at = offset;
  while (at < original.size && original.uint8(at) === 0) at++;
  return at;
}

const isStart = (original: ByteReader, at: number): boolean =>
  original.uint8(at) === 0xff && original.uint8(at + 1) === START_OF_IMAGE && original.uint8(at + 2) === 0xff;
