import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { BlobSource, BlobStore, FoundBlob } from "../../src/ports.ts";
import { contentBytes, patterned, pieces, putBlob, sha256 } from "../blobs.ts";
import { expectCode } from "../errors.ts";

/** What every BlobStore does. `open` gives a fresh, empty one. */
export function blobStoreContract(name: string, open: () => Promise<BlobStore>): void {
  describe(`BlobStore contract: ${name}`, () => {
    let store: BlobStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(() => store[Symbol.asyncDispose]());

    const put = (bytes: Uint8Array) => putBlob(store, bytes);
    const found = () => Array.fromAsync(store.list());

    test("read returns the bytes that were staged and committed", async () => {
      for (const size of [0, 1, 100_000, 1024 * 1024, 1024 * 1024 + 1, 5_000_000]) {
        const bytes = patterned(size);
        const { location } = await put(bytes);
        expect(sha256(await contentBytes(await store.read(location, { size })))).toBe(sha256(bytes));
      }
    });

    test("stage counts and hashes the bytes, however the source splits them", async () => {
      const bytes = patterned(300_000);
      for (const piece of [1000, 65_536, 300_000]) {
        const staged = await store.stage(pieces(bytes, piece), { maxBytes: 300_000 });
        expect(staged.size).toBe(300_000);
        expect(staged.sha256).toBe(sha256(bytes));
        expect(staged.crc32).toBe(Bun.hash.crc32(bytes));
        expect(staged.key.startsWith(`${staged.sha256}.`)).toBe(true);
        await store.discard(staged);
      }
    });

    test("stage accepts a long upload in chunks without shared memory", async () => {
      const bytes = patterned(8_000_000);
      const chunks = (async function* () {
        for await (const piece of pieces(bytes, 1_000_000)) yield piece.slice();
      })();
      const staged = await store.stage(chunks, { maxBytes: bytes.length });
      const content = await store.read(await store.commit(staged), { size: bytes.length });
      expect(sha256(await contentBytes(content))).toBe(sha256(bytes));
    });

    test("staged bytes can be read", async () => {
      for (const size of [0, 70_000, 2_000_000]) {
        const bytes = patterned(size);
        const staged = await store.stage(pieces(bytes, 10_000), { maxBytes: size });
        expect(sha256(await sourceBytes(staged.source))).toBe(sha256(bytes));
        await store.discard(staged);
      }
    });

    test("equal bytes get different keys and locations", async () => {
      const bytes = patterned(1000);
      const [first, second] = await Promise.all([put(bytes), put(bytes)]);
      expect(first.key).not.toBe(second.key);
      expect(first.location).not.toBe(second.location);
      await store.remove(first.location);
      expect(await contentBytes(await store.read(second.location, { size: 1000 }))).toEqual(bytes);
    });

    test("a copy has the bytes of the original, a key and location of its own, and outlives it", async () => {
      for (const size of [1, 100_000, 1024 * 1024, 3_000_000]) {
        const bytes = patterned(size);
        const original = await put(bytes);
        const staged = await store.stageCopy(original.location, { size, sha256: sha256(bytes) });
        expect(staged).toMatchObject({ size, sha256: sha256(bytes) });
        expect(staged.crc32 ?? Bun.hash.crc32(bytes)).toBe(Bun.hash.crc32(bytes));
        expect(staged.key.startsWith(`${staged.sha256}.`)).toBe(true);
        expect(staged.key).not.toBe(original.key);
        const location = await store.commit(staged);
        if (staged.location !== undefined) expect(location).toBe(staged.location);
        expect((await found()).map(({ key }) => key)).not.toContain(staged.key);
        store.release([staged.key]);
        expect((await found()).find(({ key }) => key === staged.key)).toMatchObject({ location, size });
        await store.remove(original.location);
        expect(sha256(await contentBytes(await store.read(location, { size })))).toBe(sha256(bytes));
        await store.remove(location);
      }
    });

    test("a copy of small bytes that are often read leaves those as they are", async () => {
      const size = 300_000;
      const bytes = patterned(size);
      const { location } = await put(bytes);
      for (let round = 0; round < 5; round++) {
        expect(await contentBytes(await store.read(location, { size }))).toEqual(bytes);
        const staged = await store.stageCopy(location, { size, sha256: sha256(bytes) });
        await (round % 2 === 0 ? store.discard(staged) : store.commit(staged));
        store.release([staged.key]);
      }
      Bun.gc(true);
      expect(await contentBytes(await store.read(location, { size }))).toEqual(bytes);
    });

    test("a copy that is discarded leaves nothing; one of a blob that is gone is blob_damaged", async () => {
      const bytes = patterned(1000);
      const original = { size: 1000, sha256: sha256(bytes) };
      const { key, location } = await put(bytes);
      const staged = await store.stageCopy(location, original);
      await store.discard(staged);
      await store.discard(staged);
      store.release([staged.key]);
      expect(await store.commit(staged).catch((error: unknown) => error)).toBeInstanceOf(Error);
      expect((await found()).map((blob) => blob.key)).toEqual([key]);
      await store.remove(location);
      const copying = store.stageCopy(location, original).then((copy) => store.commit(copy));
      await expectCode(copying, "blob_damaged");
      expect(await found()).toEqual([]);
    });

    test("one byte over maxBytes is too_large and leaves nothing", async () => {
      const staging = store.stage(pieces(patterned(1001), 500), { maxBytes: 1000 });
      await expectCode(staging, "too_large");
      expect(await found()).toEqual([]);
      await store.discard(await store.stage(pieces(patterned(1000), 500), { maxBytes: 1000 }));
    });

    test("a failing source leaves nothing and its error is passed on", async () => {
      const failure = new RangeError("cut off");
      const outcome = await store.stage(cutOff(failure), { maxBytes: 1000 }).catch((error: unknown) => error);
      expect(outcome).toBe(failure);
      expect(await found()).toEqual([]);
    });

    test("discard removes staged bytes and can be repeated; committed bytes stay", async () => {
      const staged = await store.stage(pieces(patterned(10), 10), { maxBytes: 10 });
      await store.discard(staged);
      await store.discard(staged);
      expect(await store.commit(staged).catch((error: unknown) => error)).toBeInstanceOf(Error);
      expect(await found()).toEqual([]);

      const kept = await store.stage(pieces(patterned(10), 10), { maxBytes: 10 });
      const location = await store.commit(kept);
      await store.discard(kept);
      expect(await contentBytes(await store.read(location, { size: 10 }))).toEqual(patterned(10));
    });

    test("concurrent uploads are all stored", async () => {
      const sizes = Array.from({ length: 64 }, (_, index) => 1000 + index);
      const blobs = await Promise.all(sizes.map((size) => put(patterned(size))));
      for (const [index, size] of sizes.entries()) {
        const content = await store.read(blobs[index]?.location ?? "", { size });
        expect(await contentBytes(content)).toEqual(patterned(size));
      }
    });

    for (const size of [1000, 3_000_000]) {
      test(`read returns any range of ${size} bytes`, async () => {
        const bytes = patterned(size);
        const { location } = await put(bytes);
        const ranges = fc
          .tuple(fc.nat(size), fc.nat(size))
          .map(([a, b]) => ({ start: Math.min(a, b), end: Math.max(a, b) }));
        await fc.assert(
          fc.asyncProperty(ranges, async (range) => {
            const part = await contentBytes(await store.read(location, { size, range }));
            expect(sha256(part)).toBe(sha256(bytes.subarray(range.start, range.end)));
          }),
          { numRuns: 30 },
        );
      });
    }

    test("a reader may stop in the middle of a long blob", async () => {
      const bytes = patterned(8_000_000);
      const { location } = await put(bytes);
      const content = await store.read(location, { size: bytes.length });
      if (content instanceof ReadableStream) {
        const reader = content.getReader();
        expect((await reader.read()).done).toBe(false);
        await reader.cancel();
      }
      const again = await contentBytes(await store.read(location, { size: bytes.length }));
      expect(sha256(again)).toBe(sha256(bytes));
    });

    test("a size that differs from the record is blob_damaged", async () => {
      for (const size of [1000, 2_000_000]) {
        const { location } = await put(patterned(size));
        await expectCode(store.read(location, { size: size + 1 }), "blob_damaged");
        await expectCode(store.read(location, { size: size - 1 }), "blob_damaged");
        await expectCode(store.read(location, { size: size + 1, range: { start: 0, end: 10 } }), "blob_damaged");
      }
    });

    test("a missing blob is blob_damaged", async () => {
      const { location } = await put(patterned(10));
      await store.read(location, { size: 10 });
      await store.remove(location);
      await expectCode(store.read(location, { size: 10 }), "blob_damaged");
    });

    test("an unknown location is refused", async () => {
      for (const location of [
        "",
        "file:",
        "file:../../etc/passwd",
        "/etc/passwd",
        `file:${"a".repeat(64)}/../x`,
        "segment:../x:0:10:0",
      ]) {
        await expectCode(store.read(location, { size: 10 }), "blob_damaged");
        await expectCode(store.remove(location), "blob_damaged");
      }
    });

    test("openLocal returns the stored bytes as a file or in memory", async () => {
      for (const size of [0, 1000, 2_000_000]) {
        const bytes = patterned(size);
        const { location } = await put(bytes);
        await using local = await store.openLocal(location, { size });
        expect(sha256(await sourceBytes(local.source))).toBe(sha256(bytes));
        await expectCode(store.openLocal(location, { size: size + 1 }), "blob_damaged");
      }
    });

    test("remove can be repeated", async () => {
      const { location } = await put(patterned(10));
      await store.remove(location);
      await store.remove(location);
      expect(await found()).toEqual([]);
    });

    test("list returns released blobs and no uncommitted ones", async () => {
      const staged = await store.stage(pieces(patterned(10), 10), { maxBytes: 10 });
      expect(await found()).toEqual([]);
      const location = await store.commit(staged);
      expect(await found()).toEqual([]);
      store.release([staged.key]);

      const [blob, ...more] = await found();
      expect(more).toEqual([]);
      expect(blob).toMatchObject({ key: staged.key, location, size: 10 } satisfies Partial<FoundBlob>);
      const age = Date.now() - (blob?.modifiedAt ?? 0);
      expect(Math.abs(age)).toBeLessThan(600_000);
    });

    test("list returns each blob once", async () => {
      const blobs = await Promise.all(Array.from({ length: 50 }, (_, index) => put(patterned(index + 1))));
      const keys = (await found()).map(({ key }) => key);
      expect(keys.toSorted()).toEqual(blobs.map(({ key }) => key).toSorted());
    });

    test("claim succeeds for one store, and fails for every other, concurrent or later", async () => {
      expect(await store.owner()).toBeUndefined();
      const claims = await Promise.all(["one", "two", "three"].map((id) => store.claim(id)));
      const owner = (await store.owner()) ?? "";
      expect(["one", "two", "three"]).toContain(owner);
      expect(claims).toEqual(Array(3).fill(owner));
      expect(await store.claim("late")).toBe(owner);
      expect(await store.owner()).toBe(owner);
      // It is no blob.
      expect(await found()).toEqual([]);
    });

    test("probe reports that the store is writable", async () => {
      const { freeBytes } = await store.probe();
      expect(freeBytes === undefined || freeBytes > 0).toBe(true);
      expect(await found()).toEqual([]);
    });
  });
}

async function* cutOff(failure: Error): AsyncGenerator<Uint8Array> {
  yield patterned(100);
  throw failure;
}

const sourceBytes = async (source: BlobSource): Promise<Uint8Array> =>
  "path" in source ? Bun.file(source.path).bytes() : source.bytes;
