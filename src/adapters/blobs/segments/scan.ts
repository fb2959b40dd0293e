import { isDiskFailure, readFully } from "../../files/file-system.ts";
import {
  ALIGNMENT,
  BLOCK_BYTES,
  decodeRecordHeader,
  hasRecordMagic,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  recordBytes,
} from "./format.ts";

/** What a scan of a segment finds, in order. It skips zeros, which removed records leave. */
export type ScanItem =
  | { readonly kind: "record"; readonly record: RecordHeader; readonly isCutShort: boolean }
  /** Torn by a crash, or damaged. `isRefused`: the disk failed to read a part of it, and may succeed another time. */
  | { readonly kind: "unreadable"; readonly offset: number; readonly size: number; readonly isRefused: boolean };

const WINDOW_BYTES = 64 * 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/**
 * Walks the records of a segment by their headers, and trusts nothing else. Where it finds no header it tries the next
 * position where a record may begin, so damage costs only the records that it hit.
 */
export async function* scanSegment(fd: number, salt: Buffer, fileSize: number): AsyncGenerator<ScanItem> {
  const buffer = Buffer.allocUnsafe(WINDOW_BYTES);
  let window = buffer.subarray(0, 0);
  let windowAt = 0;
  /** Bytes that belong to no record, from the first to the last that is not zero. */
  let unreadable: UnreadableRange | undefined;
  /** Bytes of the next window: a block is enough where the last record ended behind the window. */
  let wanted = WINDOW_BYTES;

  for (let at = BLOCK_BYTES; at < fileSize; ) {
    if (at < windowAt || at + RECORD_HEADER_BYTES > windowAt + window.byteLength) {
      windowAt = at;
      const length = await readWindow(fd, buffer.subarray(0, Math.min(wanted, fileSize - at)), at);
      if (length === undefined) {
        unreadable = { from: unreadable?.from ?? at, to: Math.min(at + BLOCK_BYTES, fileSize), isRefused: true };
        window = buffer.subarray(0, 0);
        at += BLOCK_BYTES;
        continue;
      }
      window = buffer.subarray(0, length);
      if (window.byteLength === 0) break;
    }
    const bytes = window.subarray(at - windowAt);
    const record = readHeader(bytes, at, salt);
    if (record !== undefined) {
      if (unreadable !== undefined) yield unreadableItem(unreadable);
      unreadable = undefined;
      yield { kind: "record", record, isCutShort: at + RECORD_HEADER_BYTES + record.length > fileSize };
      at += recordBytes(record.length);
      wanted = at > windowAt + window.byteLength ? BLOCK_BYTES : WINDOW_BYTES;
    } else {
      wanted = WINDOW_BYTES;
      const step = isZero(bytes, BLOCK_BYTES) ? BLOCK_BYTES : ALIGNMENT;
      if (step === ALIGNMENT && !isZero(bytes, Math.min(ALIGNMENT, bytes.byteLength)))
        unreadable = {
          isRefused: false,
          ...unreadable,
          from: unreadable?.from ?? at,
          to: Math.min(at + ALIGNMENT, fileSize),
        };
      at += step;
    }
  }
  if (unreadable !== undefined) yield unreadableItem(unreadable);
}

interface UnreadableRange {
  readonly from: number;
  readonly to: number;
  readonly isRefused: boolean;
}

/** Reads a window, or only its first block where the disk fails; undefined where it fails for the block too. */
async function readWindow(fd: number, window: Buffer, position: number): Promise<number | undefined> {
  for (const part of [window, window.subarray(0, BLOCK_BYTES)]) {
    try {
      return await readFully(fd, part, position);
    } catch (error) {
      if (!isDiskFailure(error)) throw error;
    }
  }
  return undefined;
}

const readHeader = (bytes: Buffer, at: number, salt: Buffer): RecordHeader | undefined =>
  bytes.byteLength >= RECORD_HEADER_BYTES && hasRecordMagic(bytes, 0)
    ? decodeRecordHeader(bytes.subarray(0, RECORD_HEADER_BYTES), at, salt)
    : undefined;

const isZero = (bytes: Buffer, length: number): boolean =>
  bytes.byteLength >= length && ZEROS.compare(bytes, 0, length, 0, length) === 0;

const unreadableItem = ({ from, to, isRefused }: UnreadableRange): ScanItem => ({
  kind: "unreadable",
  offset: from,
  size: to - from,
  isRefused,
});
