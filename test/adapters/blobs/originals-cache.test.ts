import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openDiskBlobs } from "../../../src/adapters/blobs/disk.ts";
import {
  type OriginalsCache,
  type OriginalsCacheOptions,
  openOriginalsCache,
} from "../../../src/adapters/blobs/originals-cache.ts";
import type { BlobStore } from "../../../src/ports.ts";
import { contentBytes, patterned, putBlob, sha256 } from "../../blobs.ts";
import { expectCode } from "../../errors.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";

const MEBIBYTE = 1024 * 1024;
let folder: string;
let behind: BlobStore;
/** Locations, in the order in which they were read behind the cache. */
let fetched: string[];
let cache: OriginalsCache;

beforeEach(async () => {
  folder = await newFolder("originals");
  const blobs = await openDiskBlobs({ folder: join(folder, "blobs"), minFree: 0, recover: true, smallBytes: 0 });
  fetched = [];
  behind = {
    ...blobs,
    read(location, options) {
      fetched.push(location);
      return blobs.read(location, options);
    },
  };
  cache = await open();
});
afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  await behind[Symbol.asyncDispose]();
  await removeFolder(folder);
});

const originals = () => join(folder, "originals");
const open = (options: Partial<OriginalsCacheOptions> = {}) =>
  openOriginalsCache(behind, { folder: originals(), maxBytes: 64 * MEBIBYTE, minFree: 0, memoryBytes: 0, ...options });

async function reopen(options: Partial<OriginalsCacheOptions> = {}): Promise<void> {
  await cache[Symbol.asyncDispose]();
  cache = await open(options);
}

/** Paths of the files that it has. */
async function files(): Promise<readonly string[]> {
  const names = await readdir(originals(), { recursive: true, withFileTypes: true });
  return names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

const store = async (size: number) => ({ size, ...(await putBlob(behind, patterned(size))) });
type Stored = Awaited<ReturnType<typeof store>>;

const readAll = async ({ location, size }: Stored) => contentBytes(await cache.read(location, { size }));
async function expectRead(blob: Stored): Promise<void> {
  expect(sha256(await readAll(blob))).toBe(sha256(patterned(blob.size)));
}

describe("originals cache", () => {
  test("concurrent and later reads fetch an original once", async () => {
    for (const size of [0, 1000, 2 * MEBIBYTE]) {
      const blob = await store(size);
      fetched = [];
      await Promise.all(Array.from({ length: 10 }, () => expectRead(blob)));
      await expectRead(blob);
      const range = { start: 0, end: Math.min(size, 10) };
      const part = await contentBytes(await cache.read(blob.location, { size, range }));
      expect(part).toEqual(patterned(size).subarray(0, range.end));
      expect(fetched).toEqual([blob.location]);
    }
    expect(cache.cachedKeys()).toHaveLength(3);
  });

  test("small originals that are read often are served from memory", async () => {
    await reopen({ memoryBytes: MEBIBYTE });
    const blob = await store(1000);
    for (let time = 0; time < 3; time++) await expectRead(blob);
    for (const path of await files()) await rm(path);
    await expectRead(blob);
    expect(fetched).toEqual([blob.location]);
  });

  test("a range of a large original, or an original too large for the budget, is not cached", async () => {
    await reopen({ maxBytes: 4 * MEBIBYTE });
    const blob = await store(2 * MEBIBYTE);
    await expectRead(blob);
    await reopen();
    const range = { start: 1_500_000, end: 1_500_010 };
    const part = await cache.read(blob.location, { size: blob.size, range });
    expect(await contentBytes(part)).toEqual(patterned(blob.size).subarray(range.start, range.end));
    expect(fetched).toHaveLength(2);
    expect(await files()).toEqual([]);
  });

  test("the cache stays within its budget and evicts the least recently used original", async () => {
    const maxBytes = 900_000;
    await reopen({ maxBytes });
    const blobs = await Promise.all(Array.from({ length: 5 }, (_, index) => store(200_000 + index)));
    const [first, second, ...others] = blobs as [Stored, Stored, ...Stored[]];
    await expectRead(first);
    await expectRead(second);
    await expectRead(first);
    for (const blob of others) {
      await expectRead(blob);
      await expectRead(first);
    }
    expect(cache.cachedKeys()).toContain(first.key);
    expect(cache.cachedKeys()).not.toContain(second.key);
    const sizes = await Promise.all((await files()).map(async (path) => (await stat(path)).size));
    expect(sizes).toHaveLength(cache.cachedKeys().length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(maxBytes);
  });

  test("an original that is being sent is not evicted", async () => {
    await reopen({ maxBytes: 8 * MEBIBYTE });
    const sent = await store(2 * MEBIBYTE);
    const content = await cache.read(sent.location, { size: sent.size });
    for (let other = 1; other < 6; other++) await expectRead(await store(2 * MEBIBYTE - other));
    expect(sha256(await contentBytes(content))).toBe(sha256(patterned(sent.size)));
    await reopen({ maxBytes: 8 * MEBIBYTE });
    expect(cache.cachedKeys().length).toBeLessThanOrEqual(4);
  });

  test("bytes with the wrong digest are rejected and not cached", async () => {
    const blob = await store(2 * MEBIBYTE);
    const lying = { ...behind, read: async () => new Uint8Array(blob.size) };
    await using doubtful = await openOriginalsCache(lying, {
      folder: join(folder, "doubtful"),
      maxBytes: 64 * MEBIBYTE,
      minFree: 0,
      memoryBytes: 0,
    });
    await expectCode(doubtful.read(blob.location, { size: blob.size }), "blob_damaged");
    expect(doubtful.cachedKeys()).toEqual([]);
  });

  test("errors of the store behind the cache are passed on", async () => {
    const blob = await store(1000);
    await expectCode(cache.read(blob.location, { size: 999 }), "blob_damaged");
    await expectCode(cache.read("elsewhere", { size: 999 }), "blob_damaged");
    await expectRead(blob);
    await expectCode(cache.read(blob.location, { size: 999 }), "blob_damaged");
    await expectRead(blob);
  });

  test("originals survive a restart, are verified once, and respect a changed budget", async () => {
    const [sound, torn, gone] = [await store(1000), await store(2000), await store(3000)];
    for (const blob of [sound, torn, gone]) await expectRead(blob);
    const pathOf = async ({ key }: Stored) => (await files()).find((path) => path.endsWith(key)) as string;
    await writeFile(await pathOf(torn), new Uint8Array(2000));
    await writeFile(join(originals(), "tmp", crypto.randomUUID()), "left by a crash");
    await reopen();
    expect(await files()).toHaveLength(3);
    await rm(await pathOf(gone));
    fetched = [];
    for (const blob of [sound, torn, gone, sound, torn, gone]) await expectRead(blob);
    expect(fetched.toSorted()).toEqual([torn, gone, torn, gone].map(({ location }) => location).toSorted());
    fetched = [];
    for (const blob of [sound, torn, gone]) await expectRead(blob);
    expect(fetched).toEqual([]);
    await reopen({ maxBytes: 4096 });
    expect(await files()).toHaveLength(1);
  });

  test("a damaged or missing cached file is fetched again", async () => {
    const blob = await store(2 * MEBIBYTE);
    await expectRead(blob);
    await truncate((await files())[0] as string, 1000);
    for (let time = 0; time < 3; time++) await expectRead(blob);
    await rm(originals(), { recursive: true });
    for (let time = 0; time < 3; time++) await expectRead(blob);
    expect(await files()).toHaveLength(1);
  });

  test("originals are read from the store while the disk is full", async () => {
    const blob = await store(2 * MEBIBYTE);
    await reopen({ minFree: Number.MAX_SAFE_INTEGER });
    for (let time = 0; time < 2; time++) await expectRead(blob);
    await reopen();
    await rm(join(originals(), "files"), { recursive: true });
    await writeFile(join(originals(), "files"), "in the way");
    for (let time = 0; time < 2; time++) await expectRead(blob);
    expect(cache.cachedKeys()).toEqual([]);
    expect(await readdir(join(originals(), "tmp"))).toEqual([]);
  });

  test("forget and remove delete the cached file", async () => {
    const [one, other, kept] = [await store(1000), await store(2000), await store(3000)];
    for (const blob of [one, other, kept]) await expectRead(blob);
    await cache.forget([one.key, `${"a".repeat(64)}.${"b".repeat(16)}`]);
    await cache.remove(other.location);
    expect(cache.cachedKeys()).toEqual([kept.key]);
    expect(await files()).toEqual([expect.stringContaining(kept.key)]);
    await expectRead(one);
    await expectCode(readAll(other), "blob_damaged");
  });

  test("a cached file that cannot be deleted is reported and retried", async () => {
    const blob = await store(1000);
    await expectRead(blob);
    const [path] = (await files()) as [string];
    const shard = dirname(path);
    await rm(shard, { recursive: true });
    await writeFile(shard, "in the way");
    await expectCode(cache.forget([blob.key]), "unavailable");
    expect(cache.cachedKeys()).toEqual([blob.key]);
    await rm(shard);
    await cache.forget([blob.key]);
    expect(cache.cachedKeys()).toEqual([]);
  });

  test("openLocal keeps its file until it is disposed of, even when the blob is forgotten meanwhile", async () => {
    const blob = await store(2 * MEBIBYTE);
    const local = await cache.openLocal(blob.location, { size: blob.size });
    await cache.forget([blob.key]);
    expect(cache.cachedKeys()).toEqual([]);
    if (!("path" in local.source)) throw new Error("It is large.");
    expect(sha256(await Bun.file(local.source.path).bytes())).toBe(sha256(patterned(blob.size)));
    await local[Symbol.asyncDispose]();
    await local[Symbol.asyncDispose]();
    expect(await readdir(join(originals(), "tmp"))).toEqual([]);
  });

  test("statistics report how many originals are cached and how many reads hit", async () => {
    const told: string[] = [];
    await reopen({
      maxBytes: 5 * 4096,
      observer: {
        found: (hit) => told.push(hit ? "hit" : "miss"),
        evicted: (count) => told.push(`evicted ${count}`),
        holds: ({ bytes, entries }) => told.push(`${entries} in ${bytes}`),
      },
    });
    const [one, other] = [await store(4000), await store(4001)];
    for (const blob of [one, one, other]) await expectRead(blob);
    expect(told).toEqual(["0 in 0", "miss", "evicted 0", "1 in 4096", "hit", "miss", "evicted 0", "2 in 8192"]);
  });
});
