import { readOrientation } from "./exif.ts";
import { type FileBytes, Unusual } from "./file-bytes.ts";
import type { Header } from "./header.ts";

/** Not those that are lossless, hierarchical or arithmetic: no camera or browser writes them. */
const START_OF_FRAME = new Set([0xc0, 0xc1, 0xc2]);
const HUFFMAN_TABLES = 0xc4;
const START_OF_SCAN = 0xda;
const QUANTISATION_TABLES = 0xdb;
const RESTART_INTERVAL = 0xdd;
const APP1 = 0xe1;
const COMMENT = 0xfe;
const EXIF = "Exif\0\0";

/** ISO/IEC 10918-1, B.2: segments up to the first scan. */
export function readJpeg(file: FileBytes): Header {
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
    if (START_OF_FRAME.has(marker)) {
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

function readFrame(file: FileBytes, start: number, end: number): Frame {
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

function requireScan(file: FileBytes, start: number, end: number, { componentIds }: Frame): void {
  const components = file.uint8(start);
  if (components < 1 || components > componentIds.length || end - start !== 4 + 2 * components) throw new Unusual();
  for (let index = 0; index < components; index++) {
    if (!componentIds.includes(file.uint8(start + 1 + 2 * index))) throw new Unusual();
  }
  // What follows is read too: a file that ends here is cut off.
  file.uint8(end);
}

function requireHuffmanTables(file: FileBytes, start: number, end: number): void {
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

function requireQuantisationTables(file: FileBytes, start: number, end: number): void {
  let offset = start;
  while (offset < end) {
    const [precision, destination] = [file.uint8(offset) >> 4, file.uint8(offset) & 15];
    if (precision > 1 || destination > 3) throw new Unusual();
    offset += precision === 0 ? 65 : 129;
  }
  if (offset !== end) throw new Unusual();
}
