import { mkdir, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { StoreError } from "../../domain/errors.ts";
import type { BlobContent, ByteRange } from "../../ports.ts";
import { createFreeSpace } from "../files/free-space.ts";
import {
  budgetBytes,
  type CacheEntry,
  type CacheIndex,
  type CacheObserver,
  createRecoveringIndex,
  type IndexSource,
  type RecoveringIndex,
} from "./cache-index.ts";
import { type CachedFile, type CachedFiles, openCachedFiles } from "./cached-files.ts";

export interface DiskCacheOptions<Entry extends CacheEntry, Index extends CacheIndex<Entry>> {
  /** What it caches, for error messages. */
  readonly of: string;
  /** Used by no other process. */
  readonly folder: string;
  /** Below this much free space no more files are kept; undefined: 1 % of the file system, at least 256 MiB. */
  readonly minFree: number | undefined;
  /** Memory for small files that are read often, in bytes. */
  readonly memoryBytes: number;
  /** A file may take this much of the budget at most. */
  readonly largestBytes: number;
  readonly index: IndexSource<Index>;
  readonly observer: CacheObserver;
  /** Called when entries leave the index. */
  readonly onRemoved?: () => void;
  /** Called when all entries leave the index: files that are being made for it are stale too. */
  readonly onStartOver?: () => void;
}

/** Where a file is now: in the cache, or only at `path`. */
export interface KeepResult {
  readonly isKept: boolean;
  readonly path: string;
}

/**
 * Files of this node under a budget of bytes, the least recently used evicted first. Losing any of them loses nothing: a
 * file that is missing, torn or unreadable leaves the cache, and the caller gets it elsewhere.
 */
export interface DiskCache<Entry extends CacheEntry, Index extends CacheIndex<Entry>> extends Disposable {
  readonly files: CachedFiles;
  readonly index: RecoveringIndex<Index>;
  /** Whether budget and disk have room for a file of that size; if so, the room is taken. */
  hasRoom(size: number): Promise<boolean>;
  /**
   * Moves a temporary file into the cache, and evicts others until all are within the budget. `isWanted` is asked once the
   * file is in its place. On any failure, the file is not kept.
   */
  keep(temporaryPath: string, entry: Entry, isWanted?: () => boolean): Promise<KeepResult>;
  /** @throws when its bytes are not those that were stored */
  verify(entry: CacheEntry): Promise<void>;
  /** @throws when the file is missing, torn or unreadable; it has then left the cache */
  read(entry: CacheEntry, range?: ByteRange): Promise<BlobContent>;
  /** Removes entries and files. @throws when the disk refuses; the entries are gone all the same */
  remove(entries: readonly CachedFile[]): Promise<void>;
  /** @throws StoreError `unavailable` for whatever `work` throws */
  change<Result>(work: () => Promise<Result>): Promise<Result>;
  observeTotals(): void;
}

/** @throws Error when another process has the folder, or it cannot be created */
export async function openDiskCache<Entry extends CacheEntry, Index extends CacheIndex<Entry>>(
  options: DiskCacheOptions<Entry, Index>,
): Promise<DiskCache<Entry, Index>> {
  const { largestBytes, observer, onRemoved = () => {} } = options;
  const folder = resolve(options.folder);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const opened = options.index.open();
  const files = await openCachedFiles(folder, options.memoryBytes);
  const freeSpace = createFreeSpace(folder, options.minFree);
  const index = createRecoveringIndex<Entry, Index>(opened, files, { ...options, onRemoved });
  const observeTotals = () => observer.holds(index.current.totals);
  const reader = createReader<Entry, Index>(files, index, observeTotals);
  /** A file that cannot be removed now is removed with later ones, or at the next start. */
  const removeQuietly = (removed: readonly CachedFile[]) => files.remove(removed.map(files.pathOf)).catch(() => {});

  async function put(entry: Entry): Promise<void> {
    const { replaced, evicted } = index.current.put(entry);
    const removed = [...replaced, ...evicted];
    if (removed.length > 0) onRemoved();
    observer.evicted(evicted.length);
    observeTotals();
    await removeQuietly(removed);
  }

  await removeQuietly(await index.reconcile());
  observeTotals();

  return {
    files,
    index,
    observeTotals,

    async hasRoom(size) {
      if (budgetBytes(size) > largestBytes) return false;
      return freeSpace.take(size).then(
        () => true,
        () => false,
      );
    },

    async keep(temporaryPath, entry, isWanted = () => true) {
      let path = temporaryPath;
      try {
        await files.keep(path, entry);
        path = files.pathOf(entry);
        // Nothing is awaited from here until the entry is in the index, so no removal can come between.
        if (!isWanted()) return { isKept: false, path };
        await put(entry);
        return { isKept: true, path };
      } catch (error) {
        index.recoverFrom(error);
        return { isKept: false, path };
      }
    },

    ...reader,

    async remove(entries) {
      try {
        await files.remove(entries.map(files.pathOf));
      } finally {
        // After the files, which make room for the change of the index on a full disk.
        await index.remove(entries);
      }
    },

    async change(work) {
      try {
        return await work();
      } catch (cause) {
        index.recoverFrom(cause);
        throw new StoreError("unavailable", `The cache of ${options.of} could not be changed.`, { cause });
      } finally {
        observeTotals();
      }
    },

    [Symbol.dispose]() {
      index[Symbol.dispose]();
      files[Symbol.dispose]();
    },
  };
}

function createReader<Entry extends CacheEntry, Index extends CacheIndex<Entry>>(
  files: CachedFiles,
  index: RecoveringIndex<Index>,
  observeTotals: () => void,
): Pick<DiskCache<Entry, Index>, "verify" | "read"> {
  const verify = (entry: CacheEntry): Promise<void> => (entry.verified ??= check(entry));

  async function check(entry: CacheEntry): Promise<void> {
    if (!(await files.hasDigest(files.pathOf(entry), entry)))
      throw new Error("The file has other bytes than were stored.");
    index.attempt((current) => current.markVerified(entry));
  }

  return {
    verify,
    async read(entry, range) {
      const { size } = entry;
      const path = files.pathOf(entry);
      try {
        await verify(entry);
        const content = await files.read(path, range === undefined ? { size } : { size, range });
        // A stream opens the file by its name, and only when it is sent.
        if (content instanceof ReadableStream && (await stat(path)).size !== size)
          throw new Error("The file became shorter.");
        return content;
      } catch (error) {
        await files.remove([path]).catch(() => {});
        await index.remove([entry]).catch(() => {});
        observeTotals();
        throw error;
      }
    },
  };
}
