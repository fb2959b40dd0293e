import { lstat, mkdir, readdir, rename } from "node:fs/promises";
import { join } from "node:path";
import type { BlobContent, ByteRange, FoundBlob } from "../../ports.ts";
import { createFileReader, damaged } from "../files/file-reader.ts";
import { isMissing, unlinkIfThere } from "../files/file-system.ts";
import type { FolderSync } from "./folder-sync.ts";

/** Two hex digits of the digest: a million blobs are 4,000 names a folder. */
const SHARDS = Array.from({ length: 256 }, (_, shard) => shard.toString(16).padStart(2, "0"));
const KEY = /^[0-9a-f]{64}\.[0-9a-f]{16}$/;
const KEPT_OPEN = 2048;
const LOCATION = /^file:([0-9a-f]{64}\.[0-9a-f]{16})$/;

/** A file for each blob, in shard folders. */
export interface BlobFiles extends Disposable {
  /** Creates the folders that are missing; durable when it resolves. */
  prepare(): Promise<void>;
  /** Moves a synced file to the place of its key, and returns the location; durable when it resolves. */
  place(key: string, path: string): Promise<string>;
  read(location: string, options: { size: number; range?: ByteRange }): Promise<BlobContent>;
  /** Returns the path of the file, which stays there until it is removed. */
  locate(location: string, options: { size: number }): Promise<string>;
  remove(location: string): Promise<void>;
  /** Takes the memory of the names in one shard. */
  list(): AsyncIterable<FoundBlob>;
}

export const newKey = (sha256: string): string =>
  `${sha256}.${crypto.getRandomValues(Buffer.alloc(8)).toString("hex")}`;

/** `folder` is the one with the shards. */
export const pathOfKey = (folder: string, key: string): string => join(folder, key.slice(0, 2), key);
/** Undefined where the location is not one of a file. */
export const parseKeyOfFile = (location: string): string | undefined => LOCATION.exec(location)?.[1];

export function createBlobFiles(folder: string, folders: FolderSync): BlobFiles {
  const reader = createFileReader({ keptOpen: KEPT_OPEN });
  const shardOf = (key: string) => join(folder, key.slice(0, 2));
  const pathOf = (key: string) => pathOfKey(folder, key);

  return {
    async prepare() {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const there = new Set(await readdir(folder));
      const missing = SHARDS.filter((shard) => !there.has(shard));
      await Promise.all(missing.map((shard) => mkdir(join(folder, shard), { mode: 0o700 })));
      // Always: the start that created them may have been cut off before its sync.
      await folders.sync(folder);
    },

    async place(key, path) {
      await rename(path, pathOf(key));
      try {
        await folders.sync(shardOf(key));
      } catch (error) {
        await unlinkIfThere(pathOf(key));
        throw error;
      }
      return `file:${key}`;
    },

    async read(location, options) {
      return reader.read(pathOf(parseLocation(location)), options);
    },

    async locate(location, { size }) {
      const path = pathOf(parseLocation(location));
      await reader.read(path, { size, range: { start: 0, end: 0 } });
      return path;
    },

    async remove(location) {
      const key = parseLocation(location);
      await unlinkIfThere(pathOf(key));
      // Not before: a concurrent read would open the file again, and keep its space.
      reader.forget(pathOf(key));
      // Also when it was gone: the process that unlinked it may have ended before its sync.
      await folders.sync(shardOf(key));
    },

    async *list() {
      for (const shard of SHARDS) {
        for (const name of await namesIn(join(folder, shard))) {
          const found = KEY.test(name) ? await look(name, pathOf(name)) : undefined;
          if (found !== undefined) yield found;
        }
      }
    },

    [Symbol.dispose]: () => reader[Symbol.dispose](),
  };
}

/** The location comes from this store's catalog, and still is never used as a path unchecked. */
function parseLocation(location: string): string {
  const key = parseKeyOfFile(location);
  if (key === undefined) throw damaged(`${JSON.stringify(location)} is no location of this store.`);
  return key;
}

async function namesIn(shard: string): Promise<readonly string[]> {
  try {
    return await readdir(shard);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function look(key: string, path: string): Promise<FoundBlob | undefined> {
  try {
    const { size, mtimeMs } = await lstat(path);
    return { key, location: `file:${key}`, size, modifiedAt: mtimeMs };
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
