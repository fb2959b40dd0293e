import { stat } from "node:fs/promises";
import { budgetBytes, type CacheEntry, type CacheIndex, type IndexSource } from "../disk-cache/cache-index.ts";
import { type CachedFile, type CachedFiles, SHARDS } from "../disk-cache/cached-files.ts";

/** A blob that this node has a copy of. The name of its file is the digest in its key, the generation the rest of it. */
export interface CachedBlob extends CacheEntry {
  readonly key: string;
  /** By `performance`'s clock. */
  usedAt: number;
}

/** What the cache of originals knows of its files: in memory, since the names of the files say it all. */
export interface OriginalsIndex extends CacheIndex<CachedBlob> {
  /** Counts as a use. */
  use(key: string): CachedBlob | undefined;
  get(key: string): CachedBlob | undefined;
  keys(): readonly string[];
  add(blob: CachedBlob): void;
  /** Removes entries until the rest is within the budget, and returns their files. */
  evict(): readonly CachedFile[];
}

export interface OriginalsIndexOptions {
  readonly maxBytes: number;
  /** Larger blobs are sent as a stream, which opens its file only later: they are not evicted right after a use. */
  readonly streamedAbove: number;
}

/** Milliseconds after which a stream has opened its file. */
const OPENING_MS = 2000;

export const originalsIndex = (options: OriginalsIndexOptions): IndexSource<OriginalsIndex> => ({
  open: () => createOriginalsIndex(options),
  openFresh: () => createOriginalsIndex(options),
  isCorrupt: () => false,
  async reconcile(index, files) {
    for (const blob of await readBlobs(files)) index.add(blob);
    return index.evict();
  },
});

export const newCachedBlob = (file: CachedFile, size: number, verified: Promise<void> | undefined): CachedBlob => ({
  ...file,
  key: keyOf(file),
  sha256: file.name,
  size,
  verified,
  usedAt: verified === undefined ? Number.NEGATIVE_INFINITY : performance.now(),
});

const keyOf = ({ name, generation }: CachedFile): string => `${name}.${generation}`;

/** What earlier processes left, the oldest first. */
async function readBlobs(files: CachedFiles): Promise<readonly CachedBlob[]> {
  const found: { blob: CachedBlob; modifiedAt: number }[] = [];
  for (const shard of SHARDS)
    for (const file of await files.list(shard)) {
      const { size, mtimeMs } = await stat(files.pathOf(file));
      found.push({ blob: newCachedBlob(file, size, undefined), modifiedAt: mtimeMs });
    }
  return found.toSorted((one, other) => one.modifiedAt - other.modifiedAt).map(({ blob }) => blob);
}

function createOriginalsIndex({ maxBytes, streamedAbove }: OriginalsIndexOptions): OriginalsIndex {
  /** Least recently used first: a Map keeps the order of insertion. */
  const byKey = new Map<string, CachedBlob>();
  let bytes = 0;

  function add(blob: CachedBlob): void {
    drop(blob.key);
    byKey.set(blob.key, blob);
    bytes += budgetBytes(blob.size);
  }

  function drop(key: string): void {
    const blob = byKey.get(key);
    if (blob === undefined) return;
    byKey.delete(key);
    bytes -= budgetBytes(blob.size);
  }

  function evict(): readonly CachedFile[] {
    const evicted: CachedFile[] = [];
    const openedBy = performance.now() - OPENING_MS;
    for (const blob of byKey.values()) {
      if (bytes <= maxBytes) break;
      if (blob.size > streamedAbove && blob.usedAt > openedBy) continue;
      drop(blob.key);
      evicted.push(blob);
    }
    return evicted;
  }

  return {
    get totals() {
      return { bytes, entries: byKey.size };
    },
    use(key) {
      const blob = byKey.get(key);
      if (blob === undefined) return undefined;
      blob.usedAt = performance.now();
      byKey.delete(key);
      byKey.set(key, blob);
      return blob;
    },
    get: (key) => byKey.get(key),
    keys: () => [...byKey.keys()],
    add,
    evict,
    put(blob) {
      add(blob);
      return { replaced: [], evicted: evict() };
    },
    markVerified() {},
    remove(files) {
      for (const file of files) drop(keyOf(file));
    },
    [Symbol.dispose]() {},
  };
}
