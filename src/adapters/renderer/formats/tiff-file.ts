import type { ByteReader } from "../byte-reader.ts";

const MAX_ENTRIES = 1024;
/** Bytes of a BYTE, SHORT, LONG, IFD, LONG8 and IFD8. */
const TYPE_BYTES: ReadonlyMap<number, number> = new Map([
  ...[1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4].map((bytes, index) => [index + 1, bytes] as const),
  ...[16, 17, 18].map((type) => [type, 8] as const),
  [129, 1],
]);
const INTEGER_BYTES: Readonly<Record<number, number>> = { 1: 1, 3: 2, 4: 4, 13: 4, 16: 8, 18: 8 };

/** Reads integers from a TIFF file in its byte order and its size of offsets. */
export interface TiffReader {
  readonly isBig: boolean;
  readonly first: number;
  /** The entries of a directory, with the position of the next one in the chain; undefined past the end of the file. */
  directory(position: number): { readonly entries: readonly TiffEntry[]; readonly next: number } | undefined;
  integers(entry: TiffEntry, most: number): readonly number[];
  /** Where the values of an entry are; undefined for a type that is not known, or past the end of the file. */
  valuesOf(entry: TiffEntry): { readonly start: number; readonly end: number } | undefined;
  /** A number in the file's byte order. */
  bytesOf(value: number, length: number): Buffer;
}

export interface TiffEntry {
  readonly position: number;
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  /** Where the field of the value, or of its offset, is. */
  readonly valuePosition: number;
}

/** Undefined for what does not begin as a TIFF file. */
export function openTiff(file: ByteReader): TiffReader | undefined {
  const header = file.read(0, 16);
  const order = header.toString("latin1", 0, 2);
  if (order !== "II" && order !== "MM") return undefined;
  const littleEndian = order === "II";
  const number = (bytes: Buffer): number => {
    let value = 0;
    for (let index = 0; index < bytes.length; index++)
      value = value * 256 + (bytes[littleEndian ? bytes.length - 1 - index : index] ?? 0);
    return value;
  };
  const at = (position: number, length: number): number => number(file.read(position, position + length));
  const version = at(2, 2);
  if (version !== 42 && version !== 43) return undefined;
  const isBig = version === 43;
  const offsetBytes = isBig ? 8 : 4;
  const [countBytes, entryBytes] = isBig ? [8, 20] : [2, 12];

  return {
    isBig,
    first: at(isBig ? 8 : 4, offsetBytes),
    directory(position) {
      if (position + countBytes > file.size) return undefined;
      const count = Math.min(at(position, countBytes), MAX_ENTRIES);
      const table = file.read(position + countBytes, position + countBytes + count * entryBytes);
      const entries = Array.from({ length: Math.floor(table.length / entryBytes) }, (_, index): TiffEntry => {
        const bytes = table.subarray(index * entryBytes, (index + 1) * entryBytes);
        const entry = position + countBytes + index * entryBytes;
        const values = isBig ? 12 : 8;
        return {
          position: entry,
          tag: number(bytes.subarray(0, 2)),
          type: number(bytes.subarray(2, 4)),
          count: number(bytes.subarray(4, values)),
          valuePosition: entry + values,
        };
      });
      const end = position + countBytes + count * entryBytes;
      return { entries, next: end + offsetBytes <= file.size ? at(end, offsetBytes) : 0 };
    },
    integers({ type, count, valuePosition }, most) {
      const bytes = INTEGER_BYTES[type];
      if (bytes === undefined) return [];
      const length = Math.min(count, most);
      const start = count * bytes <= offsetBytes ? valuePosition : at(valuePosition, offsetBytes);
      const values = file.read(start, start + length * bytes);
      return Array.from({ length: Math.floor(values.length / bytes) }, (_, index) =>
        number(values.subarray(index * bytes, (index + 1) * bytes)),
      );
    },
    valuesOf({ type, count, valuePosition }) {
      const length = (TYPE_BYTES.get(type) ?? Number.NaN) * count;
      const start = length <= offsetBytes ? valuePosition : at(valuePosition, offsetBytes);
      return start + length <= file.size ? { start, end: start + length } : undefined;
    },
    bytesOf(value, length) {
      const bytes = Buffer.alloc(length);
      if (littleEndian) bytes.writeUIntLE(value, 0, Math.min(length, 6));
      else bytes.writeUIntBE(value, length - Math.min(length, 6), Math.min(length, 6));
      return bytes;
    },
  };
}
