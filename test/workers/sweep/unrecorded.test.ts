import { beforeEach, describe, expect, test } from "bun:test";
import { readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { openDiskBlobs } from "../../../src/adapters/blobs/disk.ts";
import type { BlobMove } from "../../../src/domain/blob.ts";
import type { BlobStore, Catalog } from "../../../src/ports.ts";
import { claimUnrecorded, type SweepObserver } from "../../../src/workers/claim-unrecorded.ts";
import { sweepCondemned } from "../../../src/workers/sweep.ts";
import { patterned, pieces } from "../../blobs.ts";
import { createImage, imageNamed, put } from "../../catalog-changes.ts";
import { rejectionOf } from "../../waiting.ts";
import { HOUR, useSweptStore } from "./swept-store.ts";

const { folder, catalog, blobs, album, over, running, storeImage, storedKeys, rows, committed } = useSweptStore();

describe("sweeping blobs without a record", () => {
  test("removes them after the grace period, and no recorded blob", async () => {
    const kept = await storeImage("kept");
    const stray = await committed();
    await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, running);
    expect(await rows()).toEqual({ [kept.key]: "live" });

    await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, over);
    expect(await rows()).toEqual({ [kept.key]: "live", [stray.key]: "deleting" });
    await sweepCondemned({ catalog: catalog(), blobs: blobs() }, running);
    expect(await storedKeys()).toEqual([kept.key]);
    expect(await rows()).toEqual({ [kept.key]: "live" });
  });

  test("counts the grace period from their write", async () => {
    const stray = await committed();
    const names = await readdir(join(folder(), "blobs", "files"), { recursive: true });
    const file = names.find((name) => name.endsWith(stray.key)) ?? "";
    const old = new Date(Date.now() - 2 * HOUR);
    await utimes(join(folder(), "blobs", "files", file), old, old);
    await committed();
    await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, running);
    expect(await rows()).toEqual({ [stray.key]: "deleting" });
  });

  test("ignores blobs of this process until their change is answered", async () => {
    const staged = await blobs().stage(pieces(patterned(100), 100), { maxBytes: 100 });
    const location = await blobs().commit(staged);
    await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, over);
    expect(await rows()).toEqual({});
    const { key, size, sha256 } = staged;
    await put(catalog(), album(), [imageNamed("i", { blob: { key, location, size, sha256 } })]);
    blobs().release([key]);
    await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, over);
    expect(await rows()).toEqual({ [key]: "live" });
  });

  test("spares a blob whose record is written between listing and lookup", async () => {
    const staged = await blobs().stage(pieces(patterned(100), 100), { maxBytes: 100 });
    const location = await blobs().commit(staged);
    const { key, size, sha256 } = staged;
    blobs().release([key]);
    const late: Catalog = {
      ...catalog(),
      async recordedBlobs(keys) {
        const recorded = await catalog().recordedBlobs(keys);
        await put(catalog(), album(), [imageNamed("i", { blob: { key, location, size, sha256 } })]);
        return recorded;
      },
    };
    await claimUnrecorded({ catalog: late, blobs: blobs() }, over);
    expect(await rows()).toEqual({ [key]: "live" });
  });

  test("removes, of two copies after a crash, the one that the record does not name", async () => {
    const other = join(folder(), "segments");
    const open = () =>
      openDiskBlobs({ folder: other, minFree: 0, recover: true, segmentBytes: 16_384, compactionRate: 1e9 });
    await using segments = await open();
    const kept: { key: string; location: string }[] = [];
    for (let index = 0; index < 12; index++) {
      const staged = await segments.stage(pieces(patterned(1000 + index), 100), { maxBytes: 2000 });
      const { key, size, sha256 } = staged;
      const location = await segments.commit(staged);
      await put(catalog(), album(), [imageNamed(`i${index}`, { blob: { key, location, size, sha256 } })]);
      segments.release([key]);
      kept.push({ key, location });
    }
    // Before the catalog heard of it, and after.
    const crash = async (moves: readonly BlobMove[], move: boolean) => {
      if (move) await catalog().write({ type: "moveBlobs", moves });
      throw new Error("crash");
    };
    const never = new AbortController().signal;
    for (const move of [false, true])
      expect((await rejectionOf(segments.compact((moves) => crash(moves, move), never))).message).toBe("crash");
    expect((await Array.fromAsync(segments.list())).length).toBeGreaterThan(kept.length);

    await claimUnrecorded({ catalog: catalog(), blobs: segments }, over);
    const named = (await catalog().blobs({ limit: 100 })).map(({ location }) => location);
    expect((await Array.fromAsync(segments.list())).map(({ location }) => location).toSorted()).toEqual(
      named.toSorted(),
    );
    expect(Object.values(await rows())).toEqual(kept.map(() => "live"));
  });

  test("looks up many in batches", async () => {
    await Promise.all(Array.from({ length: 250 }, committed));
    await storeImage("kept");
    await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, over);
    expect(await sweepCondemned({ catalog: catalog(), blobs: blobs() }, over)).toBe(250);
    expect(await storedKeys()).toHaveLength(1);
  });

  test("does not list a shared store", async () => {
    await committed();
    await claimUnrecorded({ catalog: catalog(), blobs: { ...blobs(), shared: true } }, over);
    expect(await rows()).toEqual({});
  });
});

describe("the sweep's limit on unrecorded blobs", () => {
  const told: string[] = [];
  const claimed: number[] = [];
  const observer: SweepObserver = {
    claimed: ({ blobs: count }) => void claimed.push(count),
    removed: () => {},
    stopped: (_, why) => void (why === undefined || told.push(why)),
  };
  beforeEach(() => {
    told.length = 0;
    claimed.length = 0;
  });
  const guarded = { ...over, observer };

  test("permits what a crash leaves, however small the store is", async () => {
    for (let index = 0; index < 3; index++) await committed();
    await storeImage("kept");
    await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, guarded);
    expect([told, claimed]).toEqual([[], [3]]);
    expect(await sweepCondemned({ catalog: catalog(), blobs: blobs() }, over)).toBe(3);
    expect(await storedKeys()).toHaveLength(1);
  });

  test("stops the sweep, and reports it, when the catalog's own images are missing", async () => {
    // As a copy of the catalog has them, whose bytes are in another folder.
    for (let index = 0; index < 5; index++) await createImage(catalog(), album(), `elsewhere${index}`);
    for (let index = 0; index < 3; index++) await committed();
    const before = await storedKeys();
    await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, guarded);
    expect(told).toEqual([expect.stringContaining("the catalog has 5 images, and only 0 of the blobs")]);
    expect(await sweepCondemned({ catalog: catalog(), blobs: blobs() }, over)).toBe(0);
    expect(await storedKeys()).toEqual(before);
    await claimUnrecorded({ catalog: catalog(), blobs: blobs() }, { ...guarded, share: 1 });
    expect(claimed).toEqual([3]);
  });

  test("stops the sweep when more than a thousand blobs, and more than the share, have no record", async () => {
    await storeImage("kept");
    const found = Array.from({ length: 1001 }, (_, index) => {
      const key = `${index.toString(16).padStart(64, "0")}.0000000000000000`;
      return { key, location: `file:${key}`, size: 1, modifiedAt: 0 };
    });
    const withMany = (count: number): BlobStore => ({
      ...blobs(),
      async *list(tell) {
        yield* blobs().list(tell);
        yield* found.slice(0, count);
      },
    });
    await claimUnrecorded({ catalog: catalog(), blobs: withMany(1001) }, guarded);
    expect(told).toEqual(["1001 of 1002 blobs in the store have no record, which is more than 10 %"]);
    expect(claimed).toEqual([]);
    expect(Object.values(await rows())).toEqual(["live"]);
    await claimUnrecorded({ catalog: catalog(), blobs: withMany(1000) }, guarded);
    expect(claimed).toEqual([1000]);
  });
});
