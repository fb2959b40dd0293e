import type { CachedFile, CachedFiles } from "./cached-files.ts";

/** A file of the cache, and what the index knows of it. */
export interface CacheEntry extends CachedFile {
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
  /**
   * Resolves when its bytes turned out to have the digest. Undefined before the first read of a file that an earlier
   * process wrote: no write is synced, so a power cut may have torn it.
   */
  verified: Promise<void> | undefined;
}

export interface CacheObserver {
  /** Whether the cache had what it was asked for. */
  found(hit: boolean): void;
  evicted(files: number): void;
  holds(totals: CacheTotals): void;
}

/** Bytes as the budget counts them. */
export interface CacheTotals {
  readonly bytes: number;
  readonly entries: number;
}

export const BLOCK_BYTES = 4096;

/** What a file takes of the disk and of the budget: at least a block, which bounds the number of files too. */
export const budgetBytes = (size: number): number => Math.max(1, Math.ceil(size / BLOCK_BYTES)) * BLOCK_BYTES;

/** What a cache knows of its files. Every call may throw; then it changed nothing. */
export interface CacheIndex<Entry extends CacheEntry> extends Disposable {
  readonly totals: CacheTotals;
  /** Returns the files to remove: those that had the name, and the least recently used until the rest is in the budget. */
  put(entry: Entry): { readonly replaced: readonly CachedFile[]; readonly evicted: readonly CachedFile[] };
  /** The bytes of the file have its digest. */
  markVerified(file: CachedFile): void;
  remove(files: readonly CachedFile[]): void;
}

/** Where the index of a cache comes from. */
export interface IndexSource<Index> {
  /** @throws Error when another process has it */
  open(): Index;
  /** An empty one in place of one that cannot be used. */
  openFresh(): Index;
  /** Whether an error says that the index will never be readable again. */
  isCorrupt(error: unknown): boolean;
  /** After the start: makes the index agree with the files, and returns the files to remove. */
  reconcile(index: Index, files: CachedFiles): Promise<readonly CachedFile[]>;
}

/** The index of a cache, replaced by an empty one when it turns out to be corrupt. */
export interface RecoveringIndex<Index> extends Disposable {
  readonly current: Index;
  /** {@link IndexSource.reconcile}; starts over where it fails. */
  reconcile(): Promise<readonly CachedFile[]>;
  /** Returns undefined where `work` fails: the cache does without. */
  attempt<Result>(work: (index: Index) => Result): Result | undefined;
  /** Starts over if the error says that the index is corrupt. */
  recoverFrom(error: unknown): void;
  /** Starts over where the index takes no change, as on a full disk: it would name files that are gone. */
  remove(files: readonly CachedFile[]): Promise<void>;
  /** Replaces the index at once; resolves when the files are removed. */
  startOver(): Promise<void>;
}

export interface RecoveringIndexOptions<Index> {
  readonly index: IndexSource<Index>;
  readonly observer: CacheObserver;
  readonly onRemoved: () => void;
  readonly onStartOver?: () => void;
}

export function createRecoveringIndex<Entry extends CacheEntry, Index extends CacheIndex<Entry>>(
  opened: Index,
  files: CachedFiles,
  { index: source, observer, onRemoved, onStartOver }: RecoveringIndexOptions<Index>,
): RecoveringIndex<Index> {
  let current = opened;
  let isClosed = false;

  async function startOver(): Promise<void> {
    if (isClosed) return;
    onRemoved();
    current[Symbol.dispose]();
    current = source.openFresh();
    onStartOver?.();
    observer.holds(current.totals);
    await files.clear();
  }

  /** Files that stay are harmless: no entry names them. */
  function recoverFrom(failure: unknown): void {
    if (source.isCorrupt(failure)) startOver().catch(() => {});
  }

  return {
    get current() {
      return current;
    },
    async reconcile() {
      try {
        return await source.reconcile(current, files);
      } catch {
        await startOver().catch(() => {});
        return [];
      }
    },
    attempt(work) {
      try {
        return work(current);
      } catch (error) {
        recoverFrom(error);
        return undefined;
      }
    },
    recoverFrom,
    async remove(removed) {
      if (removed.length > 0) onRemoved();
      try {
        current.remove(removed);
      } catch {
        await startOver();
      }
    },
    startOver,
    [Symbol.dispose]() {
      isClosed = true;
      current[Symbol.dispose]();
    },
  };
}
