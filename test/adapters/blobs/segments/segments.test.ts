import { describe, expect, test } from "bun:test";
import * as fs from "node:fs";
import { join } from "node:path";
import { ALIGNMENT, BLOCK_BYTES } from "../../../../src/adapters/blobs/segments/format.ts";
import { patterned, pieces, putBlob, sha256 } from "../../../blobs.ts";
import { blobStoreContract } from "../../../contracts/blob-store.ts";
import { expectCode } from "../../../errors.ts";
import { KIBIBYTE, listAll, placeOf, readAll, useSegmentFolder } from "./segment-folder.ts";

const { folder, openStore, segmentPaths } = useSegmentFolder();

blobStoreContract("disk, small ones in segments", () => openStore());
blobStoreContract("disk, segments of a few records and a cache", () =>
  openStore({ segmentBytes: 64 * KIBIBYTE, cacheBytes: 1024 * KIBIBYTE }),
);

describe("segments", () => {
  test("small blobs share a segment; large blobs get a file each", async () => {
    await using store = await openStore();
    const small = await putBlob(store, patterned(1024 * KIBIBYTE));
    const large = await putBlob(store, patterned(1024 * KIBIBYTE + 1));
    expect(small.location).toStartWith("segment:");
    expect(large.location).toStartWith("file:");
    await putBlob(store, patterned(10));
    expect(await segmentPaths()).toHaveLength(1);
  });

  test("each batch starts in a new block, so acknowledged bytes are never rewritten", async () => {
    await using store = await openStore();
    for (let count = 0; count < 3; count++) {
      const { location } = await putBlob(store, patterned(100));
      expect(placeOf(location).offset).toBe((count + 1) * BLOCK_BYTES);
    }
    const together = await Promise.all(Array.from({ length: 4 }, () => putBlob(store, patterned(100))));
    const offsets = together.map(({ location }) => placeOf(location).offset).toSorted((left, right) => left - right);
    expect(offsets).toEqual([0, 1, 2, 3].map((index) => 4 * BLOCK_BYTES + index * 4 * ALIGNMENT));
  });

  test("concurrent uploads fill one segment after another", async () => {
    await using store = await openStore({ segmentBytes: 256 * KIBIBYTE });
    const sizes = Array.from({ length: 200 }, (_, index) => 1 + index * 50);
    const blobs: { location: string }[] = [];
    for (let start = 0; start < sizes.length; start += 20)
      blobs.push(...(await Promise.all(sizes.slice(start, start + 20).map((size) => putBlob(store, patterned(size))))));
    expect((await segmentPaths()).length).toBeGreaterThan(2);
    for (const [index, size] of sizes.entries())
      expect(sha256(await readAll(store, blobs[index]?.location ?? "", size))).toBe(sha256(patterned(size)));
    expect((await listAll(store)).found.toSorted()).toEqual(blobs.map(({ location }) => location).toSorted());
  });

  test("a batch larger than one write is stored", async () => {
    await using store = await openStore();
    const blobs = await Promise.all(Array.from({ length: 1500 }, (_, index) => putBlob(store, patterned(index % 300))));
    const large = await Promise.all(Array.from({ length: 20 }, () => putBlob(store, patterned(1000 * KIBIBYTE))));
    for (const [index, { location }] of blobs.entries())
      expect(await readAll(store, location, index % 300)).toEqual(patterned(index % 300));
    for (const { location } of large)
      expect(sha256(await readAll(store, location, 1000 * KIBIBYTE))).toBe(sha256(patterned(1000 * KIBIBYTE)));
  });

  test("small blobs are written as files when memory is short", async () => {
    await using store = await openStore();
    const staged = await Promise.all(
      Array.from({ length: 70 }, () => store.stage(pieces(patterned(1024 * KIBIBYTE), 65_536), { maxBytes: 2 ** 20 })),
    );
    const locations = await Promise.all(staged.map((each) => store.commit(each)));
    const kinds = locations.map((location) => location.split(":")[0]);
    expect(kinds.filter((kind) => kind === "segment").length).toBeLessThanOrEqual(64);
    expect(kinds).toContain("file");
    // What was taken of it was given back.
    expect((await putBlob(store, patterned(1024 * KIBIBYTE))).location).toStartWith("segment:");
  });

  test("a store that has only files opens, and stores new small blobs in segments", async () => {
    let old: { location: string };
    {
      await using store = await openStore({ smallBytes: 0 });
      old = await putBlob(store, patterned(1000));
    }
    await using store = await openStore();
    const { location } = await putBlob(store, patterned(1000));
    expect(await readAll(store, old.location, 1000)).toEqual(await readAll(store, location, 1000));
    expect((await listAll(store)).found.toSorted()).toEqual([old.location, location].toSorted());
    await store.remove(old.location);
    expect((await listAll(store)).found).toEqual([location]);
  });
});

test("an I/O error is unavailable, for uploads and for the readiness probe", async () => {
  await using store = await openStore();
  fs.rmSync(join(folder(), "segments"), { recursive: true });
  await expectCode(putBlob(store, patterned(10)), "unavailable");
  await expectCode(store.probe(), "unavailable");
  fs.mkdirSync(join(folder(), "segments"));
  await store.probe();
  await putBlob(store, patterned(10));
});
