import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, open as openFile, readdir, readFile, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openDiskBlobs } from "../../src/adapters/blobs/disk.ts";
import { openSqliteCatalog } from "../../src/adapters/catalog/sqlite.ts";
import type { Album } from "../../src/domain/album.ts";
import type { BlobMove } from "../../src/domain/blob.ts";
import type { BlobStore, Catalog } from "../../src/ports.ts";
import { finishAlbumDeletions, runAlbumDeletion } from "../../src/workers/album-deletion.ts";
import { every } from "../../src/workers/every.ts";
import { pruneOnce, runRetention } from "../../src/workers/retention.ts";
import { claimUnrecorded, runSweep, sweepCondemned } from "../../src/workers/sweep.ts";
import { patterned, pieces, putBlob } from "../contracts/blob-store.ts";
import { createAlbum, createImage, imageNamed, put } from "../contracts/catalog-changes.ts";

const HOUR = 3_600_000;
let folder: string;
let catalog: Catalog;
let blobs: BlobStore;
let album: Album;
let failures: unknown[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-store-sweep-"));
  catalog = await openSqliteCatalog({
    path: join(folder, "catalog.sqlite"),
    exclusive: true,
    writer: "inline",
    onFatal: (error) => {
      throw error;
    },
  });
  blobs = await openDiskBlobs({ folder: join(folder, "blobs"), minFree: 0, recover: true, smallBytes: 0 });
  album = await createAlbum(catalog, "a");
  failures = [];
});
afterEach(async () => {
  await blobs[Symbol.asyncDispose]();
  await catalog[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
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
  blobs.settle([key]);
  return { key, location };
}

const deleteImage = (name: string) => catalog.write({ type: "deleteImage", albumId: album.id, name });
const storedKeys = async () => (await Array.fromAsync(blobs.list())).map(({ key }) => key);
const rows = async () =>
  Object.fromEntries((await catalog.blobs({ limit: 1000 })).map(({ key, state }) => [key, state]));

describe("condemned blobs", () => {
  test("stay for the grace, then bytes and rows go; the living stay", async () => {
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

  test("more than one transaction takes", async () => {
    const images = Array.from({ length: 450 }, async (_, index) =>
      imageNamed(`i${index}`, { blob: await committed() }),
    );
    await put(catalog, album, await Promise.all(images));
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true });
    expect(await sweepCondemned({ catalog, blobs }, over)).toBe(450);
    expect(await rows()).toEqual({});
    expect(await storedKeys()).toEqual([]);
  });

  test("what was begun and broken off is finished, whenever it was condemned", async () => {
    for (const alreadyRemoved of [false, true]) {
      const { location } = await storeImage("i");
      await deleteImage("i");
      await catalog.write({ type: "beginBlobDeletion", grace: -HOUR, limit: 10 });
      if (alreadyRemoved) await blobs.remove(location);
      expect(await sweepCondemned({ catalog, blobs }, running)).toBe(1);
      expect(await rows()).toEqual({});
    }
  });

  test("one that cannot be removed is told, stays deleting, and does not keep the others", async () => {
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

  test("nothing goes while somebody holds the store", async () => {
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

describe("bytes without a record", () => {
  test("are left for the grace, then go; recorded ones stay", async () => {
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

  test("count from the time when they were written", async () => {
    const stray = await committed();
    const names = await readdir(join(folder, "blobs", "files"), { recursive: true });
    const file = names.find((name) => name.endsWith(stray.key)) ?? "";
    const old = new Date(Date.now() - 2 * HOUR);
    await utimes(join(folder, "blobs", "files", file), old, old);
    await committed();
    await claimUnrecorded({ catalog, blobs }, running);
    expect(await rows()).toEqual({ [stray.key]: "deleting" });
  });

  test("what this process has on its way is left alone until its change was answered", async () => {
    const staged = await blobs.stage(pieces(patterned(100), 100), { maxBytes: 100 });
    const location = await blobs.commit(staged);
    await claimUnrecorded({ catalog, blobs }, over);
    expect(await rows()).toEqual({});
    const { key, size, sha256 } = staged;
    await put(catalog, album, [imageNamed("i", { blob: { key, location, size, sha256 } })]);
    blobs.settle([key]);
    await claimUnrecorded({ catalog, blobs }, over);
    expect(await rows()).toEqual({ [key]: "live" });
  });

  test("a record that comes between the listing and the catalog's answer saves its bytes", async () => {
    const staged = await blobs.stage(pieces(patterned(100), 100), { maxBytes: 100 });
    const location = await blobs.commit(staged);
    const { key, size, sha256 } = staged;
    blobs.settle([key]);
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

  test("of two copies that a crash left, the one that its record does not name goes, whichever it is", async () => {
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
      segments.settle([key]);
      kept.push({ key, location });
    }
    // Before the catalog heard of it, and after.
    const crash = async (moves: readonly BlobMove[], move: boolean) => {
      if (move) await catalog.write({ type: "moveBlobs", moves });
      throw new Error("crash");
    };
    const never = new AbortController().signal;
    for (const move of [false, true])
      expect(segments.compact((moves) => crash(moves, move), never)).rejects.toThrow("crash");
    await Bun.sleep(50);
    expect((await Array.fromAsync(segments.list())).length).toBeGreaterThan(kept.length);

    await claimUnrecorded({ catalog, blobs: segments }, over);
    const named = (await catalog.blobs({ limit: 100 })).map(({ location }) => location);
    expect((await Array.fromAsync(segments.list())).map(({ location }) => location).toSorted()).toEqual(
      named.toSorted(),
    );
    expect(Object.values(await rows())).toEqual(kept.map(() => "live"));
  });

  test("many are looked up in parts", async () => {
    await Promise.all(Array.from({ length: 250 }, committed));
    await storeImage("kept");
    await claimUnrecorded({ catalog, blobs }, over);
    expect(await sweepCondemned({ catalog, blobs }, over)).toBe(250);
    expect(await storedKeys()).toHaveLength(1);
  });

  test("a shared store is not listed", async () => {
    await committed();
    await claimUnrecorded({ catalog, blobs: { ...blobs, shared: true } }, over);
    expect(await rows()).toEqual({});
  });
});

describe("albums being deleted", () => {
  test("are finished, their own event last", async () => {
    for (let index = 0; index < 30; index++) await createImage(catalog, album, `i${index}`);
    expect(await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 10 })).toEqual({
      done: false,
    });
    expect(await catalog.albumsBeingDeleted(10)).toEqual([album.id]);
    await finishAlbumDeletions({ catalog });
    expect(await catalog.albumsBeingDeleted(10)).toEqual([]);
    const { events } = await catalog.events({ limit: 1000 });
    expect(events.at(-1)?.type).toBe("imagestore.album.deleted");
    expect(events.filter(({ type }) => type === "imagestore.image.deleted")).toHaveLength(30);
  });

  test("stops between two chunks when it is told to", async () => {
    for (let index = 0; index < 30; index++) await createImage(catalog, album, `i${index}`);
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 10 });
    await finishAlbumDeletions({ catalog }, AbortSignal.abort());
    expect(await catalog.albumsBeingDeleted(10)).toEqual([album.id]);
  });
});

const floor = async () => (await catalog.log()).floor;

describe("retention", () => {
  const options = { eventsRetention: "forever", eventsMaxBytes: undefined, onCursorsGivenUp: () => {} } as const;

  test("events that are old enough go, unless a cursor has not passed them", async () => {
    await pruneOnce({ catalog }, options);
    await pruneOnce({ catalog }, { ...options, eventsRetention: HOUR });
    expect(await floor()).toBe(0);
    await catalog.write({ type: "registerCursor", name: "reader" });
    await pruneOnce({ catalog }, { ...options, eventsRetention: -HOUR });
    expect(await floor()).toBe(0);
    await catalog.write({ type: "deleteCursor", name: "reader" });
    await pruneOnce({ catalog }, { ...options, eventsRetention: -HOUR });
    expect(await floor()).toBe((await catalog.log()).head);
  });

  test("a log that is too large goes all the same, and the cursors given up are told", async () => {
    await catalog.write({ type: "registerCursor", name: "reader" });
    const givenUp: string[] = [];
    await pruneOnce(
      { catalog },
      { ...options, eventsMaxBytes: 1, onCursorsGivenUp: (names) => void givenUp.push(...names) },
    );
    expect(givenUp).toEqual(["reader"]);
    expect(await floor()).toBe((await catalog.log()).head);
  });

  test("asks again while there is more", async () => {
    const limits: number[] = [];
    const full: Pick<Catalog, "write"> = {
      write: (async ({ type }: { type: string }) => {
        limits.push(limits.length);
        const more = limits.length % 3 !== 0;
        return type === "pruneEvents" ? { pruned: 1000, cursorsGivenUp: [], more } : { pruned: more ? 1000 : 7 };
      }) as Catalog["write"],
    };
    await pruneOnce({ catalog: full }, { ...options, eventsRetention: HOUR });
    expect(limits).toHaveLength(6);
    await pruneOnce({ catalog: full }, { ...options, eventsRetention: HOUR }, AbortSignal.abort());
    expect(limits).toHaveLength(6);
  });
});

describe("loops", () => {
  test("a failure is told, and the task comes again until the signal aborts", async () => {
    const stop = new AbortController();
    let runs = 0;
    await every(
      1,
      stop.signal,
      async () => {
        if (++runs === 3) stop.abort();
        throw new Error(`run ${runs}`);
      },
      onFailure,
    );
    expect(failures).toEqual([new Error("run 1"), new Error("run 2"), new Error("run 3")]);
  });

  test("a long pause ends when the signal aborts, and what runs is finished", async () => {
    const stop = new AbortController();
    const finish = Promise.withResolvers<void>();
    let done = false;
    const loop = every(
      HOUR,
      stop.signal,
      async () => {
        await finish.promise;
        done = true;
      },
      onFailure,
    );
    stop.abort();
    finish.resolve();
    await loop;
    expect(done).toBe(true);
  });

  test("all of them work until they are told to stop", async () => {
    const stray = await committed();
    await storeImage("i");
    for (let index = 0; index < 3; index++) await createImage(catalog, album, `x${index}`);
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 1 });
    const stop = new AbortController();
    const loops = Promise.all([
      runAlbumDeletion({ catalog }, { onFailure }, stop.signal),
      runSweep({ catalog, blobs }, over, stop.signal),
      runRetention(
        { catalog },
        { eventsRetention: -HOUR, eventsMaxBytes: undefined, onCursorsGivenUp: () => {}, onFailure },
        stop.signal,
      ),
    ]);
    for (
      let tries = 0;
      tries < 500 && ((await storedKeys()).length > 0 || (await catalog.albumsBeingDeleted(1)).length > 0);
      tries++
    ) {
      await Bun.sleep(10);
    }
    stop.abort();
    await loops;
    expect(await storedKeys()).toEqual([]);
    expect(await catalog.recordedBlobs([stray.key])).toEqual(new Map());
    expect(await catalog.albumsBeingDeleted(1)).toEqual([]);
    expect((await catalog.log()).floor).toBeGreaterThan(0);
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

describe("bytes that cannot be read, in a segment", () => {
  beforeEach(restart);

  test("goes where a power cut tore it, and nobody's row is there", async () => {
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

  test("stays where an image's row says that it is, and goes with that", async () => {
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

  test("stays where the rest of a block is a neighbour's", async () => {
    const [first, second] = await Promise.all([storeImage("first"), storeImage("second")]);
    const at = Math.min(offsetOf(first.location), offsetOf(second.location));
    // One unit, shorter than a header, right before where another batch may begin.
    await overwrite(at + 4096 - 64, Buffer.from("x"));
    await restart();
    await sweep();
    expect(await unreadable()).toEqual([]);
    for (const { location } of [first, second]) await blobs.read(location, { size: 100 });
  });

  test("stays while somebody reads the whole store", async () => {
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
