/**
 * The parts of a ZIP archive whose files are stored uncompressed (APPNOTE 6.3.10). Sizes and checksums stand before the bytes
 * of a file, so the archive can be unpacked while it arrives. Zip64 is used only where a field is too small.
 */
export interface ZipFile {
  /** In UTF-8. */
  readonly name: Uint8Array;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number;
  readonly crc32: number;
}

/** In bytes. The directory follows the last file. */
export interface ZipDirectory {
  readonly start: number;
  readonly size: number;
  readonly files: number;
}

const MAX_16 = 0xffff;
const MAX_32 = 0xffff_ffff;

const LOCAL_BYTES = 30;
const ENTRY_BYTES = 46;
const END_BYTES = 22;
const END_64_BYTES = 56;
const LOCATOR_BYTES = 20;
/** A time in seconds since 1970, beside that of MS-DOS, which has neither a zone nor odd seconds. */
const TIME_FIELD_BYTES = 9;
const FIELD_HEADER_BYTES = 4;

const VERSION = 20;
const VERSION_OF_ZIP64 = 45;
const UNIX = 3 << 8;
const UTF8_NAME = 1 << 11;
/** A file that its owner may write and all may read. */
const FILE_MODE = 0o100644 * 2 ** 16;

/** How long a name is, and the bytes of its file. */
export interface ZipSizes {
  readonly nameSize: number;
  readonly size: number;
}

export const zipHeaderSize = ({ nameSize, size }: ZipSizes): number =>
  LOCAL_BYTES + nameSize + TIME_FIELD_BYTES + fieldBytes(size > MAX_32 - 1 ? 2 : 0);

/** What stands before the bytes of a file. */
export function zipHeader(file: ZipFile): Uint8Array<ArrayBuffer> {
  const { name, size, crc32 } = file;
  const isLarge = size > MAX_32 - 1;
  const out = writer(zipHeaderSize({ nameSize: name.length, size }));
  out.u32(0x0403_4b50);
  writeCommon(out, file, isLarge ? VERSION_OF_ZIP64 : VERSION);
  out.u32(crc32);
  out.u32(isLarge ? MAX_32 : size);
  out.u32(isLarge ? MAX_32 : size);
  out.u16(name.length);
  out.u16(TIME_FIELD_BYTES + fieldBytes(isLarge ? 2 : 0));
  out.bytes(name);
  writeTimeField(out, file);
  writeZip64Field(out, isLarge ? [size, size] : []);
  return out.done();
}

/** @param start where the file's header is */
export const zipEntrySize = ({ nameSize, size }: ZipSizes, start: number): number =>
  ENTRY_BYTES + nameSize + TIME_FIELD_BYTES + fieldBytes((size > MAX_32 - 1 ? 2 : 0) + (start > MAX_32 - 1 ? 1 : 0));

/** The file in the directory of the archive. */
export function zipEntry(file: ZipFile, start: number): Uint8Array<ArrayBuffer> {
  const { name, size, crc32 } = file;
  // In the order of the Zip64 field.
  const large = [...(size > MAX_32 - 1 ? [size, size] : []), ...(start > MAX_32 - 1 ? [start] : [])];
  const version = large.length > 0 ? VERSION_OF_ZIP64 : VERSION;
  const out = writer(zipEntrySize({ nameSize: name.length, size }, start));
  out.u32(0x0201_4b50);
  out.u16(UNIX | version);
  writeCommon(out, file, version);
  out.u32(crc32);
  out.u32(Math.min(size, MAX_32));
  out.u32(Math.min(size, MAX_32));
  out.u16(name.length);
  out.u16(TIME_FIELD_BYTES + fieldBytes(large.length));
  // No comment, the first disk, no internal attributes.
  out.u16(0);
  out.u16(0);
  out.u16(0);
  out.u32(FILE_MODE);
  out.u32(Math.min(start, MAX_32));
  out.bytes(name);
  writeTimeField(out, file);
  writeZip64Field(out, large);
  return out.done();
}

const needsZip64 = ({ start, size, files }: ZipDirectory): boolean =>
  files > MAX_16 - 1 || size > MAX_32 - 1 || start > MAX_32 - 1;

export const zipEndSize = (directory: ZipDirectory): number =>
  END_BYTES + (needsZip64(directory) ? END_64_BYTES + LOCATOR_BYTES : 0);

/** What stands behind the directory. */
export function zipEnd(directory: ZipDirectory): Uint8Array<ArrayBuffer> {
  const { start, size, files } = directory;
  const out = writer(zipEndSize(directory));
  if (needsZip64(directory)) {
    out.u32(0x0606_4b50);
    out.u64(END_64_BYTES - 12);
    out.u16(UNIX | VERSION_OF_ZIP64);
    out.u16(VERSION_OF_ZIP64);
    out.u32(0);
    out.u32(0);
    out.u64(files);
    out.u64(files);
    out.u64(size);
    out.u64(start);
    out.u32(0x0706_4b50);
    out.u32(0);
    out.u64(start + size);
    out.u32(1);
  }
  out.u32(0x0605_4b50);
  out.u16(0);
  out.u16(0);
  out.u16(Math.min(files, MAX_16));
  out.u16(Math.min(files, MAX_16));
  out.u32(Math.min(size, MAX_32));
  out.u32(Math.min(start, MAX_32));
  out.u16(0);
  return out.done();
}

const fieldBytes = (numbers: number): number => (numbers === 0 ? 0 : FIELD_HEADER_BYTES + 8 * numbers);

type Writer = ReturnType<typeof writer>;

/** Version, flags, method and time. */
function writeCommon(out: Writer, { modifiedAt }: ZipFile, version: number): void {
  out.u16(version);
  out.u16(UTF8_NAME);
  out.u16(0);
  const { time, date } = dosTime(modifiedAt);
  out.u16(time);
  out.u16(date);
}

function writeTimeField(out: Writer, { modifiedAt }: ZipFile): void {
  out.u16(0x5455);
  out.u16(TIME_FIELD_BYTES - FIELD_HEADER_BYTES);
  out.u8(1);
  out.u32(Math.min(Math.max(Math.floor(modifiedAt / 1000), 0), 0x7fff_ffff));
}

function writeZip64Field(out: Writer, numbers: readonly number[]): void {
  if (numbers.length === 0) return;
  out.u16(1);
  out.u16(8 * numbers.length);
  for (const number of numbers) out.u64(number);
}

/** In UTC, so the archive is the same on any machine. */
function dosTime(milliseconds: number) {
  const at = new Date(milliseconds);
  const year = at.getUTCFullYear() - 1980;
  if (year < 0) return { time: 0, date: (1 << 5) | 1 };
  if (year > 127) return { time: 0xbf7d, date: 0xff9f };
  return {
    time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
    date: (year << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
  };
}

function writer(size: number) {
  const bytes = new Uint8Array(size);
  const view = new DataView(bytes.buffer);
  let at = 0;
  const advance = (by: number): number => {
    at += by;
    return at - by;
  };
  return {
    u8: (value: number) => view.setUint8(advance(1), value),
    u16: (value: number) => view.setUint16(advance(2), value, true),
    u32: (value: number) => view.setUint32(advance(4), value, true),
    u64: (value: number) => view.setBigUint64(advance(8), BigInt(value), true),
    bytes: (value: Uint8Array) => bytes.set(value, advance(value.length)),
    done: () => bytes,
  };
}
