import { describe, expect, test } from "bun:test";
import type { Catalog } from "../../../src/ports.ts";
import { finishAlbumDeletions, runAlbumDeletion } from "../../../src/workers/album-deletion.ts";
import { pruneOnce, runRetention } from "../../../src/workers/retention.ts";
import { runSweep } from "../../../src/workers/sweep.ts";
import { createAlbum, createImage } from "../../catalog-changes.ts";
import { until } from "../../waiting.ts";
import { HOUR, useSweptStore } from "./swept-store.ts";

const { catalog, blobs, album, over, storeImage, storedKeys, onFailure, committed } = useSweptStore();

describe("albums being deleted", () => {
  test("are completed, with their own event last", async () => {
    for (let index = 0; index < 30; index++) await createImage(catalog(), album(), `i${index}`);
    expect(await catalog().write({ type: "deleteAlbum", albumId: album().id, recursive: true, atOnce: 10 })).toEqual({
      done: false,
    });
    expect(await catalog().albumsBeingDeleted(10)).toEqual([album().id]);
    await finishAlbumDeletions({ catalog: catalog() });
    expect(await catalog().albumsBeingDeleted(10)).toEqual([]);
    const { events } = await catalog().events({ visibility: "all", limit: 1000 });
    expect(events.at(-1)?.type).toBe("imagestore.album.deleted");
    expect(events.filter(({ type }) => type === "imagestore.image.deleted")).toHaveLength(30);
  });

  test("stop between two chunks when aborted", async () => {
    for (let index = 0; index < 30; index++) await createImage(catalog(), album(), `i${index}`);
    await catalog().write({ type: "deleteAlbum", albumId: album().id, recursive: true, atOnce: 10 });
    await finishAlbumDeletions({ catalog: catalog() }, AbortSignal.abort());
    expect(await catalog().albumsBeingDeleted(10)).toEqual([album().id]);
  });
});

const prunedThrough = async () => (await catalog().log()).prunedThrough;

describe("retention", () => {
  const options = { eventsRetention: "forever", eventsMaxBytes: undefined, onCursorsGivenUp: () => {} } as const;

  test("prunes old events unless a cursor has not passed them", async () => {
    await pruneOnce({ catalog: catalog() }, options);
    await pruneOnce({ catalog: catalog() }, { ...options, eventsRetention: HOUR });
    expect(await prunedThrough()).toBe(0);
    await catalog().write({ type: "registerCursor", name: "reader" });
    await pruneOnce({ catalog: catalog() }, { ...options, eventsRetention: -HOUR });
    expect(await prunedThrough()).toBe(0);
    await catalog().write({ type: "deleteCursor", name: "reader" });
    await pruneOnce({ catalog: catalog() }, { ...options, eventsRetention: -HOUR });
    expect(await prunedThrough()).toBe((await catalog().log()).lastSequence);
  });

  test("prunes a log over its size regardless, and reports the dropped cursors", async () => {
    await catalog().write({ type: "registerCursor", name: "reader" });
    const givenUp: string[] = [];
    await pruneOnce(
      { catalog: catalog() },
      { ...options, eventsMaxBytes: 1, onCursorsGivenUp: (names) => void givenUp.push(...names) },
    );
    expect(givenUp).toEqual(["reader"]);
    expect(await prunedThrough()).toBe((await catalog().log()).lastSequence);
  });

  test("prunes tickets a day after their expiry", async () => {
    const { id: albumId } = await createAlbum(catalog(), "with tickets");
    const terms = { name: null, maxBytes: null, contentTypes: null, files: 1, fields: null };
    const expiries = { old: Date.now() - 25 * HOUR, late: Date.now() - 23 * HOUR, good: Date.now() + HOUR };
    for (const [id, expiresAt] of Object.entries(expiries))
      await catalog().write({ type: "createTicket", id, sha256: id, albumId, terms, expiresAt });
    await pruneOnce({ catalog: catalog() }, options);
    const kept = await catalog().tickets({ albumId, orderBy: "createdAt", limit: 9 });
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
    for (let index = 0; index < 3; index++) await createImage(catalog(), album(), `x${index}`);
    await catalog().write({ type: "deleteAlbum", albumId: album().id, recursive: true, atOnce: 1 });
    const stop = new AbortController();
    const loops = Promise.all([
      runAlbumDeletion({ catalog: catalog() }, { onFailure }, stop.signal),
      runSweep({ catalog: catalog(), blobs: blobs() }, over, async () => {}, stop.signal),
      runRetention(
        { catalog: catalog() },
        { eventsRetention: -HOUR, eventsMaxBytes: undefined, onCursorsGivenUp: () => {}, onFailure },
        stop.signal,
      ),
    ]);
    await until(async () => (await storedKeys()).length === 0 && (await catalog().albumsBeingDeleted(1)).length === 0);
    stop.abort();
    await loops;
    expect(await storedKeys()).toEqual([]);
    expect(await catalog().recordedBlobs([stray.key])).toEqual(new Map());
    expect(await catalog().albumsBeingDeleted(1)).toEqual([]);
    expect((await catalog().log()).prunedThrough).toBeGreaterThan(0);
  });
});
