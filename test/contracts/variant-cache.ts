import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFile } from "node:fs/promises";
import fc from "fast-check";
import { StoreError } from "../../src/domain/errors.ts";
import type { Refusal, Variant, VariantCache } from "../../src/ports.ts";
import { bytesAt, exists, making, owner, renderedOf, storeVariant } from "../adapters/variants/stored-variants.ts";
import { contentBytes, patterned, sha256 } from "../blobs.ts";
import { rejectionOf } from "../waiting.ts";

/**
 * What every VariantCache does. `open` gives a fresh, empty one, in which a file takes its size in whole blocks.
 * `exactOrder`: no two uses count as one.
 */
export function variantCacheContract(
  name: string,
  options: {
    open: (options: { maxBytes: number }) => Promise<VariantCache>;
    blockBytes: number;
    exactOrder: boolean;
  },
): void {
  describe(`VariantCache contract: ${name}`, () => {
    const { open, blockBytes, exactOrder } = options;
    let cache: VariantCache;
    beforeEach(async () => {
      cache = await open({ maxBytes: 1024 * 1024 * 1024 });
    });
    afterEach(() => cache[Symbol.asyncDispose]());

    test("returns a stored variant, whole and in ranges", async () => {
      for (const size of [0, 1, 70_000, 3_000_000]) {
        const bytes = patterned(size);
        const stored = await storeVariant(cache, `size ${size}`, owner("a"), making(bytes));
        const found = cache.find(`size ${size}`) as Variant;
        for (const variant of [stored, found]) {
          const { contentType } = variant;
          expect({ contentType, size: variant.size, sha256: variant.sha256 }).toEqual(renderedOf(bytes));
          expect(sha256(await contentBytes(await variant.read()))).toBe(sha256(bytes));
          const range = { start: Math.floor(size / 3), end: size };
          expect(sha256(await contentBytes(await variant.read(range)))).toBe(sha256(bytes.subarray(range.start)));
          await variant[Symbol.asyncDispose]();
        }
      }
    });

    test("has no variant that was never stored", () => {
      expect(cache.find("nothing")).toBeUndefined();
    });

    test("returns the newest of a variant stored twice, while a reader finishes the older one", async () => {
      const former = await storeVariant(cache, "key", owner("a"), making(patterned(10)));
      expect(await bytesAt(cache, "key")).toEqual(patterned(10));
      await storeVariant(cache, "key", owner("a"), making(patterned(20)));
      expect(await bytesAt(cache, "key")).toEqual(patterned(20));
      const outcome = await former.read().catch((error: unknown) => error);
      expect(outcome).toBeInstanceOf(StoreError);
      expect((outcome as StoreError).code).toBe("unavailable");
      expect(await bytesAt(cache, "key")).toEqual(patterned(20));
    });

    test("a draft that is not kept leaves no file and no variant", async () => {
      for (const write of [writeFile, async () => {}]) {
        const draft = await cache.begin("key", owner("a"));
        expect(await exists(draft.path)).toBe(false);
        await write(draft.path, "half a picture");
        await draft[Symbol.asyncDispose]();
        await draft[Symbol.asyncDispose]();
        expect(await exists(draft.path)).toBe(false);
        expect(cache.find("key")).toBeUndefined();
      }
    });

    test("a draft of which no file was written cannot be found", async () => {
      await using draft = await cache.begin("key", owner("a"));
      await using variant = await draft.keep(renderedOf(patterned(10)));
      expect(await rejectionOf(variant.read())).toBeInstanceOf(StoreError);
      expect(cache.find("key")).toBeUndefined();
    });

    test("remembers a refusal until the variant is stored or its image is purged", async () => {
      const refusal: Refusal = { code: "invalid_image", message: "It ends too early." };
      cache.refuse("key", owner("a"), refusal);
      cache.refuse("other", owner("b"), refusal);
      expect(cache.find("key")).toEqual(refusal);
      await cache.purge("b");
      expect([cache.find("key"), cache.find("other")]).toEqual([refusal, undefined]);
      await storeVariant(cache, "key", owner("a"), making(patterned(10)));
      expect(await bytesAt(cache, "key")).toEqual(patterned(10));
    });

    test("a stored variant is not refused after its eviction", async () => {
      await using small = await open({ maxBytes: blockBytes });
      small.refuse("key", owner("a"), { code: "invalid_image", message: "It took too long." });
      await storeVariant(small, "key", owner("a"), making(patterned(1)));
      expect(await bytesAt(small, "key")).toEqual(patterned(1));
      await storeVariant(small, "other", owner("a"), making(patterned(1)));
      expect(small.find("key")).toBeUndefined();
    });

    test("purge removes the variants of one image only", async () => {
      for (const id of ["a", "b"])
        for (const key of [1, 2]) await storeVariant(cache, `${id}${key}`, owner(id), making(patterned(key)));
      for (const key of ["a1", "a2", "b1", "b2"]) expect(await bytesAt(cache, key)).toBeDefined();
      await cache.purge("a");
      expect(["a1", "a2", "b1", "b2"].map((key) => cache.find(key) !== undefined)).toEqual([false, false, true, true]);
      await cache.purge("a");
      await cache.purge("unknown");
    });

    test("purge can keep the variants of the present bytes", async () => {
      await storeVariant(cache, "old", owner("a", "old digest"), making(patterned(1)));
      await storeVariant(cache, "new", owner("a", "new digest"), making(patterned(2)));
      expect(["old", "new"].map((key) => cache.find(key) !== undefined)).toEqual([true, true]);
      cache.refuse("refused", owner("a", "old digest"), { code: "invalid_image", message: "no" });
      await cache.purge("a", "new digest");
      expect(["old", "new", "refused"].map((key) => cache.find(key) !== undefined)).toEqual([false, true, false]);
    });

    test("a variant that is rendered during a purge is not kept, and can still be read", async () => {
      const bytes = patterned(5000);
      const begin = async (key: string, of = owner("a")) => ({ key, draft: await cache.begin(key, of) });
      const drafts = [
        await begin("purged"),
        await begin("spared", owner("a", "new digest")),
        await begin("another", owner("b")),
      ];
      await cache.purge("a", "new digest");
      const variants = drafts.map(async ({ draft }) => {
        await using kept = draft;
        return await kept.keep(await making(bytes)(kept.path));
      });
      const [variant] = (await Promise.all(variants)) as [Variant];
      expect(["purged", "spared", "another"].map((key) => cache.find(key) !== undefined)).toEqual([false, true, true]);
      expect(await contentBytes(await variant.read())).toEqual(bytes);
      expect(await contentBytes(await variant.read({ start: 10, end: 20 }))).toEqual(bytes.slice(10, 20));
      await variant[Symbol.asyncDispose]();
      expect(await rejectionOf(variant.read())).toBeInstanceOf(StoreError);
    });

    test("clear removes everything, including variants being rendered", async () => {
      await storeVariant(cache, "key", owner("a"), making(patterned(10)));
      cache.refuse("refused", owner("a"), { code: "invalid_image", message: "no" });
      cache.setPosition({ epoch: 1, seq: 2 });
      await using running = await cache.begin("running", owner("a"));
      expect(await bytesAt(cache, "key")).toEqual(patterned(10));
      await cache.clear();
      await using variant = await running.keep(await making(patterned(7))(running.path));
      expect(["key", "refused", "running"].map((key) => cache.find(key))).toEqual([undefined, undefined, undefined]);
      expect(cache.position()).toBeUndefined();
      expect(await contentBytes(await variant.read())).toEqual(patterned(7));
      await storeVariant(cache, "key", owner("a"), making(patterned(20)));
      expect(await bytesAt(cache, "key")).toEqual(patterned(20));
    });

    test("keeps the log position that it is given", () => {
      expect(cache.position()).toBeUndefined();
      for (const position of [
        { epoch: 1, seq: 0 },
        { epoch: 2, seq: 123_456_789_012 },
      ]) {
        cache.setPosition(position);
        expect(cache.position()).toEqual(position);
      }
    });

    test("keeps nothing with a budget of 0, and still renders", async () => {
      await using none = await open({ maxBytes: 0 });
      for (const size of [10, 3_000_000]) {
        const variant = await storeVariant(none, "key", owner("a"), making(patterned(size)));
        expect(none.find("key")).toBeUndefined();
        expect(sha256(await contentBytes(await variant.read()))).toBe(sha256(patterned(size)));
        await variant[Symbol.asyncDispose]();
        await variant[Symbol.asyncDispose]();
      }
      await none.purge("a");
      none.refuse("refused", owner("a"), { code: "invalid_image", message: "no" });
      expect(none.find("refused")).toEqual({ code: "invalid_image", message: "no" });
    });

    test("stores many variants concurrently, some of them equal", async () => {
      const keys = Array.from({ length: 60 }, (_, index) => index % 20);
      await Promise.all(keys.map((key) => storeVariant(cache, `key ${key}`, owner("a"), making(patterned(100 + key)))));
      for (const key of keys) expect(await bytesAt(cache, `key ${key}`)).toEqual(patterned(100 + key));
    });

    if (exactOrder)
      test("evicts the least recently used variant, whatever happened before", async () => {
        const KEYS = ["a", "b", "c", "d", "e", "f"] as const;
        const budgetBlocks = 5;
        const command = fc.oneof(
          {
            weight: 4,
            arbitrary: fc.record({
              do: fc.constant("store" as const),
              key: keyOf(KEYS),
              blocks: fc.integer({ min: 1, max: 6 }),
            }),
          },
          { weight: 4, arbitrary: fc.record({ do: fc.constant("find" as const), key: keyOf(KEYS) }) },
          { weight: 1, arbitrary: fc.record({ do: fc.constant("purge" as const), image: fc.constantFrom("0", "1") }) },
        );
        /** Images 0 and 1, by turns. */
        const imageOf = (key: string) => String((KEYS as readonly string[]).indexOf(key) % 2);
        await fc.assert(
          fc.asyncProperty(fc.array(command, { maxLength: 30 }), async (commands) => {
            await using small = await open({ maxBytes: budgetBlocks * blockBytes });
            /** Least recently used first: key → blocks. */
            const model = new Map<string, number>();
            const use = (key: string, blocks: number) => {
              model.delete(key);
              model.set(key, blocks);
            };
            for (const step of commands) {
              if (step.do === "store") {
                const bytes = patterned((step.blocks - 1) * blockBytes + 1);
                await using variant = await storeVariant(small, step.key, owner(imageOf(step.key)), making(bytes));
                expect(variant.size).toBe(bytes.length);
                // What alone is over the budget changes nothing.
                if (step.blocks <= budgetBlocks) use(step.key, step.blocks);
                const over = () => [...model.values()].reduce((sum, blocks) => sum + blocks, 0) > budgetBlocks;
                for (const oldest of model.keys()) if (over()) model.delete(oldest);
              } else if (step.do === "purge") {
                await small.purge(step.image);
                for (const key of model.keys()) if (imageOf(key) === step.image) model.delete(key);
              } else {
                const blocks = model.get(step.key);
                expect(small.find(step.key) !== undefined).toBe(blocks !== undefined);
                if (blocks !== undefined) use(step.key, blocks);
              }
            }
            for (const key of KEYS) {
              const blocks = model.get(key);
              if (blocks === undefined) expect(small.find(key)).toBeUndefined();
              else expect(await bytesAt(small, key)).toEqual(patterned((blocks - 1) * blockBytes + 1));
            }
          }),
          { numRuns: Number(process.env["IMAGE_STORE_TEST_RUNS"] ?? 60) },
        );
      });
  });
}

const keyOf = (keys: readonly string[]) => fc.constantFrom(...keys);
