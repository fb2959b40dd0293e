import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type ErrorCode, StoreError } from "../../src/domain/errors.ts";
import type { BlobContent, BlobSource, BlobStore, FoundBlob } from "../../src/ports.ts";

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

    test("gives back what it took", async () => {
      for (const size of [0, 1, 100_000, 1024 * 1024, 1024 * 1024 + 1, 5_000_000]) {
        const bytes = patterned(size);
        const { location } = await put(bytes);
        expect(sha256(await contentBytes(await store.read(location, { size })))).toBe(sha256(bytes));
      }
    });

    test("counts and hashes in the pass, however the source cuts", async () => {
      const bytes = patterned(300_000);
      for (const piece of [1000, 65_536, 300_000]) {
        const staged = await store.stage(pieces(bytes, piece), { maxBytes: 300_000 });
        expect(staged.size).toBe(300_000);
        expect(staged.sha256).toBe(sha256(bytes));
        expect(staged.key.startsWith(`${staged.sha256}.`)).toBe(true);
        await store.discard(staged);
      }
    });

    test("a long upload, in chunks that share no memory", async () => {
      const bytes = patterned(8_000_000);
      const chunks = (async function* () {
        for await (const piece of pieces(bytes, 1_000_000)) yield piece.slice();
      })();
      const staged = await store.stage(chunks, { maxBytes: bytes.length });
      const content = await store.read(await store.commit(staged), { size: bytes.length });
      expect(sha256(await contentBytes(content))).toBe(sha256(bytes));
    });

    test("the staged bytes can be read", async () => {
      for (const size of [0, 70_000, 2_000_000]) {
        const bytes = patterned(size);
        const staged = await store.stage(pieces(bytes, 10_000), { maxBytes: size });
        expect(sha256(await sourceBytes(staged.source))).toBe(sha256(bytes));
        await store.discard(staged);
      }
    });

    test("equal bytes get keys and places of their own", async () => {
      const bytes = patterned(1000);
      const [first, second] = await Promise.all([put(bytes), put(bytes)]);
      expect(first.key).not.toBe(second.key);
      expect(first.location).not.toBe(second.location);
      await store.remove(first.location);
      expect(await contentBytes(await store.read(second.location, { size: 1000 }))).toEqual(bytes);
    });

    test("one byte too many is too_large and leaves nothing", async () => {
      const staging = store.stage(pieces(patterned(1001), 500), { maxBytes: 1000 });
      await expectCode(staging, "too_large");
      expect(await found()).toEqual([]);
      await store.discard(await store.stage(pieces(patterned(1000), 500), { maxBytes: 1000 }));
    });

    test("a source that fails leaves nothing and fails with its own error", async () => {
      const failure = new RangeError("cut off");
      const outcome = await store.stage(cutOff(failure), { maxBytes: 1000 }).catch((error: unknown) => error);
      expect(outcome).toBe(failure);
      expect(await found()).toEqual([]);
    });

    test("what is discarded is gone, twice too; what is committed stays", async () => {
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

    test("many at once", async () => {
      const sizes = Array.from({ length: 64 }, (_, index) => 1000 + index);
      const blobs = await Promise.all(sizes.map((size) => put(patterned(size))));
      for (const [index, size] of sizes.entries()) {
        const content = await store.read(blobs[index]?.location ?? "", { size });
        expect(await contentBytes(content)).toEqual(patterned(size));
      }
    });

    for (const size of [1000, 3_000_000]) {
      test(`any range of ${size} bytes`, async () => {
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

    test("a reader may leave a long content", async () => {
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

    test("another size than the record's is blob_damaged", async () => {
      for (const size of [1000, 2_000_000]) {
        const { location } = await put(patterned(size));
        await expectCode(store.read(location, { size: size + 1 }), "blob_damaged");
        await expectCode(store.read(location, { size: size - 1 }), "blob_damaged");
        await expectCode(store.read(location, { size: size + 1, range: { start: 0, end: 10 } }), "blob_damaged");
      }
    });

    test("what is not there is blob_damaged", async () => {
      const { location } = await put(patterned(10));
      await store.read(location, { size: 10 });
      await store.remove(location);
      await expectCode(store.read(location, { size: 10 }), "blob_damaged");
    });

    test("a location that it never gave is refused", async () => {
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

    test("lends what was stored, to be read by another process", async () => {
      for (const size of [0, 1000, 2_000_000]) {
        const bytes = patterned(size);
        const { location } = await put(bytes);
        const lent = await store.lend(location, { size }, async (source) => sourceBytes(source));
        expect(sha256(lent)).toBe(sha256(bytes));
        await expectCode(
          store.lend(location, { size: size + 1 }, async () => {}),
          "blob_damaged",
        );
      }
    });

    test("removing can be repeated", async () => {
      const { location } = await put(patterned(10));
      await store.remove(location);
      await store.remove(location);
      expect(await found()).toEqual([]);
    });

    test("lists what was settled, and nothing that is on its way", async () => {
      const staged = await store.stage(pieces(patterned(10), 10), { maxBytes: 10 });
      expect(await found()).toEqual([]);
      const location = await store.commit(staged);
      expect(await found()).toEqual([]);
      store.settle([staged.key]);

      const [blob, ...more] = await found();
      expect(more).toEqual([]);
      expect(blob).toMatchObject({ key: staged.key, location, size: 10 } satisfies Partial<FoundBlob>);
      const age = Date.now() - (blob?.modifiedAt ?? 0);
      expect(Math.abs(age)).toBeLessThan(600_000);
    });

    test("lists everything once", async () => {
      const blobs = await Promise.all(Array.from({ length: 50 }, (_, index) => put(patterned(index + 1))));
      const keys = (await found()).map(({ key }) => key);
      expect(keys.toSorted()).toEqual(blobs.map(({ key }) => key).toSorted());
    });

    test("says that it can be written to", async () => {
      const { freeBytes } = await store.probe();
      expect(freeBytes === undefined || freeBytes > 0).toBe(true);
      expect(await found()).toEqual([]);
    });
  });
}

export async function putBlob(store: BlobStore, bytes: Uint8Array): Promise<{ key: string; location: string }> {
  const staged = await store.stage(pieces(bytes, 65_536), { maxBytes: bytes.length });
  const location = await store.commit(staged);
  store.settle([staged.key]);
  return { key: staged.key, location };
}

/** Copies, since a chunk is the store's once it was taken. */
export async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.slice(start, start + size);
}

async function* cutOff(failure: Error): AsyncGenerator<Uint8Array> {
  yield patterned(100);
  throw failure;
}

/** Bytes of which no two places are alike, the same each time. */
export function patterned(size: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(size / 4));
  for (let index = 0; index < words.length; index++) words[index] = Math.imul(index + size, 2_654_435_761);
  return new Uint8Array(words.buffer, 0, size);
}

export const sha256 = (bytes: Uint8Array): string => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

const sourceBytes = async (source: BlobSource): Promise<Uint8Array> =>
  "path" in source ? Bun.file(source.path).bytes() : source.bytes;

export const contentBytes = (content: BlobContent): Promise<Uint8Array> => new Response(content).bytes();

export async function expectCode(work: Promise<unknown>, code: ErrorCode): Promise<void> {
  const outcome = await work.then(
    () => "done",
    (error: unknown) => error,
  );
  expect(outcome).toBeInstanceOf(StoreError);
  expect((outcome as StoreError).code).toBe(code);
}
