import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import { EVENT_TYPES, encodeCursor } from "../../src/domain/event.ts";
import type { RewindCursor } from "../../src/domain/maintenance.ts";
import { newWebhookSecret } from "../../src/domain/webhook-secret.ts";
import {
  createAlbum,
  createImage,
  eventsAfter,
  imageNamed,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
  replaceWith,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

export function logContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  beforeEach(async () => {
    catalog = await open();
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const createAlbums = async (count: number, prefix = "a") => {
    const from = (await loggedState(catalog)).lastSequence;
    const albums: Album[] = [];
    for (let index = 0; index < count; index++) albums.push(await createAlbum(catalog, `${prefix}${index}`));
    await eventsAfter(catalog, from, count);
    return albums;
  };
  const prune = (more: object = {}) =>
    catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 1000, ...more });
  const renew = async () => (await catalog.write({ type: "renewEpoch" })).epoch;
  const register = (name: string) => catalog.write({ type: "registerCursor", name });
  const advance = (name: string, seq: number) => catalog.write({ type: "advanceCursor", name, seq });
  const rewind = (name: string, to: RewindCursor["to"]) => catalog.write({ type: "rewindCursor", name, to });

  describe("the log", () => {
    test("is read from the oldest event, in order, in batches", async () => {
      await createAlbums(5);
      const { epoch } = await loggedState(catalog);
      const first = await catalog.events({ visibility: "all", limit: 2 });
      expect(first.events.map(({ seq }) => seq)).toEqual([1, 2]);
      expect(first).toMatchObject({ next: { epoch, seq: 2 }, atEnd: false });
      const second = await catalog.events({ visibility: "all", after: first.next, limit: 3 });
      expect(second.events.map(({ seq }) => seq)).toEqual([3, 4, 5]);
      expect(second).toMatchObject({ next: { epoch, seq: 5 }, atEnd: true });
      const third = await catalog.events({ visibility: "all", after: second.next, limit: 3 });
      expect(third).toEqual({ events: [], next: { epoch, seq: 5 }, atEnd: true });
      expect(new Set([...first.events, ...second.events].map(({ id }) => id)).size).toBe(5);
    });

    test("returns a cursor past the events that a filter skips", async () => {
      const [one, two] = (await createAlbums(2)) as [Album, Album];
      await createImage(catalog, one, "i");
      await createImage(catalog, two, "i");
      await catalog.write({ type: "deleteImage", albumId: one.id, name: "i" });
      await eventsAfter(catalog, 2, 3);
      const { epoch } = await loggedState(catalog);
      const read = (query: object) => catalog.events({ visibility: "all", limit: 10, ...query });
      const seqs = async (query: object) => (await read(query)).events.map(({ seq }) => seq);
      expect(await seqs({ albumId: one.id })).toEqual([1, 3, 5]);
      expect(await seqs({ types: ["imagestore.image.created"] })).toEqual([3, 4]);
      expect(await seqs({ types: ["imagestore.image.created", "imagestore.image.deleted"], albumId: one.id })).toEqual([
        3, 5,
      ]);
      expect(await read({ types: ["imagestore.album.created"] })).toMatchObject({
        next: { epoch, seq: 5 },
        atEnd: true,
      });
      expect(await seqs({ exceptAlbums: [one.id] })).toEqual([2, 4]);
      expect(await seqs({ exceptAlbums: ["none", two.id], audit: true })).toEqual([1, 3, 5]);
      expect(await seqs({ exceptAlbums: [two.id], types: ["imagestore.image.created"] })).toEqual([3]);
      expect(await read({ exceptAlbums: [one.id, two.id] })).toEqual({
        events: [],
        next: { epoch, seq: 5 },
        atEnd: true,
      });
      expect(await read({ albumId: one.id, limit: 2 })).toMatchObject({ next: { epoch, seq: 3 }, atEnd: false });
      expect(await read({ albumId: "none" })).toEqual({ events: [], next: { epoch, seq: 5 }, atEnd: true });
    });

    test("finds rare events far ahead, and ends when there are none", async () => {
      const album = await createAlbum(catalog, "many");
      for (let start = 0; start < 6000; start += 1000)
        await catalog.write({
          type: "putImages",
          albumId: album.id,
          mode: "create",
          images: Array.from({ length: 1000 }, (_, index) => imageNamed(`${start + index}`)),
        });
      const rare = await createAlbum(catalog, "rare");
      await createImage(catalog, rare, "i");
      await catalog.write({ type: "deleteImage", albumId: album.id, name: "0" });
      await eventsAfter(catalog, 0, 6004);
      const { epoch } = await loggedState(catalog);
      const atEnd = { next: { epoch, seq: 6004 }, atEnd: true };
      const read = async (query: object) => {
        const { events, ...rest } = await catalog.events({ visibility: "all", limit: 10, ...query });
        return { seqs: events.map(({ seq }) => seq), ...rest };
      };
      expect(await read({ albumId: rare.id })).toEqual({ seqs: [6002, 6003], ...atEnd });
      expect(await read({ albumId: "none" })).toEqual({ seqs: [], ...atEnd });
      // What is left out is passed over one by one, so a batch ends with the window.
      const others = await read({ exceptAlbums: [album.id], audit: true });
      expect(others).toMatchObject({ seqs: [], atEnd: false });
      expect(others.next.seq).toBeLessThan(6000);
      expect(await read({ exceptAlbums: [album.id], after: { epoch, seq: 5000 } })).toEqual({
        seqs: [6002, 6003],
        ...atEnd,
      });
      expect(await read({ types: ["imagestore.image.deleted"] })).toEqual({ seqs: [6004], ...atEnd });
      expect(await read({ types: ["imagestore.album.deleted"] })).toEqual({ seqs: [], ...atEnd });
      // Types that are asked for twice, or all of them, are read once and in the order of the log.
      const created = ["imagestore.album.created", "imagestore.image.created"] as const;
      const start = { after: { epoch, seq: 5999 } };
      expect(await read({ types: [...created, ...created], ...start, limit: 3 })).toEqual({
        seqs: [6000, 6001, 6002],
        next: { epoch, seq: 6002 },
        atEnd: false,
      });
      expect(await read({ types: EVENT_TYPES, ...start })).toEqual({ seqs: [6000, 6001, 6002, 6003, 6004], ...atEnd });
      expect(await read({ types: created, albumId: album.id, ...start })).toEqual({ seqs: [6000, 6001], ...atEnd });

      // The same of images: the rare one is the last of them by name.
      await replaceWith(
        catalog,
        album,
        imageNamed("z", { info: { ...imageNamed("z").info, contentType: "image/gif" } }),
      );
      const page = await catalog.images({ visibility: "all", contentType: "image/gif", orderBy: "name", limit: 10 });
      expect(page.items.map(({ name }) => name)).toEqual(["z"]);
      expect(page.next).toBeUndefined();
    });

    test("refuses a cursor of another epoch, after the last event, or before the first kept one", async () => {
      await createAlbums(4);
      const { epoch } = await loggedState(catalog);
      const read = (after: { epoch: number; seq: number }) => catalog.events({ visibility: "all", after, limit: 10 });
      await expectCode(read({ epoch: epoch - 1, seq: 1 }), "cursor_unknown");
      await expectCode(read({ epoch, seq: 5 }), "cursor_unknown");
      await prune({ limit: 2 });
      const error = await expectCode(read({ epoch, seq: 1 }), "cursor_expired");
      expect(error.members).toEqual({ oldestCursor: encodeCursor({ epoch, seq: 2 }) });
      expect((await read({ epoch, seq: 2 })).events.map(({ seq }) => seq)).toEqual([3, 4]);
      expect((await catalog.events({ visibility: "all", limit: 10 })).events.map(({ seq }) => seq)).toEqual([3, 4]);
    });

    test("never reuses a sequence number, even after all events were pruned", async () => {
      await createAlbums(3);
      const before = await loggedState(catalog);
      expect(before).toEqual({ epoch: before.epoch, prunedThrough: 0, lastSequence: 3, bytes: before.bytes });
      expect(before.bytes).toBeGreaterThan(300);
      expect(await prune()).toEqual({ pruned: 3, droppedCursors: [], more: false });
      expect(await loggedState(catalog)).toEqual({ epoch: before.epoch, prunedThrough: 3, lastSequence: 3, bytes: 0 });
      expect(await catalog.events({ visibility: "all", limit: 10 })).toEqual({
        events: [],
        next: { epoch: before.epoch, seq: 3 },
        atEnd: true,
      });
      await createAlbums(1, "b");
      expect((await catalog.events({ visibility: "all", limit: 10 })).events.map(({ seq }) => seq)).toEqual([4]);
    });

    test("notifies subscribers soon after a change until they unsubscribe", async () => {
      let calls = 0;
      const called = Promise.withResolvers<void>();
      const stop = catalog.onEvents(() => {
        calls++;
        called.resolve();
      });
      await createAlbum(catalog, "a");
      await called.promise;
      stop();
      const before = calls;
      await createAlbum(catalog, "b");
      expect(calls).toBe(before);
    });
  });

  describe("durable cursors", () => {
    test("start at the oldest event, move forward and never back", async () => {
      await createAlbums(5);
      await prune({ limit: 2 });
      const { epoch } = await loggedState(catalog);
      expect(await register("relay")).toMatchObject({ seq: 2, epoch });
      expect(await advance("relay", 4)).toMatchObject({ known: true, rewound: false });
      expect(await advance("relay", 3)).toMatchObject({ known: true, rewound: false });
      expect(await register("relay")).toMatchObject({ seq: 4, epoch });
      const [cursor] = await catalog.cursors();
      expect(cursor).toMatchObject({ name: "relay", seq: 4, epoch, lagEvents: 1 });
      expect(cursor?.lagSeconds).toBeGreaterThanOrEqual(0);
      expect(cursor?.lagSeconds).toBeLessThan(60);
      await advance("relay", 5);
      expect((await catalog.cursors())[0]).toMatchObject({ lagEvents: 0, lagSeconds: 0 });
    });

    test("are unknown after they were deleted", async () => {
      await register("b");
      await register("a");
      expect((await catalog.cursors()).map(({ name }) => name)).toEqual(["a", "b"]);
      expect((await catalog.cursors("b")).map(({ name }) => name)).toEqual(["b"]);
      expect(await catalog.write({ type: "deleteCursor", name: "a" })).toBeNull();
      expect(await catalog.cursors("a")).toEqual([]);
      await expectCode(catalog.write({ type: "deleteCursor", name: "a" }), "cursor_not_found");
      expect(await advance("a", 1)).toMatchObject({ known: false, rewound: false });
      expect((await catalog.cursors()).map(({ name }) => name)).toEqual(["b"]);
    });

    test("get a higher version with each change", async () => {
      await createAlbums(3);
      const registered = await register("a");
      expect((await catalog.cursors())[0]).toMatchObject({ version: registered.version });
      expect((await register("a")).version).toBe(registered.version);
      let { version } = registered;
      for (const seq of [1, 2, 3]) {
        const advanced = await advance("a", seq);
        expect(advanced.version).toBeGreaterThan(version);
        version = advanced.version;
      }
      await rewind("a", { epoch: registered.epoch, seq: 3 });
      expect((await catalog.cursors())[0]?.version).toBeGreaterThan(version);
    });
  });

  describe("a rewound cursor", () => {
    test("goes back to the position, or stays where it is if it has not passed it", async () => {
      await createAlbums(5);
      const { epoch } = await register("relay");
      await advance("relay", 4);
      expect(await rewind("relay", { epoch, seq: 1 })).toEqual({ epoch, seq: 1 });
      expect((await catalog.cursors())[0]).toMatchObject({ seq: 1 });
      expect(await rewind("relay", { epoch, seq: 3 })).toEqual({ epoch, seq: 1 });
      expect((await catalog.cursors())[0]).toMatchObject({ seq: 1 });
    });

    test("is not moved forward by a save that knows its earlier version", async () => {
      await createAlbums(5);
      const { epoch, version } = await register("relay");
      const saved = await catalog.write({ type: "advanceCursor", name: "relay", seq: 3, version });
      expect(saved).toMatchObject({ known: true, rewound: false });
      // Also to where it is: what its reader has read and not saved must come again.
      for (const seq of [1, 3]) {
        await rewind("relay", { epoch, seq });
        const late = await catalog.write({ type: "advanceCursor", name: "relay", seq: 5, version: saved.version });
        expect(late).toMatchObject({ known: true, rewound: true });
        expect(await register("relay")).toMatchObject({ seq: 1, version: late.version });
      }
      const { version: current } = await register("relay");
      expect(await catalog.write({ type: "advanceCursor", name: "relay", seq: 5, version: current })).toMatchObject({
        rewound: false,
      });
      expect((await catalog.cursors())[0]).toMatchObject({ seq: 5 });
    });

    test("is of the log: other positions are refused, and change nothing", async () => {
      await createAlbums(5);
      const { epoch } = await register("relay");
      await advance("relay", 4);
      await prune({ limit: 2 });
      await expectCode(rewind("none", { epoch, seq: 3 }), "cursor_not_found");
      await expectCode(rewind("relay", { epoch, seq: 6 }), "cursor_unknown");
      await expectCode(rewind("relay", { epoch: epoch - 1, seq: 3 }), "cursor_unknown");
      await expectCode(rewind("relay", { epoch, seq: 1 }), "cursor_expired");
      const refused = await expectCode(rewind("relay", { time: 0 }), "cursor_expired");
      expect(refused.members).toEqual({ oldestCursor: encodeCursor({ epoch, seq: 2 }) });
      expect((await catalog.cursors())[0]).toMatchObject({ seq: 4 });
      await eventsAfter(catalog, 2, 3);
    });

    test("goes back to a time: to before the first event that is not earlier", async () => {
      await createAlbums(3);
      await Bun.sleep(20);
      await createAlbums(3, "b");
      const { events } = await catalog.events({ visibility: "all", limit: 10 });
      const { epoch } = await register("relay");
      for (const time of [0, ...events.flatMap((event) => [event.time, event.time + 1])]) {
        await advance("relay", 6);
        const expected = (events.find((event) => event.time >= time)?.seq ?? 7) - 1;
        expect([time, await rewind("relay", { time })]).toEqual([time, { epoch, seq: expected }]);
      }
    });

    test("is in the audit trail, with where it was and where it is", async () => {
      await createAlbums(3);
      const { epoch } = await register("relay");
      await advance("relay", 2);
      await rewind("relay", { epoch, seq: 1 });
      await loggedState(catalog);
      const { events } = await catalog.events({ visibility: "all", audit: true, after: { epoch, seq: 3 }, limit: 10 });
      expect(events).toMatchObject([{ type: "imagestore.cursor.rewound", subject: "cursors/relay" }]);
      expect(JSON.parse(events[0]?.data ?? "")).toMatchObject({
        name: "relay",
        cursor: encodeCursor({ epoch, seq: 1 }),
        previousCursor: encodeCursor({ epoch, seq: 2 }),
        reason: "user",
      });
    });
  });

  describe("a new epoch", () => {
    test("is above all earlier ones, makes client cursors unknown, and keeps durable cursors", async () => {
      await createAlbums(4);
      const before = await catalog.log();
      await register("relay");
      await advance("relay", 3);
      const first = (await renew()) as number;
      expect(first).toBeGreaterThan(before.epoch);
      const second = (await renew()) as number;
      expect(second).toBeGreaterThan(first);
      // Of no catalog that was made later: those begin with the minute.
      expect(second).toBeGreaterThanOrEqual(Math.floor(Date.now() / 60_000));
      expect(await catalog.log()).toEqual({ ...before, epoch: second });
      await expectCode(
        catalog.events({ visibility: "all", after: { epoch: before.epoch, seq: 4 }, limit: 1 }),
        "cursor_unknown",
      );
      const relay = await register("relay");
      expect(relay).toMatchObject({ seq: 3, epoch: second });
      expect(
        (await catalog.events({ visibility: "all", after: relay, limit: 9 })).events.map(({ seq }) => seq),
      ).toEqual([4]);
      await createAlbums(1, "b");
      expect((await loggedState(catalog)).lastSequence).toBe(5);
    });

    test("pauses webhooks only where it is told to, and those that are not paused", async () => {
      const [id, other] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()];
      const made = { url: "https://example.com/", types: null, albums: "*", description: null } as const;
      for (const webhook of [id, other])
        await catalog.write({ type: "createWebhook", id: webhook, ...made, secret: newWebhookSecret(), from: null });
      await catalog.write({ type: "updateWebhook", id: other, patch: { paused: true } });
      const states = async () =>
        (await catalog.webhooks({ limit: 10 })).items.map(({ paused, revision }) => ({ paused, revision }));
      await renew();
      expect(await states()).toEqual([
        { paused: false, revision: 1 },
        { paused: true, revision: 2 },
      ]);
      await catalog.write({ type: "renewEpoch", pauseWebhooks: true });
      expect(await states()).toEqual([
        { paused: true, revision: 2 },
        { paused: true, revision: 2 },
      ]);
      expect(await catalog.webhooksToDeliver()).toEqual([]);
    });

    test("is refused while a node has a lease", async () => {
      const before = await catalog.log();
      const lease = { name: "work", holder: "a" };
      await catalog.write({ type: "acquireLease", ...lease, milliseconds: 60_000 });
      expect(await renew()).toBeNull();
      expect(await catalog.log()).toEqual(before);
      await catalog.write({ type: "releaseLease", ...lease });
      expect(await renew()).toBeGreaterThan(before.epoch);
    });
  });

  describe("retention", () => {
    test("prunes old events that every cursor has passed, a bounded number at a time", async () => {
      await createAlbums(6);
      expect(await prune({ retention: 60_000 })).toEqual({ pruned: 0, droppedCursors: [], more: false });
      expect(await prune({ retention: null })).toMatchObject({ pruned: 0 });
      await register("slow");
      await register("fast");
      await advance("slow", 3);
      await advance("fast", 6);
      expect(await prune({ limit: 2 })).toEqual({ pruned: 2, droppedCursors: [], more: true });
      expect(await prune()).toEqual({ pruned: 1, droppedCursors: [], more: false });
      expect(await prune()).toEqual({ pruned: 0, droppedCursors: [], more: false });
      await advance("slow", 4);
      expect(await prune()).toMatchObject({ pruned: 1 });
      expect((await catalog.events({ visibility: "all", limit: 10 })).events.map(({ seq }) => seq)).toEqual([5, 6]);
    });

    test("waits for cursors that register and move while it prunes", async () => {
      const names = ["a", "b", "c"];
      for (let round = 0; round < 10; round++) {
        await createAlbums(6, `${round}-`);
        const { lastSequence } = await loggedState(catalog);
        const pruning = async () => {
          const given: string[] = [];
          for (let turn = 0; turn < 4; turn++) given.push(...(await prune({ limit: 2 })).droppedCursors);
          return given;
        };
        const registered = names.map(async (name, index) => {
          await Bun.sleep(index);
          const after = await register(name);
          // From where it was told to begin it can read, whatever was pruned meanwhile.
          const { events } = await catalog.events({ visibility: "all", after, limit: 1 });
          if (after.seq < lastSequence) expect(events.map(({ seq }) => seq)).toEqual([after.seq + 1]);
          expect(await advance(name, lastSequence)).toMatchObject({ known: true });
        });
        const [givenUp] = await Promise.all([pruning(), pruning(), ...registered]);
        expect(givenUp).toEqual([]);
        const { prunedThrough } = await loggedState(catalog);
        const found = await catalog.cursors();
        expect(found.map(({ name }) => name)).toEqual(names);
        for (const { name, seq } of found)
          expect({ name, behind: seq < prunedThrough }).toEqual({ name, behind: false });
        for (const name of names) await catalog.write({ type: "deleteCursor", name });
        await prune();
        expect(await loggedState(catalog)).toMatchObject({ prunedThrough: lastSequence, lastSequence });
      }
    });

    test("drops the lagging cursors of a log over its size, and no others", async () => {
      await createAlbums(6);
      for (const [name, seq] of [
        ["slow", 1],
        ["middle", 4],
        ["fast", 6],
      ] as const) {
        await register(name);
        await advance(name, seq);
      }
      const { bytes } = await loggedState(catalog);
      const half = { retention: null, maxBytes: Math.ceil(bytes / 2) };
      expect(await prune(half)).toEqual({ pruned: 3, droppedCursors: ["slow"], more: false });
      const { prunedThrough, bytes: left } = await loggedState(catalog);
      expect(prunedThrough).toBe(3);
      expect(left).toBeLessThanOrEqual(half.maxBytes);
      expect((await catalog.cursors()).map(({ name }) => name)).toEqual(["fast", "middle"]);
      expect(await prune(half)).toMatchObject({ pruned: 0, droppedCursors: [] });
      expect(await prune({ retention: null, maxBytes: 0 })).toMatchObject({ pruned: 3, droppedCursors: ["middle"] });
    });
  });
}
