import { setTimeout as sleep } from "node:timers/promises";
import type { BlobMove } from "../../../domain/blob.ts";
import { StoreError } from "../../../domain/errors.ts";
import { formatLocation, type Place, parseLocation, placeOf, type RecordHeader, recordBytes } from "./format.ts";
import type { Finding } from "./scan.ts";
import type { Living } from "./segments.ts";
import type { NewRecord } from "./writer.ts";

export interface CompactorOptions {
  readonly bytesPerSecond: number;
  /** Segments that nothing is written to any more. */
  readonly sealed: () => Promise<readonly string[]>;
  /** Undefined where that is not to be known now. */
  readonly livingOf: (segment: string) => Promise<Living | undefined>;
  /** Bytes of the disk. */
  readonly allocatedOf: (segment: string) => Promise<number>;
  readonly scan: (segment: string) => AsyncIterable<Finding>;
  readonly read: (place: Place) => Promise<Uint8Array>;
  readonly append: (record: NewRecord) => Promise<string>;
  readonly remove: (place: Place) => Promise<void>;
  /** Where nothing is in it at all any more. */
  readonly unlinkIfEmpty: (segment: string) => Promise<void>;
  readonly unsettled: Set<string>;
}

export type Move = (moves: readonly BlobMove[]) => Promise<readonly string[]>;

/** Moves what lives out of segments of which more than half is dead, and so gives their space back. */
export interface Compactor {
  run(move: Move, signal: AbortSignal): Promise<void>;
  /** For a reader that was told of the old location a moment before. */
  movedTo(location: string): string | undefined;
}

/** What is copied, recorded and removed in one go. */
const BATCH_BYTES = 2 * 1024 * 1024;
const BATCH_RECORDS = 128;
/** How long a reader may take from the catalog's answer to its read; it is at least that, but where so many move meanwhile. */
const REMEMBERED_MS = 60_000;
const MOST_REMEMBERED = 65_536;

export function createCompactor(options: CompactorOptions): Compactor {
  const { unsettled } = options;
  /** What was left in a segment that was tried: it is not tried again while that is so. */
  const stuck = new Map<string, number>();
  let moved = new Map<string, string>();
  let movedBefore = new Map<string, string>();
  let turnedAt = performance.now();

  /** Ends where nothing may be moved: somebody holds the store, and it is tried again in the next run. */
  async function compact(segment: string, move: Move, signal: AbortSignal): Promise<void> {
    for await (const batch of batchesOf(segment)) {
      if (signal.aborted || !(await relocate(segment, batch, move))) return;
      const bytes = batch.reduce((sum, { length }) => sum + recordBytes(length), 0);
      await sleep((bytes / options.bytesPerSecond) * 1000, undefined, { signal }).catch(() => {});
    }
    stuck.set(segment, (await options.livingOf(segment))?.bytes ?? 0);
  }

  /** Without those on their way, whose place the catalog is about to be told. */
  async function* batchesOf(segment: string): AsyncGenerator<readonly RecordHeader[]> {
    let batch: RecordHeader[] = [];
    let bytes = 0;
    for await (const finding of options.scan(segment)) {
      if (finding.kind !== "record" || finding.isCutShort || unsettled.has(finding.record.key)) continue;
      batch.push(finding.record);
      bytes += recordBytes(finding.record.length);
      if (bytes < BATCH_BYTES && batch.length < BATCH_RECORDS) continue;
      yield batch;
      batch = [];
      bytes = 0;
    }
    if (batch.length > 0) yield batch;
  }

  /**
   * Copies durable first, then the catalog, then the old ones go. A crash in between leaves two copies of a key, of which
   * the catalog names one: the listing shows both, and the sweeper removes the other. Answers false when none of them could be moved.
   */
  async function relocate(segment: string, records: readonly RecordHeader[], move: Move): Promise<boolean> {
    for (const { key } of records) unsettled.add(key);
    try {
      const copies = await Promise.all(records.map((record) => copy(segment, record)));
      const moves = copies.filter((each) => each !== undefined);
      if (moves.length === 0) return true;
      const done = new Set(await move(moves));
      forgetOldMoves();
      for (const { key, from, to } of moves) if (done.has(key)) moved.set(from, to);
      await Promise.all(moves.map(({ key, from, to }) => options.remove(requirePlace(done.has(key) ? from : to))));
      return done.size > 0;
    } finally {
      for (const { key } of records) unsettled.delete(key);
    }
  }

  /** Undefined where the bytes are damaged: they stay, for whoever can mend them. */
  async function copy(segment: string, record: RecordHeader): Promise<BlobMove | undefined> {
    const { key, writtenAt } = record;
    const place = placeOf(segment, record);
    try {
      const bytes = await options.read(place);
      return { key, from: formatLocation(place), to: await options.append({ key, bytes, writtenAt }) };
    } catch (error) {
      if (error instanceof StoreError && error.code === "blob_damaged") return undefined;
      throw error;
    }
  }

  function forgetOldMoves(): void {
    if (moved.size < MOST_REMEMBERED && performance.now() - turnedAt < REMEMBERED_MS) return;
    turnedAt = performance.now();
    movedBefore = moved;
    moved = new Map();
  }

  return {
    async run(move, signal) {
      forgetOldMoves();
      for (const segment of await options.sealed()) {
        if (signal.aborted) return;
        const living = await options.livingOf(segment);
        if (living === undefined || living.bytes === stuck.get(segment)) continue;
        if (living.records === 0) {
          await options.unlinkIfEmpty(segment);
          stuck.set(segment, 0);
        } else if ((await options.allocatedOf(segment)) > 2 * living.bytes) await compact(segment, move, signal);
      }
    },
    movedTo: (location) => moved.get(location) ?? movedBefore.get(location),
  };
}

function requirePlace(location: string): Place {
  const place = parseLocation(location);
  if (place === undefined) throw new Error(`${location} is no location of a segment.`);
  return place;
}
