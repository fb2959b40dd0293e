import * as fs from "node:fs";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import { close, fdatasync } from "../../files/file-system.ts";
import {
  ALIGNMENT,
  addressOf,
  align,
  BLOCK_BYTES,
  encodeRecordHeader,
  formatLocation,
  RECORD_HEADER_BYTES,
  type RecordAddress,
  type RecordHeader,
  recordBytes,
} from "./format.ts";

const writev = promisify(fs.writev);
const ftruncate = promisify(fs.ftruncate);

/** A segment that can be appended to. The writer closes it. */
export interface OpenSegment {
  readonly id: string;
  readonly salt: Buffer;
  readonly fd: number;
  /** Where the next batch begins: at a block that was never written. */
  readonly end: number;
}

/** A record to append. The bytes are not copied, and must not change until the append has settled. */
export interface NewRecord {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970; default: now. */
  readonly writtenAt?: number;
}

export interface SegmentWriterOptions {
  /** Opens the segment to append to, or creates one; its content and its name are durable. */
  readonly open: () => Promise<OpenSegment>;
  /** A segment is full at this many bytes. */
  readonly segmentBytes: number;
  /** Called with durable records, before their appends resolve. */
  readonly onWritten: (addresses: readonly RecordAddress[]) => void;
  /** Called when nothing more will be written to a segment. Its records go up to `end`. */
  readonly onSealed: (id: string, end: number) => Promise<void>;
}

/** The only writer of segments: all queued appends share one write and one sync. */
export interface SegmentWriter extends AsyncDisposable {
  /** Returns the location once the record is durable. A failure leaves no record behind, or one that nothing refers to. */
  append(record: NewRecord): Promise<string>;
  /** After a failure, opens a segment to go on with. @throws what opening one throws */
  probe(): Promise<void>;
}

interface PendingAppend extends PromiseWithResolvers<string> {
  readonly record: NewRecord;
}

/** Limits of one batch: one system call takes header, bytes and padding of each record, and no append waits for long. */
const MAX_RECORDS = 340;
const MAX_BYTES = 8 * 1024 * 1024;
const PADDING = Buffer.alloc(ALIGNMENT);

export function createSegmentWriter(options: SegmentWriterOptions): SegmentWriter {
  let segment: OpenSegment | undefined;
  let waiting: PendingAppend[] = [];
  let running: Promise<void> | undefined;
  let failed = false;

  async function run(): Promise<void> {
    // Appends that arrive together share a batch: the first would otherwise have a sync of its own.
    await new Promise((resolve) => setImmediate(resolve));
    await finish();
  }

  async function finish(): Promise<void> {
    while (waiting.length > 0) await writeBatch(takeBatch());
    running = undefined;
  }

  function takeBatch(): readonly PendingAppend[] {
    let bytes = 0;
    const tooMany = waiting.findIndex(({ record }, index) => {
      bytes += record.bytes.byteLength;
      return index > 0 && (bytes > MAX_BYTES || index === MAX_RECORDS);
    });
    const batch = waiting.slice(0, tooMany === -1 ? waiting.length : tooMany);
    waiting = waiting.slice(batch.length);
    return batch;
  }

  async function writeBatch(batch: readonly PendingAppend[]): Promise<void> {
    try {
      segment ??= await options.open();
      failed = false;
      const { addresses, end } = await writeRecords(
        segment,
        batch.map(({ record }) => record),
      );
      options.onWritten(addresses);
      // The next batch begins in a block of its own, so acknowledged bytes are never written again.
      segment = { ...segment, end: align(end, BLOCK_BYTES) };
      for (const [index, { resolve }] of batch.entries()) resolve(formatLocation(addresses[index] as RecordAddress));
      if (segment.end >= options.segmentBytes) await seal(segment);
    } catch (error) {
      failed = true;
      for (const { reject } of batch) reject(error);
      if (segment !== undefined) await abandon(segment);
    }
  }

  /** After a failure it is unknown what was written last, and a second sync would not tell: never write to it again. */
  async function abandon(poisoned: OpenSegment): Promise<void> {
    await ftruncate(poisoned.fd, poisoned.end).catch(() => {});
    await seal(poisoned).catch(() => {});
  }

  async function seal(full: OpenSegment): Promise<void> {
    segment = undefined;
    await close(full.fd);
    await options.onSealed(full.id, full.end);
  }

  return {
    append(record) {
      const entry = { record, ...Promise.withResolvers<string>() };
      waiting.push(entry);
      running ??= run();
      return entry.promise;
    },
    async probe() {
      if (!failed || running !== undefined) return;
      const opening = options.open().then((opened) => {
        segment = opened;
        failed = false;
      });
      running = opening.then(finish, finish);
      await opening;
    },
    async [Symbol.asyncDispose]() {
      await running;
      if (segment !== undefined) await close(segment.fd);
      segment = undefined;
    },
  };
}

/** Does one write and one sync. Returns the addresses, and where the records end. */
async function writeRecords({ id, salt, fd, end: start }: OpenSegment, records: readonly NewRecord[]) {
  const writtenAt = Date.now();
  const vector: Uint8Array[] = [];
  const addresses: RecordAddress[] = [];
  let end = start;
  for (const { key, bytes, ...more } of records) {
    const length = bytes.byteLength;
    const header: RecordHeader = { offset: end, length, checksum: crc32(bytes), writtenAt, key, ...more };
    const padding = recordBytes(length) - RECORD_HEADER_BYTES - length;
    vector.push(encodeRecordHeader(header, salt), bytes, PADDING.subarray(0, padding));
    addresses.push(addressOf(id, header));
    end += recordBytes(length);
  }
  await writeVector(fd, vector, start);
  await fdatasync(fd);
  return { addresses, end };
}

async function writeVector(fd: number, vector: readonly Uint8Array[], position: number): Promise<void> {
  let left = vector.filter(({ byteLength }) => byteLength > 0);
  for (let at = position; left.length > 0; ) {
    const { bytesWritten } = await writev(fd, left, at);
    at += bytesWritten;
    left = without(left, bytesWritten);
  }
}

/** The pieces without their first `taken` bytes. */
function without(pieces: readonly Uint8Array[], taken: number): Uint8Array[] {
  let left = taken;
  return pieces.flatMap((piece) => {
    const part = piece.subarray(Math.min(left, piece.byteLength));
    left -= piece.byteLength - part.byteLength;
    return part.byteLength === 0 ? [] : [part];
  });
}
