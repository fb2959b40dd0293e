import { link } from "node:fs/promises";
import { StoreError } from "../../domain/errors.ts";
import type { BlobContent, BlobStore } from "../../ports.ts";
import type { CacheObserver } from "../disk-cache/cache-index.ts";
import type { CachedFile } from "../disk-cache/cached-files.ts";
import { type DiskCache, openDiskCache } from "../disk-cache/disk-cache.ts";
import { damaged } from "../files/file-reader.ts";
import { close, unlinkIfThere } from "../files/file-system.ts";
import { writeNewFile } from "../files/write-new-file.ts";
import { inMemory, temporaryBlob } from "./local-blob.ts";
import { type CachedBlob, newCachedBlob, type OriginalsIndex, originalsIndex } from "./originals-index.ts";
import { chunksOf } from "./small-source.ts";

/** A blob store of which this node keeps copies. It may forget any of them at any time, and losing all loses nothing. */
export interface OriginalsCache extends BlobStore {
  /** Keys of the blobs that it has copies of. */
  cachedKeys(): readonly string[];
  /**
   * Removes copies from the disk; they are gone when it resolves.
   * @throws StoreError `unavailable` when the disk refuses; `cachedKeys` then still has what may be left
   */
  forget(keys: readonly string[]): Promise<void>;
}

export interface OriginalsCacheOptions {
  /** Used by no other process. */
  readonly folder: string;
  /** The budget. */
  readonly maxBytes: number;
  /** Below this much free space no more copies are kept; undefined: 1 % of the file system, at least 256 MiB. */
  readonly minFree: number | undefined;
  /** Memory for small blobs that are read often, in bytes. */
  readonly memoryBytes: number;
  readonly observer?: CacheObserver;
}

type Cache = DiskCache<CachedBlob, OriginalsIndex>;
type ReadOptions = Parameters<BlobStore["read"]>[1];

const ignoring: CacheObserver = { found() {}, evicted() {}, holds() {} };
/** In locations and names of files. */
const KEY = /([0-9a-f]{64})\.([0-9a-f]{16})/;
/** Of a larger blob without a copy, a part is read from the store behind. */
const PART_BYTES = 1024 * 1024;
/** Up to this size `openLocal` returns the bytes themselves. */
const IN_MEMORY_BYTES = 1024 * 1024;
/** The share of the budget that one blob may take. */
const LARGEST = 1 / 4;

/**
 * A blob store in front of another: what is read is kept in a folder of this node. Fetched bytes are trusted when they
 * have the digest that their key begins with. Where the disk fails, it reads from the other store as if there were no
 * cache. Disposing of it leaves the other store open.
 */
export async function openOriginalsCache(blobs: BlobStore, options: OriginalsCacheOptions): Promise<OriginalsCache> {
  const { maxBytes, observer = ignoring } = options;
  const cache: Cache = await openDiskCache<CachedBlob, OriginalsIndex>({
    ...options,
    of: "originals",
    largestBytes: maxBytes * LARGEST,
    index: originalsIndex({ maxBytes, streamedAbove: PART_BYTES }),
    observer,
  });
  const fetcher = createFetcher(blobs, cache);

  /** Undefined where it must be read from the store behind. */
  async function find(location: string, size: number, isWorthFetching: boolean): Promise<CachedBlob | undefined> {
    const file = fileAt(location);
    if (file === undefined) return undefined;
    const blob = cache.index.current.use(keyAt(file));
    observer.found(blob !== undefined);
    if (blob === undefined) return isWorthFetching ? fetcher.fetch(location, size, file) : undefined;
    return (await isVerified(blob)) && blob.size === size ? blob : undefined;
  }

  async function isVerified(blob: CachedBlob): Promise<boolean> {
    try {
      await cache.verify(blob);
      return true;
    } catch {
      await cache.remove([blob]).catch(() => {});
      cache.observeTotals();
      return false;
    }
  }

  async function read(location: string, what: ReadOptions): Promise<BlobContent> {
    const { size, range } = what;
    const blob = await find(location, size, range === undefined || size <= PART_BYTES);
    if (blob === undefined) return blobs.read(location, what);
    try {
      return await cache.read(blob, range);
    } catch {
      return blobs.read(location, what);
    }
  }

  async function forget(keys: readonly string[]): Promise<void> {
    const index = cache.index.current;
    const copies = keys.flatMap((key) => index.get(key) ?? []);
    if (copies.length === 0) return;
    await cache.change(async () => {
      try {
        await cache.remove(copies);
      } catch (error) {
        for (const copy of copies) if (index.get(copy.key) === undefined) index.add(copy);
        throw error;
      }
    });
  }

  return {
    ...blobs,
    read,
    async openLocal(location, { size }) {
      if (size <= IN_MEMORY_BYTES) return inMemory(await new Response(await read(location, { size })).bytes());
      const blob = await find(location, size, true);
      const path = blob && (await linkTo(cache, blob));
      return path === undefined ? blobs.openLocal(location, { size }) : temporaryBlob(path);
    },
    async remove(location) {
      await blobs.remove(location);
      const file = fileAt(location);
      if (file !== undefined) await forget([keyAt(file)]);
    },
    cachedKeys: () => cache.index.current.keys(),
    forget,
    async [Symbol.asyncDispose]() {
      await fetcher.whenIdle();
      cache[Symbol.dispose]();
    },
  };
}

/** Copies blobs into the cache: once, however many readers wait for one. */
function createFetcher(blobs: BlobStore, cache: Cache) {
  const fetching = new Map<string, Promise<CachedBlob | undefined>>();

  /** Undefined where the disk fails. @throws StoreError what the store behind throws */
  async function fetchOnce(location: string, size: number, file: CachedFile): Promise<CachedBlob | undefined> {
    if (!(await cache.hasRoom(size))) return undefined;
    const path = await cache.files.newTemporaryPath().catch(() => undefined);
    if (path === undefined) return undefined;
    try {
      const { fd, sha256 } = await writeNewFile(path, chunksOf(await blobs.read(location, { size })), size);
      await close(fd);
      if (sha256 !== file.name) throw damaged(`Its bytes have the digest ${sha256}.`);
      const blob = newCachedBlob(file, size, Promise.resolve());
      const kept = await cache.keep(path, blob);
      if (kept.isKept) return blob;
      await unlinkIfThere(kept.path);
    } catch (error) {
      await unlinkIfThere(path).catch(() => {});
      if (error instanceof StoreError) throw error;
    }
    return undefined;
  }

  return {
    fetch(location: string, size: number, file: CachedFile): Promise<CachedBlob | undefined> {
      const key = keyAt(file);
      const running = fetching.get(key) ?? fetchOnce(location, size, file).finally(() => fetching.delete(key));
      fetching.set(key, running);
      return running;
    },
    whenIdle: () => Promise.allSettled(fetching.values()),
  };
}

/** A second name for the file, under which it stays even when it is evicted. Undefined where the disk fails. */
async function linkTo({ files }: Cache, blob: CachedBlob): Promise<string | undefined> {
  try {
    const path = await files.newTemporaryPath();
    await link(files.pathOf(blob), path);
    return path;
  } catch {
    return undefined;
  }
}

const keyAt = ({ name, generation }: CachedFile): string => `${name}.${generation}`;

function fileAt(location: string): CachedFile | undefined {
  const [, name, generation] = KEY.exec(location) ?? [];
  return name === undefined || generation === undefined ? undefined : { name, generation };
}
