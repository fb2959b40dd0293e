import { afterEach, beforeEach, describe, expect, setSystemTime, spyOn, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { mkdir, open as openFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openVariantCache, type VariantCacheOptions } from "../../../src/adapters/variants/variant-cache.ts";
import { StoreError } from "../../../src/domain/errors.ts";
import type { Variant, VariantCache } from "../../../src/ports.ts";
import { contentBytes, patterned, sha256 } from "../../blobs.ts";
import { variantCacheContract } from "../../contracts/variant-cache.ts";
import { openDatabaseFile } from "../../open-database-file.ts";
import { rejectionOf } from "../../waiting.ts";
import { bytesAt, exists, making, owner, storeVariant } from "./stored-variants.ts";

const BLOCK = 4096;
let home: string;
let folder: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "image-store-variants-"));
  folder = join(home, "variants");
});
afterEach(() => {
  setSystemTime();
  rmSync(home, { recursive: true, force: true });
});

const open = (options: Partial<VariantCacheOptions> = {}) =>
  openVariantCache({ folder, maxBytes: 1024 * 1024 * 1024, minFree: 0, useResolution: 0, ...options });

for (const [name, useResolution, memoryBytes] of [
  ["disk, each use counted", 0, 0],
  ["disk, uses of a minute as one", 60_000, 0],
  ["disk and memory", 0, 1024 * 1024],
] as const)
  variantCacheContract(name, {
    blockBytes: BLOCK,
    exactOrder: useResolution === 0,
    open: ({ maxBytes }) => open({ maxBytes, useResolution, memoryBytes, folder: mkdtempSync(join(home, "cache-")) }),
  });

test("variants that are read often are served from memory, whole and in ranges, until they are purged", async () => {
  await using cache = await open({ memoryBytes: 1024 * 1024 });
  const bytes = patterned(1000);
  const variant = await storeVariant(cache, "hot", owner("a"), making(bytes));
  for (let reads = 0; reads < 3; reads++) expect(sha256(await contentBytes(await variant.read()))).toBe(sha256(bytes));
  await rm(onlyFile());
  expect(sha256(await contentBytes(await variant.read()))).toBe(sha256(bytes));
  const part = await contentBytes(await variant.read({ start: 10, end: 30 }));
  expect(sha256(part)).toBe(sha256(bytes.subarray(10, 30)));
  await cache.purge(owner("a").imageId);
  expect(cache.find("hot")).toBeUndefined();
  expect(await variant.read().catch((error: StoreError) => error.code)).toBe("unavailable");
});

const filesBelow = (path: string) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
const keptFiles = () => filesBelow(join(folder, "files"));
const temporaryFiles = () => filesBelow(join(folder, "tmp"));
const onlyFile = () => keptFiles()[0] ?? "";

/** Stores under each key as many bytes as it says, and closes. */
async function fill(...sizes: readonly number[]): Promise<void> {
  await using cache = await open();
  for (const size of sizes) await storeVariant(cache, `${size}`, owner("a"), making(patterned(size)));
  cache.setPosition({ epoch: 1, seq: 7 });
}

async function expectGone(variant: Variant): Promise<void> {
  const outcome = await variant.read().catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(StoreError);
  expect((outcome as StoreError).code).toBe("unavailable");
}

async function expectToWork(cache: VariantCache): Promise<void> {
  await storeVariant(cache, "another", owner("b"), making(patterned(123)));
  expect(await bytesAt(cache, "another")).toEqual(patterned(123));
  cache.setPosition({ epoch: 3, seq: 4 });
  expect(cache.position()).toEqual({ epoch: 3, seq: 4 });
  await cache.purge("b");
  expect(cache.find("another")).toBeUndefined();
}

describe("variant cache after a restart", () => {
  test("has every variant and its order of use", async () => {
    await fill(1, 2, 3);
    {
      await using cache = await open();
      expect(cache.position()).toEqual({ epoch: 1, seq: 7 });
      for (const size of [2, 3, 1]) expect(await bytesAt(cache, `${size}`)).toEqual(patterned(size));
      cache.refuse("refused", owner("a"), { code: "invalid_image", message: "no" });
    }
    await using cache = await open({ maxBytes: 2 * BLOCK });
    expect(keptFiles()).toHaveLength(2);
    expect(cache.find("2")).toBeUndefined();
    expect(await bytesAt(cache, "3")).toEqual(patterned(3));
    expect(cache.find("refused")).toEqual({ code: "invalid_image", message: "no" });
    await storeVariant(cache, "4", owner("a"), making(patterned(4)));
    expect(cache.find("1")).toBeUndefined();
    expect(await bytesAt(cache, "3")).toEqual(patterned(3));
  });

  test("removes what a crash left: temporary files, files without an entry, entries without a file", async () => {
    await fill(10, 20);
    const [first = "", second = ""] = keptFiles();
    await rename(first, `${first.slice(0, -16)}0123456789abcdef`);
    await writeFile(join(folder, "tmp", crypto.randomUUID()), "half a picture");
    await mkdir(join(folder, "tmp", crypto.randomUUID(), "ab"), { recursive: true });
    const totals: { bytes: number; entries: number }[] = [];
    await using cache = await open({ observer: { found() {}, evicted() {}, holds: (held) => totals.push(held) } });
    expect([keptFiles(), readdirSync(join(folder, "tmp"))]).toEqual([[second], []]);
    expect(totals).toEqual([{ bytes: BLOCK, entries: 1 }]);
    expect(["10", "20"].filter((key) => cache.find(key) !== undefined)).toHaveLength(1);
    await expectToWork(cache);
  });

  test("ignores files that it did not create", async () => {
    await mkdir(join(folder, "files", "00"), { recursive: true });
    await mkdir(join(folder, "tmp"));
    const theirs = [join(folder, "files", "00", "notes.txt"), join(folder, "tmp", "notes.txt")];
    for (const path of theirs) await writeFile(path, "mine");
    await using cache = await open();
    await expectToWork(cache);
    expect(await Promise.all(theirs.map(exists))).toEqual([true, true]);
  });

  test("starts empty when its folder is gone", async () => {
    await fill(10);
    await rm(folder, { recursive: true });
    await using cache = await open();
    expect([cache.find("10"), cache.position()]).toEqual([undefined, undefined]);
    await expectToWork(cache);
  });

  const damages: Record<string, (path: string) => Promise<unknown> | void> = {
    "is missing": (path) => rm(path),
    "is empty": (path) => truncate(path, 0),
    "is no database": (path) => writeFile(path, "garbage ".repeat(10_000)),
    "is cut short": async (path) => truncate(path, ((await stat(path)).size / 2) | 0),
    "has garbage in it": async (path) => {
      const bytes = await Bun.file(path).bytes();
      bytes.fill(0xa5, 4096);
      await writeFile(path, bytes);
    },
    "is a folder": async (path) => {
      await rm(path);
      await mkdir(join(path, "full"), { recursive: true });
    },
    "has another version": (path) => {
      using db = openDatabaseFile(path);
      db.run("pragma user_version = 99");
    },
    "has lost a table": (path) => {
      using db = openDatabaseFile(path);
      db.run("drop table variants");
    },
  };
  test.each(Object.keys(damages))("starts empty, with no file left, when its index %s", async (name) => {
    await fill(10, 20_000, 3_000_000);
    for (const suffix of ["-wal", "-shm"]) await rm(join(folder, `index.sqlite${suffix}`), { force: true });
    await damages[name]?.(join(folder, "index.sqlite"));
    await using cache = await open();
    expect([cache.find("10"), cache.position(), keptFiles()]).toEqual([undefined, undefined, []]);
    await expectToWork(cache);
  });

  test("keeps the index in memory when the disk refuses it, and removes all files at the next start", async () => {
    // Longer than SQLite opens.
    const deep = join(home, ...Array.from({ length: 4 }, () => "deep".repeat(50)));
    for (let start = 0; start < 2; start++) {
      await using cache = await open({ folder: deep });
      expect([cache.find("key"), filesBelow(deep)]).toEqual([undefined, []]);
      await expectToWork(cache);
      await storeVariant(cache, "key", owner("a"), making(patterned(10)));
      expect(await bytesAt(cache, "key")).toEqual(patterned(10));
    }
  });

  test("refuses a folder that another server uses, and changes nothing in it", async () => {
    await fill(10);
    await using cache = await open();
    expect((await rejectionOf(open())).message).toContain("Another server");
    expect(await bytesAt(cache, "10")).toEqual(patterned(10));
  });
});

describe("a cached variant file that", () => {
  const damages: Record<string, (path: string, size: number) => Promise<void>> = {
    "is missing": (path) => rm(path),
    "was cut short": (path, size) => truncate(path, size - 1),
    grew: (path, size) => truncate(path, size + 1),
    "has other bytes": (path, size) => writeFile(path, patterned(size + 4).subarray(4)),
  };
  for (const size of [1000, 3_000_000]) {
    test.each(Object.keys(damages))(`%s is rendered again: ${size} bytes`, async (name) => {
      await fill(size);
      await using cache = await open();
      await damages[name]?.(onlyFile(), size);
      const found = cache.find(`${size}`) as Variant;
      await expectGone(found);
      expect([cache.find(`${size}`), keptFiles()]).toEqual([undefined, []]);
      await storeVariant(cache, `${size}`, owner("a"), making(patterned(size)));
      expect(sha256((await bytesAt(cache, `${size}`)) ?? patterned(0))).toBe(sha256(patterned(size)));
    });
  }

  test("several requests read concurrently is verified once", async () => {
    await fill(200_000);
    await using cache = await open({ useResolution: 60_000 });
    const hashed = spyOn(Bun.CryptoHasher.prototype, "update");
    try {
      const looks = () =>
        hashed.mock.calls.filter(([bytes]) => bytes instanceof Uint8Array && bytes.length === 200_000).length;
      await Promise.all(Array.from({ length: 20 }, () => bytesAt(cache, "200000")));
      expect(looks()).toBe(1);
    } finally {
      hashed.mockRestore();
    }
  });

  test("was verified is not verified again", async () => {
    await fill(1000);
    await using cache = await open();
    expect(await bytesAt(cache, "1000")).toEqual(patterned(1000));
    await writeFile(onlyFile(), patterned(1004).subarray(4));
    expect(await bytesAt(cache, "1000")).not.toEqual(patterned(1000));
    await using again = await open({ folder: join(home, "other") });
    expect(again.find("1000")).toBeUndefined();
  });
});

describe("variant cache in use", () => {
  test("creates its folder again after it was deleted", async () => {
    await using cache = await open();
    await storeVariant(cache, "key", owner("a"), making(patterned(10)));
    await rm(join(folder, "files"), { recursive: true });
    await rm(join(folder, "tmp"), { recursive: true });
    await expectToWork(cache);
    await cache.clear();
    await expectToWork(cache);
  });

  test("leaves no file behind after a purge, an eviction or a replacement", async () => {
    await using cache = await open({ maxBytes: 3 * BLOCK });
    for (const key of [1, 2, 3, 4, 5, 5])
      await storeVariant(cache, `${key}`, owner(key < 4 ? "a" : "b"), making(patterned(key)));
    expect(keptFiles()).toHaveLength(3);
    await cache.purge("b");
    expect(keptFiles()).toHaveLength(1);
    await cache.purge("a");
    expect([keptFiles(), temporaryFiles()]).toEqual([[], []]);
  });

  test("removes unkept variants when they are released, and all of them at close", async () => {
    const cache = await open({ maxBytes: 0 });
    const [small, large, left] = await Promise.all(
      [10, 2_000_000, 20].map((size) => storeVariant(cache, "key", owner("a"), making(patterned(size)))),
    );
    expect(temporaryFiles()).toHaveLength(3);
    await small?.[Symbol.asyncDispose]();
    expect(temporaryFiles()).toHaveLength(2);
    // The runtime opens the file only when it sends it.
    const content = await large?.read();
    await large?.[Symbol.asyncDispose]();
    expect(await contentBytes(content ?? patterned(0))).toEqual(patterned(2_000_000));
    await cache[Symbol.asyncDispose]();
    expect(temporaryFiles()).toEqual([]);
    expect(left?.size).toBe(20);
  });

  test("keeps nothing below minFree while read and purge still work", async () => {
    await fill(10);
    await using cache = await open({ minFree: Number.MAX_SAFE_INTEGER });
    await using variant = await storeVariant(cache, "20", owner("a"), making(patterned(20)));
    expect(await contentBytes(await variant.read())).toEqual(patterned(20));
    expect(cache.find("20")).toBeUndefined();
    expect(await bytesAt(cache, "10")).toEqual(patterned(10));
    await cache.purge("a");
    expect(keptFiles()).toEqual([]);
  });

  test("lets a reader finish a variant that is purged", async () => {
    await using cache = await open();
    const variant = await storeVariant(cache, "key", owner("a"), making(patterned(2_000_000)));
    const content = (await variant.read()) as ReadableStream<Uint8Array>;
    const reader = content.getReader();
    const { value } = await reader.read();
    await cache.purge("a");
    const parts = [value ?? patterned(0)];
    for (let part = await reader.read(); !part.done; part = await reader.read()) parts.push(part.value);
    expect(sha256(Buffer.concat(parts))).toBe(sha256(patterned(2_000_000)));
    expect(keptFiles()).toEqual([]);
  });

  test("fails the purge while a file cannot be removed", async () => {
    await using cache = await open();
    await storeVariant(cache, "key", owner("a"), making(patterned(10)));
    const file = onlyFile();
    // What nobody can remove, root too: what lies where a folder was.
    const shard = join(file, "..");
    await rm(shard, { recursive: true });
    await writeFile(shard, "no folder");
    const outcome = await cache.purge("a").catch((error: unknown) => error);
    expect((outcome as StoreError).code).toBe("unavailable");
    expect(cache.find("key")).toBeUndefined();
    await rm(shard);
    await cache.purge("a");
    await expectToWork(cache);
  });

  test("starts empty when its index is damaged", async () => {
    await fill(10);
    const path = join(folder, "index.sqlite");
    // More than is kept in memory of it.
    const keys = Array.from({ length: 20_000 }, (_, index) => `refused ${index}`);
    insertRefusals(path, keys);
    await using cache = await open();
    expect([cache.find("refused 0") !== undefined, cache.position()]).toEqual([true, { epoch: 1, seq: 7 }]);
    for (const suffix of ["", "-wal"]) await overwrite(`${path}${suffix}`);
    for (const key of keys) cache.find(key);
    expect([cache.find("10"), cache.position()]).toEqual([undefined, undefined]);
    await expectToWork(cache);
    await cache.clear();
    expect(keptFiles()).toEqual([]);
    await expectToWork(cache);
  });

  test("remembers a refusal for an hour, up to a limit", async () => {
    await using cache = await open();
    const refusal = { code: "invalid_image", message: "no" } as const;
    cache.refuse("old", owner("a"), refusal);
    expect(cache.find("old")).toEqual(refusal);
    setSystemTime(Date.now() + 61 * 60 * 1000);
    expect(cache.find("old")).toBeUndefined();
    for (let index = 0; index <= 10_000; index++) cache.refuse(`${index}`, owner("a"), refusal);
    expect(cache.find("0")).toBeUndefined();
    expect(cache.find("1")).toEqual(refusal);
  });

  test("counts uses within the resolution once", async () => {
    await using cache = await open({ maxBytes: 2 * BLOCK, useResolution: 60_000 });
    await storeVariant(cache, "1", owner("a"), making(patterned(1)));
    await storeVariant(cache, "2", owner("a"), making(patterned(2)));
    expect(cache.find("1")).toBeDefined();
    await storeVariant(cache, "3", owner("a"), making(patterned(3)));
    expect(cache.find("1")).toBeUndefined();
    setSystemTime(Date.now() + 61_000);
    expect(cache.find("2")).toBeDefined();
    await storeVariant(cache, "4", owner("a"), making(patterned(4)));
    expect(["2", "3", "4"].filter((key) => cache.find(key) !== undefined)).toEqual(["2", "4"]);
  });

  test("writes many uses together and loses none", async () => {
    await using cache = await open({ maxBytes: 300 * BLOCK });
    for (let key = 0; key < 300; key++) await storeVariant(cache, `${key}`, owner("a"), making(patterned(1)));
    for (let key = 0; key < 299; key++) cache.find(`${key}`);
    await storeVariant(cache, "more", owner("a"), making(patterned(1)));
    expect(cache.find("299")).toBeUndefined();
    expect(cache.find("0")).toBeDefined();
  });

  test("reports its size, hits and evictions", async () => {
    const told = { hits: 0, misses: 0, evicted: 0, held: { bytes: 0, entries: 0 } };
    await using cache = await open({
      maxBytes: 2 * BLOCK,
      observer: {
        found: (hit) => told[hit ? "hits" : "misses"]++,
        evicted: (variants) => (told.evicted += variants),
        holds: (held) => (told.held = held),
      },
    });
    for (const key of [1, 2, 3]) {
      expect(cache.find(`${key}`)).toBeUndefined();
      await storeVariant(cache, `${key}`, owner(`${key}`), making(patterned(key)));
    }
    expect(cache.find("3")).toBeDefined();
    expect(told).toEqual({ hits: 1, misses: 3, evicted: 1, held: { bytes: 2 * BLOCK, entries: 2 } });
    await cache.purge("3");
    expect(told.held).toEqual({ bytes: BLOCK, entries: 1 });
  });

  test("is empty after close and causes no errors", async () => {
    const cache = await open();
    await using draft = await cache.begin("key", owner("a"));
    await cache[Symbol.asyncDispose]();
    await using variant = await draft.keep(await making(patterned(10))(draft.path));
    expect(await contentBytes(await variant.read())).toEqual(patterned(10));
    expect([cache.find("key"), cache.position()]).toEqual([undefined, undefined]);
    cache.refuse("key", owner("a"), { code: "invalid_image", message: "no" });
  });
});

function insertRefusals(path: string, keys: readonly string[]): void {
  using db = openDatabaseFile(path);
  const insert = db.prepare("insert into refusals values (null, ?, 'a', 'digest', 'no', ?)");
  db.run("begin");
  for (const key of keys) insert.run(sha256(Buffer.from(key)), Date.now());
  db.run("commit");
  insert.finalize();
}

/** In place, as a failing disk does. */
async function overwrite(path: string): Promise<void> {
  const file = await openFile(path, "r+");
  await file.write(new Uint8Array((await file.stat()).size).fill(0xa5), 0, undefined, 0);
  await file.close();
}
