import * as fs from "node:fs";
import { promisify } from "node:util";
import { crc32 } from "node:zlib";
import { close, fdatasync } from "../../files/file-system.ts";
import {
  ALIGNMENT,
  align,
  BLOCK_BYTES,
  encodeRecordHeader,
  formatLocation,
  type Place,
  placeOf,
  RECORD_HEADER_BYTES,
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
  /** Where the next batch begins: a block that was never written. */
  readonly end: number;
}

/** What becomes a record. The bytes are not copied, and must stay as they are until it is answered. */
export interface NewRecord {
  readonly key: string;
  readonly bytes: Uint8Array;
  /** Milliseconds since 1970; default: now. */
  readonly writtenAt?: number;
}

export interface SegmentWriterOptions {
  /** To go on with, or a fresh one; durable, as far as it is, with its name. */
  readonly open: () => Promise<OpenSegment>;
  /** A segment is full at this many bytes. */
  readonly segmentBytes: number;
  /** These are durable; called before anybody is answered. */
  readonly onWritten: (places: readonly Place[]) => void;
  /** Nothing more is written to it; its records go up to `end`. */
  readonly onSealed: (id: string, end: number) => Promise<void>;
}

/** The one writer of segments: all who wait share one write and one sync. */
export interface SegmentWriter extends AsyncDisposable {
  /** The segment that is written to; undefined before the first record, and between two. */
  readonly current: string | undefined;
  /** Answers the location, when the record is durable. What fails leaves no record behind, or one that nobody refers to. */
  append(record: NewRecord): Promise<string>;
  /** After a failure: whether there is a segment to go on with. @throws what opening one throws */
  probe(): Promise<void>;
}

interface Waiting extends PromiseWithResolvers<string> {
  readonly record: NewRecord;
}

/** Of one batch: header, bytes and padding of each are what one system call takes, and nobody waits for long. */
const MAX_RECORDS = 340;
const MAX_BYTES = 8 * 1024 * 1024;
const PADDING = Buffer.alloc(ALIGNMENT);

export function createSegmentWriter(options: SegmentWriterOptions): SegmentWriter {
  let segment: OpenSegment | undefined;
  let waiting: Waiting[] = [];
  let running: Promise<void> | undefined;
  let failed = false;

  async function run(): Promise<void> {
    // Those that arrived together go together: the first would otherwise have a sync for itself.
    await new Promise((resolve) => setImmediate(resolve));
    await finish();
  }

  async function finish(): Promise<void> {
    while (waiting.length > 0) await writeBatch(takeBatch());
    running = undefined;
  }

  function takeBatch(): readonly Waiting[] {
    let bytes = 0;
    const tooMany = waiting.findIndex(({ record }, index) => {
      bytes += record.bytes.byteLength;
      return index > 0 && (bytes > MAX_BYTES || index === MAX_RECORDS);
    });
    const batch = waiting.slice(0, tooMany === -1 ? waiting.length : tooMany);
    waiting = waiting.slice(batch.length);
    return batch;
  }

  async function writeBatch(batch: readonly Waiting[]): Promise<void> {
    try {
      segment ??= await options.open();
      failed = false;
      const { places, end } = await writeRecords(
        segment,
        batch.map(({ record }) => record),
      );
      options.onWritten(places);
      // The next batch begins in a block of its own, so that what was acknowledged is never written again.
      segment = { ...segment, end: align(end, BLOCK_BYTES) };
      for (const [index, { resolve }] of batch.entries()) resolve(formatLocation(places[index] as Place));
      if (segment.end >= options.segmentBytes) await seal(segment);
    } catch (error) {
      failed = true;
      for (const { reject } of batch) reject(error);
      if (segment !== undefined) await abandon(segment);
    }
  }

  /** After a failure nothing is known of what was written last, and no second sync would tell: never write to it again. */
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
    get current() {
      return segment?.id;
    },
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

/** One write and one sync. Answers where they are, and where they end. */
async function writeRecords({ id, salt, fd, end: start }: OpenSegment, records: readonly NewRecord[]) {
  const writtenAt = Date.now();
  const vector: Uint8Array[] = [];
  const places: Place[] = [];
  let end = start;
  for (const { key, bytes, ...more } of records) {
    const length = bytes.byteLength;
    const header: RecordHeader = { offset: end, length, checksum: crc32(bytes), writtenAt, key, ...more };
    const padding = recordBytes(length) - RECORD_HEADER_BYTES - length;
    vector.push(encodeRecordHeader(header, salt), bytes, PADDING.subarray(0, padding));
    places.push(placeOf(id, header));
    end += recordBytes(length);
  }
  await writeVector(fd, vector, start);
  await fdatasync(fd);
  return { places, end };
}

async function writeVector(fd: number, vector: readonly Uint8Array[], position: number): Promise<void> {
  let left = vector.filter(({ byteLength }) => byteLength > 0);
  for (let at = position; left.length > 0; ) {
    const { bytesWritten } = await writev(fd, left, at);
    at += bytesWritten;
    left = without(left, bytesWritten);
  }
}

/** What is left of the pieces when so many bytes were taken from their beginning. */
function without(pieces: readonly Uint8Array[], taken: number): Uint8Array[] {
  let left = taken;
  return pieces.flatMap((piece) => {
    const part = piece.subarray(Math.min(left, piece.byteLength));
    left -= piece.byteLength - part.byteLength;
    return part.byteLength === 0 ? [] : [part];
  });
}
