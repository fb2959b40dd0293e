import { describe, expect, test } from "bun:test";
import { createBlobCache } from "../../../src/adapters/files/blob-cache.ts";

const blobOf = (text: string, size = 10) => new Uint8Array(size).fill(text.charCodeAt(0));
const ask = async (cache: ReturnType<typeof createBlobCache>, name: string, size = 10): Promise<boolean> => {
  const blob = cache.get(name);
  if (blob === undefined) cache.offer(name, blobOf(name, size));
  else expect(await blob.bytes()).toEqual(blobOf(name, size));
  return blob !== undefined;
};

describe("blob cache in memory", () => {
  test("keeps a blob from its second read on", async () => {
    const cache = createBlobCache(1000);
    expect([await ask(cache, "a"), await ask(cache, "a"), await ask(cache, "a")]).toEqual([false, false, true]);
  });

  test("is not flushed by a scan over all blobs", async () => {
    const cache = createBlobCache(100);
    for (const name of ["a", "b", "a", "b"]) await ask(cache, name);
    for (let count = 0; count < 20_000; count++) await ask(cache, `scan ${count}`);
    expect([await ask(cache, "a"), await ask(cache, "b")]).toEqual([true, true]);
  });

  test("evicts unused blobs and stays within its size", async () => {
    const cache = createBlobCache(100);
    const names = Array.from({ length: 26 }, (_, index) => String.fromCharCode(97 + index));
    for (const name of names) for (let time = 0; time < 2; time++) await ask(cache, name);
    // The oldest of the ten that fit was used since it came, and outlives those that were not.
    expect(cache.get("q")).toBeDefined();
    for (const name of ["A", "B", "C"]) for (let time = 0; time < 2; time++) await ask(cache, name);
    const kept = [...names, "A", "B", "C"].filter((name) => cache.get(name) !== undefined);
    expect(kept.join("")).toBe("quvwxyzABC");
    for (const size of [13, 100]) {
      await ask(cache, `large ${size}`, size);
      await ask(cache, `large ${size}`, size);
      expect(cache.get(`large ${size}`)).toBeUndefined();
    }
  });

  test("forgets removed blobs", async () => {
    const cache = createBlobCache(100);
    for (let time = 0; time < 3; time++) await ask(cache, "a");
    cache.delete("a");
    cache.delete("never there");
    expect([await ask(cache, "a"), await ask(cache, "a"), await ask(cache, "a")]).toEqual([false, false, true]);
  });

  test("keeps nothing when its size is 0", async () => {
    const cache = createBlobCache(0);
    for (let time = 0; time < 3; time++) expect(await ask(cache, "a")).toBe(false);
  });
});
