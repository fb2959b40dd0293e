import { readOrientation } from "./exif.ts";
import { type FileBytes, Unusual } from "./file-bytes.ts";
import type { Header } from "./header.ts";

const ANIMATION = 0x02;
const EXIF = 0x08;
const ALPHA = 0x10;

/** RFC 9649: chunks of a RIFF file. Which frames of an animation count, and whether it has alpha, the decoder says. */
export function readWebp(file: FileBytes): Header {
  const end = 8 + file.uint32(4, true);
  if (end > file.size) throw new Unusual();
  const first = file.ascii(12, 4);
  const still = { frames: 1, orientation: 1 };
  if (first === "VP8 ") return { ...readLossy(file, chunkAt(file, 12, end)), ...still, hasAlpha: false };
  if (first === "VP8L") return { ...readLossless(file, chunkAt(file, 12, end)), ...still };
  if (first !== "VP8X") throw new Unusual();

  const flags = file.uint8(20);
  if ((flags & ANIMATION) !== 0) throw new Unusual();
  const canvas = { width: file.uint24(24) + 1, height: file.uint24(27) + 1 };
  const chunks = readChunks(file, end);
  requireCanvas(file, chunks, canvas);
  const exif = chunks.get("EXIF");
  if ((exif !== undefined) !== ((flags & EXIF) !== 0)) throw new Unusual();
  const orientation = exif === undefined ? 1 : readExif(file, exif);
  const hasAlpha = (flags & ALPHA) !== 0;
  if (chunks.has("ALPH") && !hasAlpha) throw new Unusual();
  return { ...canvas, frames: 1, hasAlpha, orientation };
}

/** Some writers keep the prefix that a JPEG has there. */
function readExif(file: FileBytes, { start, end }: Chunk): number {
  const prefix = "Exif\0\0";
  const isPrefixed = end - start > prefix.length && file.ascii(start, prefix.length) === prefix;
  return readOrientation(file, isPrefixed ? start + prefix.length : start, end);
}

interface Size {
  readonly width: number;
  readonly height: number;
}

interface Chunk {
  readonly start: number;
  readonly end: number;
}

/** Each kind once: of several, decoders take this one or that. */
function readChunks(file: FileBytes, end: number): ReadonlyMap<string, Chunk> {
  const chunks = new Map<string, Chunk>();
  for (let offset = 12; offset < end; ) {
    const type = file.ascii(offset, 4);
    if (chunks.has(type)) throw new Unusual();
    const chunk = chunkAt(file, offset, end);
    chunks.set(type, chunk);
    offset = chunk.end + ((chunk.end - chunk.start) % 2);
  }
  return chunks;
}

function chunkAt(file: FileBytes, offset: number, end: number): Chunk {
  const start = offset + 8;
  const chunk = { start, end: start + file.uint32(offset + 4, true) };
  if (chunk.end > end) throw new Unusual();
  return chunk;
}

function requireCanvas(file: FileBytes, chunks: ReadonlyMap<string, Chunk>, canvas: Size): void {
  const lossy = chunks.get("VP8 ");
  const lossless = chunks.get("VP8L");
  const image = lossy === undefined ? lossless && readLossless(file, lossless) : readLossy(file, lossy);
  if (image === undefined || (lossy !== undefined && lossless !== undefined)) throw new Unusual();
  if (image.width !== canvas.width || image.height !== canvas.height) throw new Unusual();
}

/** RFC 6386, 9.1: a key frame. The two top bits of a side say how to scale, which decoders leave to the caller. */
function readLossy(file: FileBytes, { start, end }: Chunk): Size {
  const tag = file.uint24(start);
  const isKeyFrame = (tag & 1) === 0;
  const isKnown = ((tag >> 1) & 7) <= 3;
  const isShown = ((tag >> 4) & 1) === 1;
  const firstPartition = tag >> 5;
  if (!isKeyFrame || !isKnown || !isShown || firstPartition >= end - start) throw new Unusual();
  if (file.uint24(start + 3) !== 0x2a019d) throw new Unusual();
  return required(file.uint16(start + 6, true) & 0x3fff, file.uint16(start + 8, true) & 0x3fff);
}

function readLossless(file: FileBytes, { start }: Chunk): Size & { hasAlpha: boolean } {
  const bits = file.uint32(start + 1, true);
  if (file.uint8(start) !== 0x2f || bits >>> 29 !== 0) throw new Unusual();
  const size = required((bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1);
  return { ...size, hasAlpha: (bits & 0x10000000) !== 0 };
}

function required(width: number, height: number): Size {
  if (width === 0 || height === 0) throw new Unusual();
  return { width, height };
}
