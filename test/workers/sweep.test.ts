import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { open as openFile, readdir, readFile, utimes } from "node:fs/promises";
import { join } from "node:path";
import { openDiskBlobs } from "../../src/adapters/blobs/disk.ts";
import type { Album } from "../../src/domain/album.ts";
import type { BlobMove } from "../../src/domain/blob.ts";
import type { BlobStore, Catalog } from "../../src/ports.ts";
import { finishAlbumDeletions, runAlbumDeletion } from "../../src/workers/album-deletion.ts";
import { claimUnrecorded, type SweepObserver } from "../../src/workers/claim-unrecorded.ts";
import { pruneOnce, runRetention } from "../../src/workers/retention.ts";
import { runSweep, sweepCondemned } from "../../src/workers/sweep.ts";
import { openCatalog } from "../adapters/catalog/open-sqlite.ts";
import { patterned, pieces, putBlob } from "../blobs.ts";
import { createAlbum, createImage, imageNamed, put } from "../catalog-changes.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { rejectionOf, until } from "../waiting.ts";

const HOUR = 3_600_000;
let folder: string;
let catalog: Catalog;
let blobs: BlobStore;
let album: Album;
let failures: unknown[];

beforeEach(async () => {
  folder = await newFolder("sweep");
  catalog = await openCatalog(join(folder, "catalog.sqlite"));
  blobs = await openDiskBlobs({ folder: join(folder, "blobs"), minFree: 0, recover: true, smallBytes: 0 });
  album = await createAlbum(catalog, "a");
  failures = [];
});
afterEach(async () => {
  await blobs[Symbol.asyncDispose]();
  await catalog[Symbol.asyncDispose]();
  await removeFolder(folder);
});

const onFailure = (error: unknown) => void failures.push(error);
/** Everything that happened before counts as past the grace. */
const over = { grace: -HOUR, onFailure };
const running = { grace: HOUR, onFailure };

async function storeImage(name: string): Promise<{ key: string; location: string }> {
  const staged = await blobs.stage(pieces(patterned(100), 100), { maxBytes: 100 });
  const { key, size, sha256 } = staged;
  const location = await blobs.commit(staged);
  await put(catalog, album, [imageNamed(name, { blob: { key, location, size, sha256 } })]);
  blobs.release([key]);
  return { key, location };
}

const deleteImage = (name: string) => catalog.write({ type: "deleteImage", albumId: album.id, name });
const storedKeys = async () => (await Array.fromAsync(blobs.list())).map(({ key }) => key);
const rows = async () =>
  Object.fromEntries((await catalog.blobs({ limit: 1000 })).map(({ key, state }) => [key, state]));

describe("sweeping condemned blobs", () => {
  test("removes bytes and rows after the grace period, and no live blob", async () => {
    const gone = await storeImage("gone");
    const kept = await storeImage("kept");
    await deleteImage("gone");

    expect(await sweepCondemned({ catalog, blobs }, running)).toBe(0);
    expect(await rows()).toEqual({ [gone.key]: "condemned", [kept.key]: "live" });
    expect(await storedKeys()).toHaveLength(2);

    expect(await sweepCondemned({ catalog, blobs }, over)).toBe(1);
    expect(await rows()).toEqual({ [kept.key]: "live" });
    expect(await storedKeys()).toEqual([kept.key]);
    expect(await sweepCondemned({ catalog, blobs }, over)).toBe(0);
  });

  test("takes several transactions", async () => {
    const images = Array.from({ length: 450 }, async (_, index) =>
      imageNamed(`i${index}`, { blob: await committed() }),
    );
    await put(catalog, album, await Promise.all(images));
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true });
    expect(await sweepCondemned({ catalog, blobs }, over)).toBe(450);
    expect(await rows()).toEqual({});
    expect(await storedKeys()).toEqual([]);
  });

  test("completes interrupted removals first", async () => {
    for (const alreadyRemoved of [false, true]) {
      const { location } = await storeImage("i");
      await deleteImage("i");
      await catalog.write({ type: "beginBlobDeletion", grace: -HOUR, limit: 10 });
      if (alreadyRemoved) await blobs.remove(location);
      expect(await sweepCondemned({ catalog, blobs }, running)).toBe(1);
      expect(await rows()).toEqual({});
    }
  });

  test("reports a blob that cannot be removed, keeps it deleting, and continues", async () => {
    const stuck = await storeImage("stuck");
    for (let index = 0; index < 5; index++) await storeImage(`i${index}`);
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true });
    const broken: BlobStore = {
      ...blobs,
      remove: (location) => (location === stuck.location ? Promise.reject(new Error("stuck")) : blobs.remove(location)),
    };
    expect(await sweepCondemned({ catalog, blobs: broken }, over)).toBe(5);
    expect(failures).toEqual([new Error("stuck")]);
    expect(await rows()).toEqual({ [stuck.key]: "deleting" });
    expect(await sweepCondemned({ catalog, blobs }, over)).toBe(1);
    expect(await rows()).toEqual({});
  });

  test("removes nothing while the store is held", async () => {
    await storeImage("i");
    await deleteImage("i");
    const unrecorded = await committed();
    await catalog.write({ type: "hold", id: "backup", seconds: 60 });
    await claimUnrecorded({ catalog, blobs }, over);
    expect(await sweepCondemned({ catalog, blobs }, over)).toBe(0);
    expect(await storedKeys()).toHaveLength(2);
    await catalog.write({ type: "releaseHold", id: "backup" });
    await claimUnrecorded({ catalog, blobs }, over);
    expect(await sweepCondemned({ catalog, blobs }, over)).toBe(2);
    expect(await storedKeys()).not.toContain(unrecorded.key);
  });
});

/** Bytes that no record has, as a crash before the change leaves them. */
async function committed() {
  const { key, location } = await putBlob(blobs, patterned(100));
  return { key, location, size: 100, sha256: key.slice(0, 64) };
}

describe("sweeping blobs without a record", () => {
  test("removes them after the grace period, and no recorded blob", async () => {
    const kept = await storeImage("kept");
    const stray = await committed();
    await claimUnrecorded({ catalog, blobs }, running);
    expect(await rows()).toEqual({ [kept.key]: "live" });

    await claimUnrecorded({ catalog, blobs }, over);
    expect(await rows()).toEqual({ [kept.key]: "live", [stray.key]: "deleting" });
    await sweepCondemned({ catalog, blobs }, running);
    expect(await storedKeys()).toEqual([kept.key]);
    expect(await rows()).toEqual({ [kept.key]: "live" });
  });

  test("counts the grace period from their write", async () => {
    const stray = await committed();
    const names = await readdir(join(folder, "blobs", "files"), { recursive: true });
    const file = names.find((name) => name.endsWith(stray.key)) ?? "";
    const old = new Date(Date.now() - 2 * HOUR);
    await utimes(join(folder, "blobs", "files", file), old, old);
    await committed();
    await claimUnrecorded({ catalog, blobs }, running);
    expect(await rows()).toEqual({ [stray.key]: "deleting" });
  });

  test("ignores blobs of this process until their change is answered", async () => {
    const staged = await blobs.stage(pieces(patterned(100), 100), { maxBytes: 100 });
    const location = await blobs.commit(staged);
    await claimUnrecorded({ catalog, blobs }, over);
    expect(await rows()).toEqual({});
    const { key, size, sha256 } = staged;
    await put(catalog, album, [imageNamed("i", { blob: { key, location, size, sha256 } })]);
    blobs.release([key]);
    await claimUnrecorded({ catalog, blobs }, over);
    expect(await rows()).toEqual({ [key]: "live" });
  });

  test("spares a blob whose record is written between listing and lookup", async () => {
    const staged = await blobs.stage(pieces(patterned(100), 100), { maxBytes: 100 });
    const location = await blobs.commit(staged);
    const { key, size, sha256 } = staged;
    blobs.release([key]);
    const late: Catalog = {
      ...catalog,
      async recordedBlobs(keys) {
        const recorded = await catalog.recordedBlobs(keys);
        await put(catalog, album, [imageNamed("i", { blob: { key, location, size, sha256 } })]);
        return recorded;
      },
    };
    await claimUnrecorded({ catalog: late, blobs }, over);
    expect(await rows()).toEqual({ [key]: "live" });
  });

  test("removes, of two copies after a crash, the one that the record does not name", async () => {
    const other = join(folder, "segments");
    const open = () =>
      openDiskBlobs({ folder: other, minFree: 0, recover: true, segmentBytes: 16_384, compactionRate: 1e9 });
    await using segments = await open();
    const kept: { key: string; location: string }[] = [];
    for (let index = 0; index < 12; index++) {
      const staged = await segments.stage(pieces(patterned(1000 + index), 100), { maxBytes: 2000 });
      const { key, size, sha256 } = staged;
      const location = await segments.commit(staged);
      await put(catalog, album, [imageNamed(`i${index}`, { blob: { key, location, size, sha256 } })]);
      segments.release([key]);
      kept.push({ key, location });
    }
    // Before the catalog heard of it, and after.
    const crash = async (moves: readonly BlobMove[], move: boolean) => {
      if (move) await catalog.write({ type: "moveBlobs", moves });
      throw new Error("crash");
    };
    const never = new AbortController().signal;
    for (const move of [false, true])
      expect((await rejectionOf(segments.compact((moves) => crash(moves, move), never))).message).toBe("crash");
    expect((await Array.fromAsync(segments.list())).length).toBeGreaterThan(kept.length);

    await claimUnrecorded({ catalog, blobs: segments }, over);
    const named = (await catalog.blobs({ limit: 100 })).map(({ location }) => location);
    expect((await Array.fromAsync(segments.list())).map(({ location }) => location).toSorted()).toEqual(
      named.toSorted(),
    );
    expect(Object.values(await rows())).toEqual(kept.map(() => "live"));
  });

  test("looks up many in batches", async () => {
    await Promise.all(Array.from({ length: 250 }, committed));
    await storeImage("kept");
    await claimUnrecorded({ catalog, blobs }, over);
    expect(await sweepCondemned({ catalog, blobs }, over)).toBe(250);
    expect(await storedKeys()).toHaveLength(1);
  });

  test("does not list a shared store", async () => {
    await committed();
    await claimUnrecorded({ catalog, blobs: { ...blobs, shared: true } }, over);
    expect(await rows()).toEqual({});
  });
});

describe("albums being deleted", () => {
  test("are completed, with their own event last", async () => {
    for (let index = 0; index < 30; index++) await createImage(catalog, album, `i${index}`);
    expect(await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 10 })).toEqual({
      done: false,
    });
    expect(await catalog.albumsBeingDeleted(10)).toEqual([album.id]);
    await finishAlbumDeletions({ catalog });
    expect(await catalog.albumsBeingDeleted(10)).toEqual([]);
    const { events } = await catalog.events({ visibility: "all", limit: 1000 });
    expect(events.at(-1)?.type).toBe("imagestore.album.deleted");
    expect(events.filter(({ type }) => type === "imagestore.image.deleted")).toHaveLength(30);
  });

  test("stop between two chunks when aborted", async () => {
    for (let index = 0; index < 30; index++) await createImage(catalog, album, `i${index}`);
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 10 });
    await finishAlbumDeletions({ catalog }, AbortSignal.abort());
    expect(await catalog.albumsBeingDeleted(10)).toEqual([album.id]);
  });
});

const prunedThrough = async () => (await catalog.log()).prunedThrough;

describe("retention", () => {
  const options = { eventsRetention: "forever", eventsMaxBytes: undefined, onCursorsGivenUp: () => {} } as const;

  test("prunes old events unless a cursor has not passed them", async () => {
    await pruneOnce({ catalog }, options);
    await pruneOnce({ catalog }, { ...options, eventsRetention: HOUR });
    expect(await prunedThrough()).toBe(0);
    await catalog.write({ type: "registerCursor", name: "reader" });
    await pruneOnce({ catalog }, { ...options, eventsRetention: -HOUR });
    expect(await prunedThrough()).toBe(0);
    await catalog.write({ type: "deleteCursor", name: "reader" });
    await pruneOnce({ catalog }, { ...options, eventsRetention: -HOUR });
    expect(await prunedThrough()).toBe((await catalog.log()).lastSequence);
  });

  test("prunes a log over its size regardless, and reports the dropped cursors", async () => {
    await catalog.write({ type: "registerCursor", name: "reader" });
    const givenUp: string[] = [];
    await pruneOnce(
      { catalog },
      { ...options, eventsMaxBytes: 1, onCursorsGivenUp: (names) => void givenUp.push(...names) },
    );
    expect(givenUp).toEqual(["reader"]);
    expect(await prunedThrough()).toBe((await catalog.log()).lastSequence);
  });

  test("prunes tickets a day after their expiry", async () => {
    const { id: albumId } = await createAlbum(catalog, "with tickets");
    const terms = { name: null, maxBytes: null, contentTypes: null, files: 1, fields: null };
    const expiries = { old: Date.now() - 25 * HOUR, late: Date.now() - 23 * HOUR, good: Date.now() + HOUR };
    for (const [id, expiresAt] of Object.entries(expiries))
      await catalog.write({ type: "createTicket", id, sha256: id, albumId, terms, expiresAt });
    await pruneOnce({ catalog }, options);
    const kept = await catalog.tickets({ albumId, orderBy: "createdAt", limit: 9 });
    expect(kept.items.map(({ id }) => id).toSorted()).toEqual(["good", "late"]);
  });

  test("repeats each kind of pruning while there is more, until it is aborted", async () => {
    const calls = new Map<string, number>();
    const full: Pick<Catalog, "write"> = {
      write: (async ({ type }: { type: string }) => {
        const count = (calls.get(type) ?? 0) + 1;
        calls.set(type, count);
        return { pruned: count % 3 === 0 ? 7 : 1000, droppedCursors: [], more: count % 3 !== 0 };
      }) as Catalog["write"],
    };
    await pruneOnce({ catalog: full }, { ...options, eventsRetention: HOUR });
    const thrice = { pruneEvents: 3, pruneIdempotency: 3, pruneSessions: 3, pruneTickets: 3 };
    expect(Object.fromEntries(calls)).toEqual(thrice);
    await pruneOnce({ catalog: full }, { ...options, eventsRetention: HOUR }, AbortSignal.abort());
    expect(Object.fromEntries(calls)).toEqual(thrice);
  });
});

describe("maintenance loops", () => {
  test("run until they are aborted", async () => {
    const stray = await committed();
    await storeImage("i");
    for (let index = 0; index < 3; index++) await createImage(catalog, album, `x${index}`);
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 1 });
    const stop = new AbortController();
    const loops = Promise.all([
      runAlbumDeletion({ catalog }, { onFailure }, stop.signal),
      runSweep({ catalog, blobs }, over, async () => {}, stop.signal),
      runRetention(
        { catalog },
        { eventsRetention: -HOUR, eventsMaxBytes: undefined, onCursorsGivenUp: () => {}, onFailure },
        stop.signal,
      ),
    ]);
    await until(async () => (await storedKeys()).length === 0 && (await catalog.albumsBeingDeleted(1)).length === 0);
    stop.abort();
    await loops;
    expect(await storedKeys()).toEqual([]);
    expect(await catalog.recordedBlobs([stray.key])).toEqual(new Map());
    expect(await catalog.albumsBeingDeleted(1)).toEqual([]);
    expect((await catalog.log()).prunedThrough).toBeGreaterThan(0);
  });
});

const segmentsFolder = () => join(folder, "blobs", "segments");
const segmentPath = async () => join(segmentsFolder(), (await readdir(segmentsFolder())).toSorted()[0] as string);
const overwrite = async (at: number, bytes: Uint8Array) => {
  const file = await openFile(await segmentPath(), "r+");
  await file.write(bytes, 0, bytes.length, at);
  await file.close();
};
const restart = async () => {
  await blobs[Symbol.asyncDispose]();
  blobs = await openDiskBlobs({ folder: join(folder, "blobs"), minFree: 0, recover: true });
};
const sweep = async () => {
  await claimUnrecorded({ catalog, blobs }, running);
  await sweepCondemned({ catalog, blobs }, running);
};
const unreadable = async () => {
  const told: string[] = [];
  await Array.fromAsync(blobs.list(({ where }) => told.push(where)));
  return told;
};
const offsetOf = (location: string) => Number(location.split(":")[2]);

describe("sweeping unreadable bytes in a segment", () => {
  beforeEach(restart);

  test("removes those of a torn write that has no row", async () => {
    const kept = await storeImage("kept");
    const torn = Buffer.from("torn-pattern-".repeat(500));
    await overwrite(offsetOf(kept.location) + 4096 + 128, torn);
    await restart();
    await sweep();
    expect((await readFile(await segmentPath())).includes("torn-pattern")).toBe(false);
    expect(await unreadable()).toEqual([]);
    await blobs.read(kept.location, { size: 100 });
    expect(await rows()).toEqual({ [kept.key]: "live" });
  });

  test("keeps those that an image's row names, and removes them with it", async () => {
    const hit = await storeImage("hit");
    await overwrite(offsetOf(hit.location) + 40, Buffer.from("damage"));
    await restart();
    const before = await readFile(await segmentPath());
    await sweep();
    expect(await readFile(await segmentPath())).toEqual(before);
    expect(await unreadable()).toHaveLength(1);
    await deleteImage("hit");
    await sweepCondemned({ catalog, blobs }, over);
    expect(await unreadable()).toEqual([]);
  });

  test("keeps those in a block that another record shares", async () => {
    const [first, second] = await Promise.all([storeImage("first"), storeImage("second")]);
    const at = Math.min(offsetOf(first.location), offsetOf(second.location));
    // One unit, shorter than a header, right before where another batch may begin.
    await overwrite(at + 4096 - 64, Buffer.from("x"));
    await restart();
    await sweep();
    expect(await unreadable()).toEqual([]);
    for (const { location } of [first, second]) await blobs.read(location, { size: 100 });
  });

  test("keeps them while the store is held", async () => {
    const kept = await storeImage("kept");
    await overwrite(offsetOf(kept.location) + 4096, Buffer.from("torn"));
    await restart();
    await catalog.write({ type: "hold", id: "reader", seconds: 60 });
    await sweep();
    expect(await unreadable()).toHaveLength(1);
    await catalog.write({ type: "releaseHold", id: "reader" });
    await sweep();
    expect(await unreadable()).toEqual([]);
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
    await claimUnrecorded({ catalog, blobs }, guarded);
    expect([told, claimed]).toEqual([[], [3]]);
    expect(await sweepCondemned({ catalog, blobs }, over)).toBe(3);
    expect(await storedKeys()).toHaveLength(1);
  });

  test("stops the sweep, and reports it, when the catalog's own images are missing", async () => {
    // As a copy of the catalog has them, whose bytes are in another folder.
    for (let index = 0; index < 5; index++) await createImage(catalog, album, `elsewhere${index}`);
    for (let index = 0; index < 3; index++) await committed();
    const before = await storedKeys();
    await claimUnrecorded({ catalog, blobs }, guarded);
    expect(told).toEqual([expect.stringContaining("the catalog has 5 images, and only 0 of the blobs")]);
    expect(await sweepCondemned({ catalog, blobs }, over)).toBe(0);
    expect(await storedKeys()).toEqual(before);
    await claimUnrecorded({ catalog, blobs }, { ...guarded, share: 1 });
    expect(claimed).toEqual([3]);
  });

  test("stops the sweep when more than a thousand blobs, and more than the share, have no record", async () => {
    await storeImage("kept");
    const found = Array.from({ length: 1001 }, (_, index) => {
      const key = `${index.toString(16).padStart(64, "0")}.0000000000000000`;
      return { key, location: `file:${key}`, size: 1, modifiedAt: 0 };
    });
    const withMany = (count: number): BlobStore => ({
      ...blobs,
      async *list(tell) {
        yield* blobs.list(tell);
        yield* found.slice(0, count);
      },
    });
    await claimUnrecorded({ catalog, blobs: withMany(1001) }, guarded);
    expect(told).toEqual(["1001 of 1002 blobs in the store have no record, which is more than 10 %"]);
    expect(claimed).toEqual([]);
    expect(Object.values(await rows())).toEqual(["live"]);
    await claimUnrecorded({ catalog, blobs: withMany(1000) }, guarded);
    expect(claimed).toEqual([1000]);
  });
});
