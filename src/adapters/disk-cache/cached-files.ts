import { mkdirSync, renameSync } from "node:fs";
import { mkdir, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { BlobContent, ByteRange } from "../../ports.ts";
import { createBlobCache } from "../files/blob-cache.ts";
import { createFileReader } from "../files/file-reader.ts";
import { isMissing } from "../files/file-system.ts";

/** A file of a cache. `name` is a digest; each file that is written has a `generation` of its own. */
export interface CachedFile {
  readonly name: string;
  readonly generation: string;
}

/** The files of a cache of this node, in a folder of their own. Nothing is synced: a file that a power cut takes is written again. */
export interface CachedFiles extends Disposable {
  /** Returns a path without a file. Its folder exists, even after an operator removed everything. */
  newTemporaryPath(): Promise<string>;
  readonly pathOf: (file: CachedFile) => string;
  /** Moves a temporary file to its place. */
  keep(path: string, file: CachedFile): Promise<void>;
  /** @throws StoreError `blob_damaged` when the file is missing or does not have `size` bytes */
  read(path: string, options: { size: number; range?: ByteRange }): Promise<BlobContent>;
  /** @throws StoreError `blob_damaged` as {@link read} */
  hasDigest(path: string, expected: { size: number; sha256: string }): Promise<boolean>;
  /** Rejects where the disk refuses; a later removal or the next start tries those files again. */
  remove(paths: readonly string[]): Promise<void>;
  /** Removes all files that are kept at the moment of the call. */
  clear(): Promise<void>;
  /** The files in one shard. */
  list(shard: string): Promise<readonly CachedFile[]>;
}

/** Two hex digits of the name. */
export const SHARDS = Array.from({ length: 256 }, (_, shard) => shard.toString(16).padStart(2, "0"));
const TEMPORARY_NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const FILE_NAME = /^([0-9a-f]{64})\.([0-9a-f]{16})$/;
/** Fewer than the blob store keeps open: together they must be within the limit of the process. */
const KEPT_OPEN = 1024;
const HASHED_AT_ONCE = 1024 * 1024;

export const newGeneration = (): string => crypto.getRandomValues(Buffer.alloc(8)).toString("hex");

/** Creates the missing folders and empties the temporary one. Files that are read often are kept in `memoryBytes`. */
export async function openCachedFiles(folder: string, memoryBytes: number): Promise<CachedFiles> {
  const filesFolder = join(folder, "files");
  const temporaryFolder = join(folder, "tmp");
  let reader = createFileReader({ keptOpen: KEPT_OPEN });
  /** By path: no other file ever has the same. */
  let memory = createBlobCache(memoryBytes);
  const left = new Set<string>();

  const temporaryPath = () => join(temporaryFolder, crypto.randomUUID());
  const pathOf = ({ name, generation }: CachedFile) => join(filesFolder, name.slice(0, 2), `${name}.${generation}`);

  async function remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      left.add(path);
      memory.delete(path);
    }
    const removals = Array.from(left, async (path) => {
      await rm(path, { recursive: true, force: true });
      left.delete(path);
      // Not before: a concurrent read would open the file again, and keep its space.
      reader.forget(path);
    });
    const failed = (await Promise.allSettled(removals)).find(({ status }) => status === "rejected");
    if (failed !== undefined) await Promise.reject((failed as PromiseRejectedResult).reason);
  }

  await makeFolder(filesFolder);
  await makeFolder(temporaryFolder);
  for (const name of await readdir(temporaryFolder))
    if (TEMPORARY_NAME.test(name)) await rm(join(temporaryFolder, name), { recursive: true, force: true });

  return {
    async newTemporaryPath() {
      await makeFolder(temporaryFolder);
      return temporaryPath();
    },

    pathOf,

    async keep(path, file) {
      try {
        await rename(path, pathOf(file));
      } catch (error) {
        if (!isMissing(error)) throw error;
        await makeFolder(dirname(pathOf(file)));
        await rename(path, pathOf(file));
      }
    },

    async read(path, options) {
      const { range } = options;
      const kept = memory.get(path);
      if (kept !== undefined) return range === undefined ? kept : kept.slice(range.start, range.end);
      const content = await reader.read(path, options);
      if (range !== undefined || !(content instanceof Uint8Array)) return content;
      return memory.offer(path, content) ?? content;
    },

    async hasDigest(path, { size, sha256 }) {
      const hasher = new Bun.CryptoHasher("sha256");
      for (let start = 0; start < size; start += HASHED_AT_ONCE) {
        const range = { start, end: Math.min(size, start + HASHED_AT_ONCE) };
        hasher.update(await new Response(await reader.read(path, { size, range })).bytes());
      }
      return hasher.digest("hex") === sha256;
    },

    remove,

    async clear() {
      // At once, so files that are stored from now on stay.
      const doomed = temporaryPath();
      renameSync(filesFolder, doomed);
      mkdirSync(filesFolder, { recursive: true, mode: 0o700 });
      reader[Symbol.dispose]();
      reader = createFileReader({ keptOpen: KEPT_OPEN });
      memory = createBlobCache(memoryBytes);
      await remove([doomed]);
    },

    async list(shard) {
      const names = await namesIn(join(filesFolder, shard));
      return names.flatMap((text) => {
        const [, name, generation] = FILE_NAME.exec(text) ?? [];
        return name === undefined || generation === undefined ? [] : [{ name, generation }];
      });
    },

    [Symbol.dispose]: () => reader[Symbol.dispose](),
  };
}

const makeFolder = (path: string) => mkdir(path, { recursive: true, mode: 0o700 });

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}
