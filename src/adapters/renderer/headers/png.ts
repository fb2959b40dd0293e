import { type FileBytes, Unusual } from "./file-bytes.ts";
import type { Header } from "./header.ts";

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
/** Libraries differ in what they make of a damaged one of these. */
const CHECKED = new Set(["PLTE", "tRNS"]);
/** Nobody may pass over a chunk that is neither known nor ancillary (W3C PNG, 5.4). */
const PASSABLE = /^(PLTE|IDAT|[a-z][A-Za-z]{3})$/;

/** W3C PNG, 11: chunks up to the first of the image data. An animated one counts as its first frame, as decoders see it. */
export function readPng(file: FileBytes): Header {
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
    // EXIF is rare here and comes in two ways, of which decoders disagree.
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

function requireChecksum(file: FileBytes, offset: number, length: number): void {
  const checksum = Bun.hash.crc32(file.bytes(offset + 4, length + 4));
  if (file.uint32(offset + 8 + length) !== checksum) throw new Unusual();
}
