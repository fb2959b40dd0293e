import { pause } from "../../../concurrency/clock.ts";
import type { BlobMove } from "../../../domain/blob.ts";
import { StoreError } from "../../../domain/errors.ts";
import {
  addressOf,
  formatLocation,
  parseLocation,
  type RecordAddress,
  type RecordHeader,
  recordBytes,
} from "./format.ts";
import type { LiveStats } from "./live-stats.ts";
import type { ScanItem } from "./scan.ts";
import type { NewRecord } from "./writer.ts";

export interface CompactorOptions {
  readonly bytesPerSecond: number;
  /** Ids of the segments that are not written to any more. */
  readonly sealed: () => Promise<readonly string[]>;
  /** Undefined where the stats are not known now. */
  readonly liveStatsOf: (segment: string) => Promise<LiveStats | undefined>;
  /** Bytes of the disk. */
  readonly allocatedBytesOf: (segment: string) => Promise<number>;
  readonly scan: (segment: string) => AsyncIterable<ScanItem>;
  readonly read: (address: RecordAddress) => Promise<Uint8Array>;
  readonly append: (record: NewRecord) => Promise<string>;
  readonly remove: (address: RecordAddress) => Promise<void>;
  /** Removes the segment if it holds nothing but zeros. */
  readonly unlinkIfEmpty: (segment: string) => Promise<void>;
  readonly unreleased: Set<string>;
}

export type Move = (moves: readonly BlobMove[]) => Promise<readonly string[]>;

/** Moves live records out of segments that are more than half dead, which reclaims their space. */
export interface Compactor {
  run(move: Move, signal: AbortSignal): Promise<void>;
  /** The new location of a blob that moved within the last minute, for a reader that still has the old one. */
  movedTo(location: string): string | undefined;
}

/** Limits of one batch, which is copied, recorded and removed together. */
const BATCH_BYTES = 2 * 1024 * 1024;
const BATCH_RECORDS = 128;
/** How long a reader may take from the catalog's answer to its read, unless very many blobs move meanwhile. */
const REMEMBERED_MS = 60_000;
const MOST_REMEMBERED = 65_536;

export function createCompactor(options: CompactorOptions): Compactor {
  const { unreleased } = options;
  /** Live bytes of segments after an attempt: a segment is not tried again until they change. */
  const stuck = new Map<string, number>();
  const recent = createRecentMoves();

  /** Stops when no blob may be moved, as during a backup: the next run tries again. */
  async function compact(segment: string, move: Move, signal: AbortSignal): Promise<void> {
    for await (const batch of batchesOf(options.scan(segment), unreleased)) {
      if (signal.aborted || !(await relocate(segment, batch, move))) return;
      const bytes = batch.reduce((sum, { length }) => sum + recordBytes(length), 0);
      await pause((bytes / options.bytesPerSecond) * 1000, signal);
    }
    stuck.set(segment, (await options.liveStatsOf(segment))?.bytes ?? 0);
  }

  /**
   * Writes durable copies, then the catalog, then removes the old records. A crash in between leaves two copies of a key,
   * of which the catalog names one: the listing shows both, and the sweeper removes the other.
   * @returns false when no record could be moved
   */
  async function relocate(segment: string, records: readonly RecordHeader[], move: Move): Promise<boolean> {
    for (const { key } of records) unreleased.add(key);
    try {
      const copies = await Promise.all(records.map((record) => copy(segment, record)));
      const moves = copies.filter((each) => each !== undefined);
      if (moves.length === 0) return true;
      const done = new Set(await move(moves));
      recent.expire();
      for (const { key, from, to } of moves) if (done.has(key)) recent.add(from, to);
      await Promise.all(moves.map(({ key, from, to }) => options.remove(requireAddress(done.has(key) ? from : to))));
      return done.size > 0;
    } finally {
      for (const { key } of records) unreleased.delete(key);
    }
  }

  /** Undefined where the bytes are damaged: they stay, since a repair may heal them. */
  async function copy(segment: string, record: RecordHeader): Promise<BlobMove | undefined> {
    const { key, writtenAt } = record;
    const address = addressOf(segment, record);
    try {
      const bytes = await options.read(address);
      return { key, from: formatLocation(address), to: await options.append({ key, bytes, writtenAt }) };
    } catch (error) {
      if (error instanceof StoreError && error.code === "blob_damaged") return undefined;
      throw error;
    }
  }

  return {
    async run(move, signal) {
      recent.expire();
      for (const segment of await options.sealed()) {
        if (signal.aborted) return;
        const liveStats = await options.liveStatsOf(segment);
        if (liveStats === undefined || liveStats.bytes === stuck.get(segment)) continue;
        if (liveStats.records === 0) {
          await options.unlinkIfEmpty(segment);
          stuck.set(segment, 0);
        } else if ((await options.allocatedBytesOf(segment)) > 2 * liveStats.bytes)
          await compact(segment, move, signal);
      }
    },
    movedTo: recent.get,
  };
}

function requireAddress(location: string): RecordAddress {
  const address = parseLocation(location);
  if (address === undefined) throw new Error(`${location} is no location of a segment.`);
  return address;
}

/** Leaves out blobs that were not released: the catalog is about to learn their location. */
async function* batchesOf(
  items: AsyncIterable<ScanItem>,
  unreleased: ReadonlySet<string>,
): AsyncGenerator<readonly RecordHeader[]> {
  let batch: RecordHeader[] = [];
  let bytes = 0;
  for await (const item of items) {
    if (item.kind !== "record" || item.isCutShort || unreleased.has(item.record.key)) continue;
    batch.push(item.record);
    bytes += recordBytes(item.record.length);
    if (bytes < BATCH_BYTES && batch.length < BATCH_RECORDS) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  if (batch.length > 0) yield batch;
}

/** New locations by old ones, kept in two generations that expire as wholes. */
function createRecentMoves() {
  let moves = new Map<string, string>();
  let older = new Map<string, string>();
  let expiredAt = performance.now();

  function expire(): void {
    if (moves.size < MOST_REMEMBERED && performance.now() - expiredAt < REMEMBERED_MS) return;
    expiredAt = performance.now();
    older = moves;
    moves = new Map();
  }

  return {
    expire,
    add(from: string, to: string): void {
      moves.set(from, to);
    },
    get: (from: string): string | undefined => moves.get(from) ?? older.get(from),
  };
}
