/** Tags of EXIF (CIPA DC-008) that lead elsewhere. */
export const SUB_DIRECTORIES = 0x014a;
export const EXIF_DIRECTORY = 0x8769;
export const GPS_DIRECTORY = 0x8825;
export const INTEROPERABILITY_DIRECTORY = 0xa005;

export const ASCII = 2;
/** Of EXIF 3.0. */
export const UTF8 = 129;
/** Bytes of one value by type: BYTE, ASCII, SHORT, LONG, RATIONAL, their signed and floating kin, IFD. */
const TYPE_BYTES = new Map([1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4].map((bytes, index) => [index + 1, bytes]));
TYPE_BYTES.set(UTF8, 1);
export const ENTRY_BYTES = 12;
/** More than any writer makes; a bound on what a hostile block may cost. */
const MAX_ENTRIES = 1024;

/** One field of a directory. All positions count from the start of the TIFF header. */
export interface Entry {
  readonly position: number;
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  /** Where its values are, in the entry itself or elsewhere; undefined where that is outside the block or not known. */
  readonly values: Range | undefined;
}

/** From `start` up to, not including, `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface Directory {
  readonly position: number;
  /** After the pointer to the next one. */
  readonly end: number;
  readonly entries: readonly Entry[];
  /** Of the next in the chain; 0: none. */
  readonly next: number;
  /** False where the block ends before it, or it has too many entries: then `entries` are those that could be read. */
  readonly isWhole: boolean;
}

/** A block of EXIF: directories of tagged values, as in a TIFF file (TIFF 6.0, 2). */
export interface TiffBlock {
  readonly bytes: Buffer;
  readonly first: number;
  uint16(position: number): number;
  uint32(position: number): number;
  int32(position: number): number;
  writeUint16(value: number, position: number): void;
  /** Undefined where not even the count of its entries is inside the block. */
  directory(position: number): Directory | undefined;
}

/** Where the TIFF header begins: some writers put a prefix before it, some none, in whatever format; -1 without one. */
export function findTiffHeader(block: Buffer): number {
  return [0, 6].find((start) => ["II*\0", "MM\0*"].includes(block.toString("latin1", start, start + 4))) ?? -1;
}

/** Undefined where `bytes` does not begin with a TIFF header. It works on these bytes, not on a copy. */
export function openTiffBlock(bytes: Buffer): TiffBlock | undefined {
  if (bytes.length < 8 || findTiffHeader(bytes) !== 0) return undefined;
  const littleEndian = bytes[0] === 0x49;
  const uint16 = (at: number) => (littleEndian ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at));
  const uint32 = (at: number) => (littleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));

  function entryAt(position: number): Entry {
    const [tag, type, count] = [uint16(position), uint16(position + 2), uint32(position + 4)];
    const length = (TYPE_BYTES.get(type) ?? 0) * count;
    const start = length <= 4 ? position + 8 : uint32(position + 8);
    const values = TYPE_BYTES.has(type) && start + length <= bytes.length ? { start, end: start + length } : undefined;
    return { position, tag, type, count, values };
  }

  function directory(position: number): Directory | undefined {
    if (position + 2 > bytes.length) return undefined;
    const count = uint16(position);
    const readable = Math.min(count, MAX_ENTRIES, Math.floor((bytes.length - position - 2) / ENTRY_BYTES));
    const entries = Array.from({ length: readable }, (_, index) => entryAt(position + 2 + index * ENTRY_BYTES));
    const last = position + 2 + readable * ENTRY_BYTES;
    // Some writers leave the last pointer out at the very end.
    const hasNext = last + 4 <= bytes.length;
    const isWhole = readable === count;
    return { position, end: hasNext ? last + 4 : last, entries, next: isWhole && hasNext ? uint32(last) : 0, isWhole };
  }

  return {
    bytes,
    first: uint32(4),
    uint16,
    uint32,
    int32: (at) => (littleEndian ? bytes.readInt32LE(at) : bytes.readInt32BE(at)),
    writeUint16: (value, at) => void (littleEndian ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at)),
    directory,
  };
}

export const hasKnownType = ({ type }: Entry): boolean => TYPE_BYTES.has(type);

export const entryOf = (directory: Directory | undefined, tag: number): Entry | undefined =>
  directory?.entries.find((entry) => entry.tag === tag);

const LONG = 4;
const IFD = 13;

/** Where an entry points to; undefined where it is no pointer. */
export const pointersOf = (block: TiffBlock, entry: Entry): readonly number[] | undefined =>
  (entry.type === LONG || entry.type === IFD) && entry.count >= 1 && entry.count <= 32 && entry.values !== undefined
    ? Array.from({ length: entry.count }, (_, index) => block.uint32((entry.values?.start ?? 0) + 4 * index))
    : undefined;
