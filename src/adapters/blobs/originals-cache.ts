import { link, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { StoreError } from "../../domain/errors.ts";
import type { BlobContent, BlobStore } from "../../ports.ts";
import { type CachedFile, openCachedFiles, SHARDS } from "../files/cached-files.ts";
import { damaged } from "../files/file-reader.ts";
import { close, unlinkIfThere } from "../files/file-system.ts";
import { createFreeSpace } from "../files/free-space.ts";
import { writeNewFile } from "../files/write-new-file.ts";

/** A blob store of which this node keeps some. It may forget any at any time, and losing all of it loses nothing. */
export interface OriginalsCache extends BlobStore {
  /** Of the blobs that it has. */
  cachedKeys(): readonly string[];
  /**
   * Gone from the disk when it resolves.
   * @throws StoreError `unavailable` when the disk refuses; what is left stays among the keys
   */
  forget(keys: readonly string[]): Promise<void>;
}

export interface OriginalsCacheOptions {
  /** Nobody else's. */
  readonly folder: string;
  /** The budget. */
  readonly maxBytes: number;
  /** Below this much free space nothing more is kept; undefined: 1 % of the file system, at least 256 MiB. */
  readonly minFree: number | undefined;
  /** For small ones that are read often. */
  readonly memoryBytes: number;
  readonly observer?: OriginalsCacheObserver;
}

export interface OriginalsCacheObserver {
  /** Whether what was asked for was there. */
  found(hit: boolean): void;
  evicted(originals: number): void;
  holds(totals: { bytes: number; entries: number }): void;
}

interface Original extends CachedFile {
  readonly key: string;
  readonly path: string;
  readonly size: number;
  /** Of one that an earlier process left: nothing was synced, so that its bytes are looked at once, when it is asked for. */
  looked: Promise<void> | undefined;
  /** By `performance`'s clock. */
  usedAt: number;
}

const ignoring: OriginalsCacheObserver = { found() {}, evicted() {}, holds() {} };
/** As locations and names of files have them. */
const KEY = /([0-9a-f]{64})\.([0-9a-f]{16})/;
/** Of one that is not there, a part of more than this is read where it is. */
const PART_BYTES = 1024 * 1024;
/** Lent from memory. */
const LENT_BYTES = 1024 * 1024;
/** A stream opens its file when it is sent: for so long, in milliseconds, it must not be evicted. */
const OPENING_MS = 2000;
/** None takes more of the budget than this share. */
const LARGEST = 1 / 4;
const BLOCK = 4096;

/** What a file takes of the disk, and of the budget: a block at least, which bounds the number of files too. */
const budgetBytes = (size: number): number => Math.max(1, Math.ceil(size / BLOCK)) * BLOCK;

/**
 * A blob store in front of one that is elsewhere: what is read is kept in a folder of this node, a file each, named by its
 * key. Bytes that were fetched are believed when they have the digest that their key begins with. What the disk refuses is
 * read as if there were no cache. Disposing of it leaves the store behind it open.
 */
export async function openOriginalsCache(blobs: BlobStore, options: OriginalsCacheOptions): Promise<OriginalsCache> {
  const { maxBytes, memoryBytes, observer = ignoring } = options;
  const folder = resolve(options.folder);
  const files = await openCachedFiles(folder, memoryBytes);
  const freeSpace = createFreeSpace(folder, options.minFree);
  /** By key, least recently used first. */
  const kept = new Map<string, Original>();
  /** One fetch, however many wait for it. */
  const fetching = new Map<string, Promise<Original | undefined>>();
  let bytes = 0;

  /** The oldest first. */
  async function filesLeft(): Promise<readonly Original[]> {
    const found: { original: Original; modifiedAt: number }[] = [];
    for (const shard of SHARDS)
      for (const file of await files.list(shard)) {
        const path = files.pathOf(file);
        const { size, mtimeMs } = await stat(path);
        const key = `${file.name}.${file.generation}`;
        found.push({
          original: { ...file, key, path, size, looked: undefined, usedAt: -Infinity },
          modifiedAt: mtimeMs,
        });
      }
    return found.toSorted((one, other) => one.modifiedAt - other.modifiedAt).map(({ original }) => original);
  }

  const tell = () => observer.holds({ bytes, entries: kept.size });
  /** What cannot be removed now goes with the next removal, or is found at the next start. */
  const removeQuietly = (originals: readonly Original[]) =>
    files.remove(originals.map(({ path }) => path)).catch(() => {});

  function add(original: Original): void {
    kept.set(original.key, original);
    bytes += budgetBytes(original.size);
  }

  function drop(original: Original): void {
    if (kept.get(original.key) !== original) return;
    kept.delete(original.key);
    bytes -= budgetBytes(original.size);
  }

  function evict(): readonly Original[] {
    const evicted: Original[] = [];
    const openedBy = performance.now() - OPENING_MS;
    for (const original of kept.values()) {
      if (bytes <= maxBytes) break;
      if (original.size > PART_BYTES && original.usedAt > openedBy) continue;
      drop(original);
      evicted.push(original);
    }
    return evicted;
  }

  /** As it is kept, or will be; undefined where it is to be read elsewhere. */
  async function find(location: string, size: number, isWorthFetching: boolean): Promise<Original | undefined> {
    const [key, name, generation] = KEY.exec(location) ?? [];
    if (key === undefined || name === undefined || generation === undefined) return undefined;
    const original = kept.get(key);
    observer.found(original !== undefined);
    if (original !== undefined) return (await isSound(original, size)) ? use(original) : undefined;
    if (!isWorthFetching || budgetBytes(size) > maxBytes * LARGEST) return undefined;
    let fetched = fetching.get(key);
    if (fetched === undefined) {
      fetched = fetchOriginal(location, size, { name, generation }).finally(() => fetching.delete(key));
      fetching.set(key, fetched);
    }
    return fetched;
  }

  function use(original: Original): Original {
    original.usedAt = performance.now();
    // A Map keeps the order of insertion.
    if (kept.delete(original.key)) kept.set(original.key, original);
    return original;
  }

  async function isSound(original: Original, size: number): Promise<boolean> {
    try {
      await (original.looked ??= look(original));
      return original.size === size;
    } catch {
      await forgetOriginals([original]).catch(() => {});
      return false;
    }
  }

  async function look({ path, size, name }: Original): Promise<void> {
    if (!(await files.isSound(path, { size, sha256: name }))) throw new Error("It has other bytes than were stored.");
  }

  /** @throws StoreError what the store says; undefined for what the disk does */
  async function fetchOriginal(location: string, size: number, file: CachedFile): Promise<Original | undefined> {
    let path: string | undefined;
    try {
      await freeSpace.take(size);
      path = await files.newTemporaryPath();
    } catch {
      return undefined;
    }
    try {
      const { fd, sha256 } = await writeNewFile(path, chunksOf(await blobs.read(location, { size })), size);
      await close(fd);
      if (sha256 !== file.name) throw damaged(`Its bytes have the digest ${sha256}.`);
      await files.keep(path, file);
    } catch (error) {
      await unlinkIfThere(path).catch(() => {});
      if (error instanceof StoreError) throw error;
      return undefined;
    }
    const key = `${file.name}.${file.generation}`;
    const original = {
      ...file,
      key,
      path: files.pathOf(file),
      size,
      looked: Promise.resolve(),
      usedAt: performance.now(),
    };
    add(original);
    const evicted = evict();
    observer.evicted(evicted.length);
    tell();
    await removeQuietly(evicted);
    return original;
  }

  async function forgetOriginals(originals: readonly Original[]): Promise<void> {
    for (const original of originals) drop(original);
    tell();
    await files.remove(originals.map(({ path }) => path));
  }

  async function forget(keys: readonly string[]): Promise<void> {
    const originals = keys.flatMap((key) => kept.get(key) ?? []);
    try {
      if (originals.length > 0) await forgetOriginals(originals);
    } catch (cause) {
      for (const original of originals) if (!kept.has(original.key)) add(original);
      throw new StoreError("unavailable", "The cache of originals could not be changed.", { cause });
    }
  }

  async function read(location: string, what: Parameters<BlobStore["read"]>[1]): Promise<BlobContent> {
    const { size, range } = what;
    const original = await find(location, size, range === undefined || size <= PART_BYTES);
    if (original === undefined) return blobs.read(location, what);
    try {
      // A stream opens the file by its name only when it is sent.
      if (size > PART_BYTES && (await stat(original.path)).size !== size) throw new Error("It became shorter.");
      return await files.read(original.path, what);
    } catch {
      await forgetOriginals([original]).catch(() => {});
      return blobs.read(location, what);
    }
  }

  /** A name of its own, under which it stays whatever is evicted. */
  async function linkTo(original: Original): Promise<string | undefined> {
    try {
      const path = await files.newTemporaryPath();
      await link(original.path, path);
      return path;
    } catch {
      return undefined;
    }
  }

  for (const left of await filesLeft()) add(left);
  await removeQuietly(evict());
  tell();

  return {
    ...blobs,
    read,
    async lend(location, { size }, work) {
      if (size <= LENT_BYTES) return work({ bytes: await new Response(await read(location, { size })).bytes() });
      const original = await find(location, size, true);
      const path = original && (await linkTo(original));
      if (path === undefined) return blobs.lend(location, { size }, work);
      try {
        return await work({ path });
      } finally {
        await unlinkIfThere(path).catch(() => {});
      }
    },
    async remove(location) {
      await blobs.remove(location);
      const [key] = KEY.exec(location) ?? [];
      if (key !== undefined) await forget([key]);
    },
    cachedKeys: () => [...kept.keys()],
    forget,
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(fetching.values());
      files[Symbol.dispose]();
    },
  };
}

async function* chunksOf(content: BlobContent): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) yield content;
  else yield* content instanceof Blob ? content.stream() : content;
}
