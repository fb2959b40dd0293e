import { mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { BlobMove } from "../../../domain/blob.ts";
import type { FoundBlob, UnreadableBytes } from "../../../ports.ts";
import { damaged } from "../../files/file-reader.ts";
import {
  close,
  fdatasync,
  fsync,
  isDiskFailure,
  isMissing,
  open,
  readFully,
  unlinkIfThere,
  writeAll,
} from "../../files/file-system.ts";
import { createOpenFiles } from "../../files/open-files.ts";
import type { FolderSync } from "../folder-sync.ts";
import { createCompactor } from "./compactor.ts";
import {
  align,
  BLOCK_BYTES,
  decodeSegmentHeader,
  encodeSegmentHeader,
  formatGap,
  formatLocation,
  isHitBy,
  isOfOtherVersion,
  newSegmentHeader,
  parseGap,
  parseLocation,
  placeOf,
  recordBytes,
  type SegmentHeader,
  segmentFileName,
  segmentIdOf,
} from "./format.ts";
import { createSegmentReader } from "./reader.ts";
import { createRemover } from "./remover.ts";
import { type Finding, scanSegment } from "./scan.ts";
import { createSegmentWriter, type NewRecord, type OpenSegment } from "./writer.ts";

export interface SegmentsOptions {
  readonly folder: string;
  readonly folders: FolderSync;
  /** A segment is full at this many bytes. */
  readonly segmentBytes: number;
  /** Bytes that compaction copies a second. */
  readonly compactionRate: number;
  /** Keys of blobs whose change was not answered yet. */
  readonly unsettled: Set<string>;
}

/** Small blobs, many in one file: appended, never changed, and zeros once they were removed. */
export interface Segments extends AsyncDisposable {
  /** Goes on with the newest segment where that ends cleanly. For who holds the lock of the folder. */
  recover(): Promise<void>;
  append(record: NewRecord): Promise<string>;
  /** @throws StoreError `blob_damaged` */
  read(location: string, size: number): Promise<Uint8Array<ArrayBuffer>>;
  remove(location: string): Promise<void>;
  list(tell: (bytes: UnreadableBytes) => void): AsyncIterable<FoundBlob>;
  compact(move: (moves: readonly BlobMove[]) => Promise<readonly string[]>, signal: AbortSignal): Promise<void>;
  /** @throws when the last write failed and no fresh segment can be made */
  probe(): Promise<void>;
}

/** What is in a segment that was not removed: how many records, and bytes of the segment. */
export interface Living {
  readonly records: number;
  readonly bytes: number;
}

const KEPT_OPEN = 1024;

export function createSegments({ folder, folders, unsettled, ...options }: SegmentsOptions): Segments {
  const openFiles = createOpenFiles(KEPT_OPEN);
  const reader = createSegmentReader(openFiles);
  const pathOf = (id: string) => join(folder, segmentFileName(id));
  /** Of segments that were made or walked since the start; any but the growing one only loses. */
  const living = new Map<string, Living>();
  /** Where to go on; found at the start. */
  let newest: OpenSegment | undefined;
  /** The one segment that grows; no other is anything ever written to. */
  let growing: string | undefined;

  const writer = createSegmentWriter({
    segmentBytes: options.segmentBytes,
    async open() {
      const next = newest ?? (await createSegment());
      newest = undefined;
      return next;
    },
    onWritten(places) {
      for (const { segment, length } of places) count(segment, 1, recordBytes(length));
    },
    onSealed: (id) => {
      growing = undefined;
      return unlinkIfEmpty(id);
    },
  });

  const remover = createRemover({
    pathOf,
    async onRemoved(id, removed) {
      count(id, -removed.records, -removed.bytes);
      if (id !== growing) await unlinkIfEmpty(id);
    },
    onFailure: (id) => living.delete(id),
  });

  const compactor = createCompactor({
    bytesPerSecond: options.compactionRate,
    sealed: async () => (await idsOf()).filter((id) => id !== growing),
    livingOf,
    allocatedOf,
    scan: (id) => scan(id),
    read: (place) => reader.read(pathOf(place.segment), place),
    append: (record) => writer.append(record),
    remove: (place) => remover.remove(place),
    unlinkIfEmpty,
    unsettled,
  });

  function count(id: string, records: number, bytes: number): void {
    const before = living.get(id);
    if (before !== undefined) living.set(id, { records: before.records + records, bytes: before.bytes + bytes });
  }

  async function createSegment(): Promise<OpenSegment> {
    const header = newSegmentHeader();
    growing = header.id;
    const path = pathOf(header.id);
    const fd = await open(path, "wx", 0o600);
    try {
      await writeAll(fd, encodeSegmentHeader(header));
      await fsync(fd);
      await folders.sync(folder);
    } catch (error) {
      growing = undefined;
      await Promise.allSettled([close(fd), unlinkIfThere(path)]);
      throw error;
    }
    living.set(header.id, { records: 0, bytes: 0 });
    return { ...header, fd, end: BLOCK_BYTES };
  }

  async function idsOf(): Promise<readonly string[]> {
    const names = await readdir(folder).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    });
    return names
      .map(segmentIdOf)
      .filter((id) => id !== undefined)
      .toSorted();
  }

  /** Nothing where the segment is gone by now. */
  async function* scan(id: string): AsyncGenerator<Finding> {
    let fd: number;
    try {
      fd = await open(pathOf(id), "r");
    } catch (error) {
      if (isMissing(error)) return;
      throw error;
    }
    try {
      const { size } = await stat(pathOf(id));
      const header = await readSegmentHeader(fd, id);
      if (header === undefined) yield { kind: "unreadable", offset: 0, size, isRefused: true };
      else yield* scanSegment(fd, header.salt, size);
    } catch (error) {
      if (!isMissing(error)) throw error;
    } finally {
      await close(fd);
    }
  }

  async function* list(tell: (bytes: UnreadableBytes) => void): AsyncGenerator<FoundBlob> {
    for (const id of await idsOf()) {
      const isGrowing = id === growing;
      for await (const finding of scan(id)) {
        if (finding.kind === "unreadable") {
          const { offset, size } = finding;
          const extent = { path: pathOf(id), offset, length: size };
          tell({ where: `segment ${id} at ${offset}`, size, extent, ...(isGrowing ? {} : remainsOf(id, finding)) });
          continue;
        }
        const { record } = finding;
        // Listed as well, so that the sweeper takes what is left of it, where nobody has a record of it.
        if (finding.isCutShort) {
          const extent = { path: pathOf(id), offset: record.offset, length: recordBytes(record.length) };
          tell({ where: `segment ${id} at ${record.offset}, cut short`, size: record.length, extent });
        }
        const location = formatLocation(placeOf(id, record));
        // It was read before this looks at what is on its way, and whoever asks the catalog does so after.
        if (!unsettled.has(record.key))
          yield { key: record.key, location, size: record.length, modifiedAt: record.writtenAt };
      }
    }
  }

  async function recover(): Promise<void> {
    await mkdir(folder, { recursive: true });
    await folders.sync(folder);
    const id = (await idsOf()).at(-1);
    if (id === undefined) return;
    const fd = await open(pathOf(id), "r+");
    const header = await readSegmentHeader(fd, id);
    const { size } = await stat(pathOf(id));
    const end = header === undefined ? undefined : await findEnd(id, size);
    // What a killed process wrote may be in memory only, its length too. A record that is listed, and given up as
    // nobody's, must not lie where another will after a power cut.
    const isDurable = await fdatasync(fd).then(
      () => true,
      () => false,
    );
    if (isDurable && header !== undefined && end !== undefined && end < options.segmentBytes) {
      newest = { ...header, fd, end };
      growing = id;
      return;
    }
    await close(fd);
    // Made by a start that was cut off before its first record.
    if (header === undefined && size <= BLOCK_BYTES) await unlinkIfThere(pathOf(id));
  }

  /** Undefined where a crash tore something, or worse: nothing more is written to it, so that the sweeper may clean it. */
  async function findEnd(id: string, size: number): Promise<number | undefined> {
    const { isTorn, ...found } = await countRecords(id);
    living.set(id, found);
    return isTorn ? undefined : align(size, BLOCK_BYTES);
  }

  /** Of one that is sealed and was not made since the start, the records are counted; not while some of them go. */
  async function livingOf(id: string): Promise<Living | undefined> {
    const removals = remover.count(id);
    if (living.has(id) || id === growing || removals === undefined) return living.get(id);
    const { records, bytes } = await countRecords(id);
    if (removals === remover.count(id)) living.set(id, { records, bytes });
    return living.get(id);
  }

  async function countRecords(id: string) {
    const found = { records: 0, bytes: 0, isTorn: false };
    for await (const finding of scan(id)) {
      found.isTorn ||= finding.kind === "unreadable" || finding.isCutShort;
      if (finding.kind === "unreadable") continue;
      found.records++;
      found.bytes += recordBytes(finding.record.length);
    }
    return found;
  }

  /** 0 for one that went meanwhile. */
  async function allocatedOf(id: string): Promise<number> {
    try {
      const { blocks } = await stat(pathOf(id));
      return blocks * 512;
    } catch (error) {
      if (isMissing(error)) return 0;
      throw error;
    }
  }

  /** Not while anything is in it that is no zero: what is damaged may still be wanted by somebody who can mend it. */
  async function unlinkIfEmpty(id: string): Promise<void> {
    if (living.get(id)?.records !== 0) return;
    for await (const _ of scan(id)) return;
    living.delete(id);
    await unlinkIfThere(pathOf(id));
    openFiles.forget(pathOf(id));
    await folders.sync(folder);
  }

  return {
    recover,
    append: (record) => writer.append(record),
    async read(location, size) {
      const place = requirePlace(location);
      if (place.length !== size) throw damaged(`It has ${place.length} bytes, its record says ${size}.`);
      for (let at = place, current = location; ; at = requirePlace(current)) {
        try {
          return await reader.read(pathOf(at.segment), at);
        } catch (error) {
          // Whoever reads it was told of the location before it was compacted.
          const moved = compactor.movedTo(current);
          if (moved === undefined) throw error;
          current = moved;
        }
      }
    },
    remove: async (location) => remover.remove(parseGap(location) ?? requirePlace(location)),
    list,
    compact: (move, signal) => compactor.run(move, signal),
    probe: () => writer.probe(),
    async [Symbol.asyncDispose]() {
      await writer[Symbol.asyncDispose]();
      await remover[Symbol.asyncDispose]();
      if (newest !== undefined) await close(newest.fd);
      openFiles[Symbol.dispose]();
    },
  };
}

/** Not of what the disk may give another time, nor where the segment cannot tell of any record. */
function remainsOf(id: string, { offset, size, isRefused }: Extract<Finding, { kind: "unreadable" }>) {
  if (isRefused) return {};
  const gap = { segment: id, offset, length: size };
  const isOf = (location: string) => {
    const place = parseLocation(location);
    return place !== undefined && isHitBy(place, gap);
  };
  return { remains: { location: formatGap(gap), isOf } };
}

async function readSegmentHeader(fd: number, id: string): Promise<SegmentHeader | undefined> {
  const block = Buffer.alloc(BLOCK_BYTES);
  try {
    await readFully(fd, block, 0);
  } catch (error) {
    if (!isDiskFailure(error)) throw error;
  }
  if (isOfOtherVersion(block))
    throw new Error(`Segment ${id} was written by another version of Image Store. Use that one, or a later one.`);
  return decodeSegmentHeader(block, id);
}

/** It comes from our catalog, and still is never taken for a path. */
function requirePlace(location: string) {
  const place = parseLocation(location);
  if (place === undefined) throw damaged(`${JSON.stringify(location)} is no location of this store.`);
  return place;
}
