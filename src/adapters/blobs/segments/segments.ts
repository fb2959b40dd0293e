import type { CompactableBlobs, FoundBlob, UnreadableBytes } from "../../../ports.ts";
import { damaged } from "../../files/file-reader.ts";
import type { FolderSync } from "../folder-sync.ts";
import { type Compactor, createCompactor } from "./compactor.ts";
import { parseGap, parseLocation, recordBytes } from "./format.ts";
import { createGrowingSegment } from "./growing-segment.ts";
import { listSegment } from "./listing.ts";
import { createLiveStats } from "./live-stats.ts";
import { createSegmentReader, type SegmentReader } from "./reader.ts";
import { createRemover } from "./remover.ts";
import { createSegmentFiles } from "./segment-files.ts";
import { createSegmentWriter, type NewRecord } from "./writer.ts";

export interface SegmentsOptions {
  readonly folder: string;
  readonly folders: FolderSync;
  /** A segment is full at this many bytes. */
  readonly segmentBytes: number;
  /** Bytes that compaction copies per second. */
  readonly compactionRate: number;
  /** Keys of blobs that their caller has not released. */
  readonly unreleased: Set<string>;
}

/** Small blobs, many in one file: appended, never changed, and overwritten with zeros when they are removed. */
export interface Segments extends CompactableBlobs, AsyncDisposable {
  /** Resumes the newest segment where it ends cleanly. Only for the process that holds the lock of the folder. */
  recover(): Promise<void>;
  append(record: NewRecord): Promise<string>;
  /** @throws StoreError `blob_damaged` */
  read(location: string, size: number): Promise<Uint8Array<ArrayBuffer>>;
  remove(location: string): Promise<void>;
  list(tell: (bytes: UnreadableBytes) => void): AsyncIterable<FoundBlob>;
  /** @throws when the last write failed and no new segment can be created */
  probe(): Promise<void>;
}

export function createSegments({ folder, folders, unreleased, ...options }: SegmentsOptions): Segments {
  const files = createSegmentFiles(folder, folders);
  const reader = createSegmentReader(files.pathOf);
  const liveStats = createLiveStats({ scan: (id) => files.scan(id), removals: (id) => remover.count(id) });
  const growing = createGrowingSegment({ files, liveStats, segmentBytes: options.segmentBytes });

  const writer = createSegmentWriter({
    segmentBytes: options.segmentBytes,
    open: () => growing.open(),
    onWritten(addresses) {
      for (const { segment, length } of addresses) liveStats.add(segment, { records: 1, bytes: recordBytes(length) });
    },
    onSealed(id) {
      growing.seal();
      return unlinkIfEmpty(id);
    },
  });

  const remover = createRemover({
    pathOf: files.pathOf,
    async onRemoved(id, { records, bytes }) {
      liveStats.add(id, { records: -records, bytes: -bytes });
      if (id !== growing.id) await unlinkIfEmpty(id);
    },
    onFailure: (id) => liveStats.delete(id),
  });

  const compactor = createCompactor({
    bytesPerSecond: options.compactionRate,
    sealed: async () => (await files.ids()).filter((id) => id !== growing.id),
    liveStatsOf: async (id) => (id === growing.id ? liveStats.known(id) : liveStats.of(id)),
    allocatedBytesOf: (id) => files.allocatedBytes(id),
    scan: (id) => files.scan(id),
    read: (address) => reader.read(address),
    append: (record) => writer.append(record),
    remove: (address) => remover.remove(address),
    unlinkIfEmpty,
    unreleased,
  });

  /** Not while it holds any byte but zeros: a repair may still heal what is damaged. */
  async function unlinkIfEmpty(id: string): Promise<void> {
    if (liveStats.known(id)?.records !== 0) return;
    for await (const _ of files.scan(id)) return;
    liveStats.delete(id);
    try {
      await files.remove(id);
    } finally {
      reader.forget(id);
    }
  }

  return {
    recover: () => growing.recover(),
    append: (record) => writer.append(record),
    read: (location, size) => readMoved(reader, compactor, location, size),
    remove: async (location) => remover.remove(parseGap(location) ?? requireAddress(location)),
    async *list(tell) {
      for (const id of await files.ids()) {
        const segment = { id, path: files.pathOf(id), items: files.scan(id), isGrowing: id === growing.id };
        yield* listSegment(segment, unreleased, tell);
      }
    },
    compact: (move, signal) => compactor.run(move, signal),
    probe: () => writer.probe(),
    async [Symbol.asyncDispose]() {
      await writer[Symbol.asyncDispose]();
      await remover[Symbol.asyncDispose]();
      await growing[Symbol.asyncDispose]();
      reader[Symbol.dispose]();
    },
  };
}

/** The caller may have got the location from the catalog before the compaction moved the blob. */
async function readMoved(
  reader: SegmentReader,
  compactor: Compactor,
  location: string,
  size: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const { length } = requireAddress(location);
  if (length !== size) throw damaged(`It has ${length} bytes, its record says ${size}.`);
  for (let current = location; ; ) {
    try {
      return await reader.read(requireAddress(current));
    } catch (error) {
      const moved = compactor.movedTo(current);
      if (moved === undefined) throw error;
      current = moved;
    }
  }
}

/** The location comes from this store's catalog, and still is never used as a path unchecked. */
function requireAddress(location: string) {
  const address = parseLocation(location);
  if (address === undefined) throw damaged(`${JSON.stringify(location)} is no location of this store.`);
  return address;
}
