import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, rmSync, statfsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { openVariantCache, type VariantCacheOptions } from "../../src/adapters/variants/variant-cache.ts";
import type { VariantCache } from "../../src/ports.ts";
import { bytesAt, making, owner, storeVariant } from "../adapters/variants/stored-variants.ts";
import { contentBytes, patterned } from "../blobs.ts";
import { fillDisk } from "./fill-disk.ts";
import { createLoopFileSystem } from "./loop-file-system.ts";
import { canMakeFaults, testCycles } from "./requirements.ts";
import { makeTemporaryFolder, removeLeftovers, removeTemporaryFolders } from "./temporary-folder.ts";

const MEBIBYTE = 1024 * 1024;
const CYCLES = testCycles(5);
const VARIANTS = 40;
const WRITER = new URL("../adapters/variants/variant-cache-writer.ts", import.meta.url).pathname;

beforeAll(removeLeftovers);
afterAll(removeTemporaryFolders);

/** And what the observer was told of its contents last. */
async function openCounted(folder: string, options: Partial<VariantCacheOptions> = {}) {
  const held = { entries: 0 };
  const observer = {
    found() {},
    evicted() {},
    holds: ({ entries }: { entries: number }) => void (held.entries = entries),
  };
  const cache = await openVariantCache({ folder, maxBytes: 1024 * MEBIBYTE, minFree: 0, ...options, observer });
  return { cache, held };
}

const keptFiles = (folder: string) =>
  readdirSync(`${folder}/files`, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;

test(`${CYCLES} kills during stores and purges leave no wrong and no purged variant`, async () => {
  const folder = `${makeTemporaryFolder()}/variants`;
  let found = 0;
  for (let cycle = 0; cycle < CYCLES; cycle++) {
    const child = Bun.spawn([process.execPath, WRITER, folder, String(VARIANTS)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const told = await readUntilKilled(child, 20 + Math.random() * 200);
    const { cache, held } = await openCounted(folder);
    await using _ = cache;
    const position = cache.position()?.seq ?? 0;
    expect(position).toBeGreaterThanOrEqual(told);
    expect(keptFiles(folder)).toBe(held.entries);
    expect(readdirSync(`${folder}/tmp`)).toEqual([]);
    for (let image = 1; image < position + 20; image++) {
      for (let variant = 0; variant < VARIANTS; variant++) {
        const bytes = await bytesAt(cache, `${image}/${variant}`);
        if (bytes === undefined) continue;
        expect(image).toBeGreaterThan(position);
        expect(bytes).toEqual(patterned(image * VARIANTS + variant));
        found++;
      }
    }
  }
  expect(found).toBeGreaterThan(0);
});

/** Answers the last position that it told. */
async function readUntilKilled(child: Bun.Subprocess<"ignore", "pipe", "inherit">, afterMs: number): Promise<number> {
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    if (text === "") void sleep(afterMs).then(() => child.kill("SIGKILL"));
    text += decoder.decode(chunk);
  }
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
  return Number(text.split("\n").at(-2));
}

describe.skipIf(!canMakeFaults("mkfs.ext4", "mount", "umount"))("variant cache on a full disk", () => {
  test("fails renders, serves cached variants, and a purge makes room", async () => {
    using disk = await createLoopFileSystem(32);
    const { cache, held } = await openCounted(`${disk.folder}/variants`);
    await using _ = cache;
    const stored = await storeUntilFull(cache);
    expect(stored).toBeGreaterThan(10);
    fillDisk(`${disk.folder}/ballast`);
    for (let key = 0; key < stored; key++) expect(cache.find(`${key}`)).toBeDefined();
    expect(await bytesAt(cache, "0")).toEqual(patterned(MEBIBYTE));
    expect(await storeUntilFull(cache, "more")).toBe(0);
    for (let image = 0; image < stored; image++) {
      await cache.purge(`${image}`);
      expect(cache.find(`${image}`)).toBeUndefined();
    }
    expect(keptFiles(`${disk.folder}/variants`)).toBe(held.entries);
    // It looks at the free space once a second.
    await sleep(1100);
    expect(await storeUntilFull(cache, "again")).toBeGreaterThan(10);
  });

  test("keeps nothing while its index cannot grow, and answers every request", async () => {
    using disk = await createLoopFileSystem(32);
    const { cache } = await openCounted(`${disk.folder}/variants`);
    await using _ = cache;
    await storeVariant(cache, "first", owner("a"), making(patterned(10)));
    fillDisk(`${disk.folder}/ballast`);
    // Rendered elsewhere, so that only the keeping meets the full disk; an empty file needs no block.
    for (let key = 0; key < 500; key++) {
      await using variant = await storeVariant(cache, `${key}`, owner("a"), making(patterned(0)));
      expect(await contentBytes(await variant.read())).toEqual(patterned(0));
      cache.refuse(`refused ${key}`, owner("a"), { code: "invalid_image", message: "no" });
    }
    await cache.purge("a");
    expect(cache.find("first")).toBeUndefined();
    rmSync(`${disk.folder}/ballast`);
    await cache.clear();
    expect(keptFiles(`${disk.folder}/variants`)).toBe(0);
    await storeVariant(cache, "last", owner("a"), making(patterned(10)));
    expect(await bytesAt(cache, "last")).toEqual(patterned(10));
  });

  test("respects minFree", async () => {
    using disk = await createLoopFileSystem(48);
    const { cache, held } = await openCounted(`${disk.folder}/variants`, { minFree: 16 * MEBIBYTE });
    await using _ = cache;
    for (let key = 0; key < 64; key++) {
      await using variant = await storeVariant(cache, `${key}`, owner("a"), making(patterned(MEBIBYTE)));
      expect((await contentBytes(await variant.read())).length).toBe(MEBIBYTE);
    }
    expect(held.entries).toBeGreaterThan(10);
    const { bavail, bsize } = statfsSync(disk.folder);
    expect(bavail * bsize).toBeGreaterThan(15 * MEBIBYTE);
  });
});

/** Answers how many were kept before the disk was full. */
async function storeUntilFull(cache: VariantCache, prefix = ""): Promise<number> {
  for (let key = 0; ; key++) {
    const name = `${prefix}${key}`;
    try {
      await using _ = await storeVariant(cache, name, owner(name), making(patterned(MEBIBYTE)));
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
    }
    if (cache.find(name) === undefined) return key;
  }
}
