import { crc32 } from "node:zlib";

/**
 * The file format of segments; docs/segments.md describes it for authors of other readers. Numbers are little-endian. Another
 * version has other magic bytes, so an older store does not take its records for its own.
 */
export const BLOCK_BYTES = 4096;
/** Records begin at multiples of it: after damage, a reader finds the next record by trying each. */
export const ALIGNMENT = 64;
export const RECORD_HEADER_BYTES = 128;
const SALT_BYTES = 32;
const CHECK_BYTES = 16;

const SEGMENT_MAGIC = Buffer.from("imgsegm1");
const RECORD_MAGIC = Buffer.from("imgrecd1");
const KEY = /^([0-9a-f]{64})\.([0-9a-f]{16})$/;
const UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}";
const FILE_NAME = new RegExp(`^(${UUID})\\.segment$`);
const GAP = new RegExp(`^segment:(${UUID}):(\\d{1,15}):(\\d{1,15}):unreadable$`);
const LOCATION = new RegExp(`^segment:(${UUID}):(\\d{1,15}):(\\d{1,10}):([0-9a-f]{16})$`);

/** The first block of a segment. */
export interface SegmentHeader {
  /** A UUID of version 7: later ones are greater, and none is used twice. */
  readonly id: string;
  /** Secret: with it, bytes within an image could pose as a record. */
  readonly salt: Buffer;
}

/** Where the bytes of a blob are: `segment:<id>:<offset>:<length>:<nonce>`. The nonce is the random part of its key. */
export interface RecordAddress {
  readonly segment: string;
  /** Of the record in its segment. The record begins with its header. */
  readonly offset: number;
  /** The length of the blob, in bytes. */
  readonly length: number;
  readonly nonce: string;
}

/** Bytes of a segment that are no record: `segment:<id>:<offset>:<length>:unreadable`, with the length in bytes of the segment. */
export interface Gap {
  readonly segment: string;
  readonly offset: number;
  readonly length: number;
}

export interface RecordHeader {
  readonly offset: number;
  readonly length: number;
  readonly checksum: number;
  /** Milliseconds since 1970. */
  readonly writtenAt: number;
  readonly key: string;
}

export const newSegmentHeader = (): SegmentHeader => ({
  id: Bun.randomUUIDv7(),
  salt: crypto.getRandomValues(Buffer.alloc(SALT_BYTES)),
});

export const segmentFileName = (id: string): string => `${id}.segment`;
/** Undefined where the file is not a segment. */
export const segmentIdOf = (fileName: string): string | undefined => FILE_NAME.exec(fileName)?.[1];

export function encodeSegmentHeader({ id, salt }: SegmentHeader): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  SEGMENT_MAGIC.copy(block, 0);
  block.write(id.replaceAll("-", ""), 8, "hex");
  salt.copy(block, 24);
  checkOf(block.subarray(0, 56)).copy(block, 56);
  return block;
}

/** Undefined where the block is no header, damaged, or of another version of the format. */
export function decodeSegmentHeader(block: Buffer, id: string): SegmentHeader | undefined {
  const salt = Buffer.from(block.subarray(24, 24 + SALT_BYTES));
  return block.equals(encodeSegmentHeader({ id, salt })) ? { id, salt } : undefined;
}

/** A later version has another digit at the end of its magic bytes. */
export const isOfOtherVersion = (block: Buffer): boolean =>
  block.subarray(0, 7).equals(SEGMENT_MAGIC.subarray(0, 7)) && !block.subarray(0, 8).equals(SEGMENT_MAGIC);

export function encodeRecordHeader(record: RecordHeader, salt: Buffer): Buffer {
  const header = Buffer.alloc(RECORD_HEADER_BYTES);
  RECORD_MAGIC.copy(header, 0);
  header.writeUInt32LE(record.length, 8);
  header.writeUInt32LE(record.checksum, 12);
  header.writeBigUInt64LE(BigInt(record.offset), 16);
  header.writeBigUInt64LE(BigInt(record.writtenAt), 24);
  header.write(record.key.replace(".", ""), 32, "hex");
  checkOf(header.subarray(0, RECORD_HEADER_BYTES - CHECK_BYTES), salt).copy(header, RECORD_HEADER_BYTES - CHECK_BYTES);
  return header;
}

/** Decodes the record at that offset of the segment; undefined where no record begins. */
export function decodeRecordHeader(header: Buffer, offset: number, salt: Buffer): RecordHeader | undefined {
  if (!hasRecordMagic(header, 0) || header.readBigUInt64LE(16) !== BigInt(offset)) return undefined;
  const signed = RECORD_HEADER_BYTES - CHECK_BYTES;
  if (!checkOf(header.subarray(0, signed), salt).equals(header.subarray(signed, RECORD_HEADER_BYTES))) return undefined;
  return {
    offset,
    length: header.readUInt32LE(8),
    checksum: header.readUInt32LE(12),
    writtenAt: Number(header.readBigUInt64LE(24)),
    key: `${header.toString("hex", 32, 64)}.${header.toString("hex", 64, 72)}`,
  };
}

export const hasRecordMagic = (bytes: Buffer, at: number): boolean =>
  bytes[at] === RECORD_MAGIC[0] && bytes.subarray(at, at + 8).equals(RECORD_MAGIC);

/** Whether a record, header and bytes, is the one at that address. This does not need the salt. */
export function isRecordOf(record: Buffer, { offset, length, nonce }: RecordAddress): boolean {
  return (
    hasRecordMagic(record, 0) &&
    record.readUInt32LE(8) === length &&
    record.readBigUInt64LE(16) === BigInt(offset) &&
    record.toString("hex", 64, 72) === nonce
  );
}

/** Whether the bytes after the header have the checksum in it. */
export const hasValidChecksum = (record: Buffer): boolean =>
  crc32(record.subarray(RECORD_HEADER_BYTES)) === record.readUInt32LE(12);

export const align = (position: number, to: number): number => Math.ceil(position / to) * to;
/** The bytes that a blob of that length takes of a segment, with header and padding. */
export const recordBytes = (length: number): number => align(RECORD_HEADER_BYTES + length, ALIGNMENT);

export const addressOf = (segment: string, { offset, length, key }: RecordHeader): RecordAddress => ({
  segment,
  offset,
  length,
  nonce: nonceOf(key),
});

export function nonceOf(key: string): string {
  const nonce = KEY.exec(key)?.[2];
  if (nonce === undefined) throw new Error(`${key} is no key of a blob.`);
  return nonce;
}

export const formatLocation = ({ segment, offset, length, nonce }: RecordAddress): string =>
  `segment:${segment}:${offset}:${length}:${nonce}`;

/** Undefined where the location is not one of a segment. */
export function parseLocation(location: string): RecordAddress | undefined {
  const [, segment, offset, length, nonce] = LOCATION.exec(location) ?? [];
  if (segment === undefined || nonce === undefined) return undefined;
  return { segment, offset: Number(offset), length: Number(length), nonce };
}

export const formatGap = ({ segment, offset, length }: Gap): string =>
  `segment:${segment}:${offset}:${length}:unreadable`;

/** Undefined where the location is not one of a gap. */
export function parseGap(location: string): Gap | undefined {
  const [, segment, offset, length] = GAP.exec(location) ?? [];
  return segment === undefined ? undefined : { segment, offset: Number(offset), length: Number(length) };
}

/** Whether any byte of the record at that address is in the gap. */
export function isHitBy(address: RecordAddress, gap: Gap): boolean {
  return (
    address.segment === gap.segment &&
    address.offset < gap.offset + gap.length &&
    address.offset + recordBytes(address.length) > gap.offset
  );
}

/** The first bytes of a SHA-256 over salt and header. */
const checkOf = (header: Uint8Array, salt?: Uint8Array): Buffer => {
  const hasher = new Bun.CryptoHasher("sha256");
  if (salt !== undefined) hasher.update(salt);
  return hasher.update(header).digest().subarray(0, CHECK_BYTES);
};
