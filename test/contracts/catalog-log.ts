import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import { encodeCursor } from "../../src/domain/event.ts";
import {
  createAlbum,
  createImage,
  eventsAfter,
  expectCode,
  imageNamed,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
  replaceWith,
} from "./catalog-changes.ts";

export function logContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  beforeEach(async () => {
    catalog = await open();
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const createAlbums = async (count: number, prefix = "a") => {
    const from = (await loggedState(catalog)).head;
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

  describe("the log", () => {
    test("is read from the oldest, in order, in batches", async () => {
      await createAlbums(5);
      const { epoch } = await loggedState(catalog);
      const first = await catalog.events({ limit: 2 });
      expect(first.events.map(({ seq }) => seq)).toEqual([1, 2]);
      expect(first).toMatchObject({ next: { epoch, seq: 2 }, atEnd: false });
      const second = await catalog.events({ after: first.next, limit: 3 });
      expect(second.events.map(({ seq }) => seq)).toEqual([3, 4, 5]);
      expect(second).toMatchObject({ next: { epoch, seq: 5 }, atEnd: true });
      const third = await catalog.events({ after: second.next, limit: 3 });
      expect(third).toEqual({ events: [], next: { epoch, seq: 5 }, atEnd: true });
      expect(new Set([...first.events, ...second.events].map(({ id }) => id)).size).toBe(5);
    });

    test("a filter's cursor moves past what the filter left out", async () => {
      const [one, two] = (await createAlbums(2)) as [Album, Album];
      await createImage(catalog, one, "i");
      await createImage(catalog, two, "i");
      await catalog.write({ type: "deleteImage", albumId: one.id, name: "i" });
      await eventsAfter(catalog, 2, 3);
      const { epoch } = await loggedState(catalog);
      const read = (query: object) => catalog.events({ limit: 10, ...query });
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
      expect(await read({ albumId: one.id, limit: 2 })).toMatchObject({ next: { epoch, seq: 3 }, atEnd: false });
      expect(await read({ albumId: "none" })).toEqual({ events: [], next: { epoch, seq: 5 }, atEnd: true });
    });

    test("a rare event far on is found by going on, a bounded stretch at a time", async () => {
      const album = await createAlbum(catalog, "many");
      for (let start = 0; start < 6000; start += 1000)
        await catalog.write({
          type: "putImages",
          albumId: album.id,
          mode: "create",
          images: Array.from({ length: 1000 }, (_, index) => imageNamed(`${start + index}`)),
        });
      const rare = await createAlbum(catalog, "rare");
      await eventsAfter(catalog, 0, 6002);
      let batch = await catalog.events({ albumId: rare.id, limit: 10 });
      let calls = 1;
      while (!batch.atEnd && batch.events.length === 0) {
        batch = await catalog.events({ albumId: rare.id, limit: 10, after: batch.next });
        calls++;
      }
      expect(batch.events.map(({ seq }) => seq)).toEqual([6002]);
      expect(calls).toBeGreaterThan(1);

      // The same of images: the rare one is the last of them by name.
      await replaceWith(
        catalog,
        album,
        imageNamed("z", { info: { ...imageNamed("z").info, contentType: "image/gif" } }),
      );
      const query = { contentType: "image/gif", orderBy: "name", limit: 10 } as const;
      let page = await catalog.images(query);
      expect(page.items).toEqual([]);
      while (page.next !== undefined && page.items.length === 0)
        page = await catalog.images({ ...query, start: page.next });
      expect(page.items.map(({ name }) => name)).toEqual(["z"]);
      expect(page.next).toBeUndefined();
    });

    test("refuses a cursor of another epoch, beyond the head, or below the floor", async () => {
      await createAlbums(4);
      const { epoch } = await loggedState(catalog);
      const read = (after: { epoch: number; seq: number }) => catalog.events({ after, limit: 10 });
      await expectCode(read({ epoch: epoch - 1, seq: 1 }), "cursor_unknown");
      await expectCode(read({ epoch, seq: 5 }), "cursor_unknown");
      await prune({ limit: 2 });
      const error = await expectCode(read({ epoch, seq: 1 }), "cursor_expired");
      expect(error.members).toEqual({ oldestCursor: encodeCursor({ epoch, seq: 2 }) });
      expect((await read({ epoch, seq: 2 })).events.map(({ seq }) => seq)).toEqual([3, 4]);
      expect((await catalog.events({ limit: 10 })).events.map(({ seq }) => seq)).toEqual([3, 4]);
    });

    test("numbers are never used twice, also when all was pruned", async () => {
      await createAlbums(3);
      const before = await loggedState(catalog);
      expect(before).toEqual({ epoch: before.epoch, floor: 0, head: 3, bytes: before.bytes });
      expect(before.bytes).toBeGreaterThan(300);
      expect(await prune()).toEqual({ pruned: 3, cursorsGivenUp: [], more: false });
      expect(await loggedState(catalog)).toEqual({ epoch: before.epoch, floor: 3, head: 3, bytes: 0 });
      expect(await catalog.events({ limit: 10 })).toEqual({
        events: [],
        next: { epoch: before.epoch, seq: 3 },
        atEnd: true,
      });
      await createAlbums(1, "b");
      expect((await catalog.events({ limit: 10 })).events.map(({ seq }) => seq)).toEqual([4]);
    });

    test("whoever listens is called soon after a change, until they stop", async () => {
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
    test("start at the oldest kept event, go on where they were, and never back", async () => {
      await createAlbums(5);
      await prune({ limit: 2 });
      const { epoch } = await loggedState(catalog);
      expect(await register("relay")).toEqual({ seq: 2, epoch });
      expect(await advance("relay", 4)).toEqual({ known: true });
      expect(await advance("relay", 3)).toEqual({ known: true });
      expect(await register("relay")).toEqual({ seq: 4, epoch });
      const [cursor] = await catalog.cursors();
      expect(cursor).toMatchObject({ name: "relay", seq: 4, epoch, lagEvents: 1 });
      expect(cursor?.lagSeconds).toBeGreaterThanOrEqual(0);
      expect(cursor?.lagSeconds).toBeLessThan(60);
      await advance("relay", 5);
      expect((await catalog.cursors())[0]).toMatchObject({ lagEvents: 0, lagSeconds: 0 });
    });

    test("one that is given up is not known any more", async () => {
      await register("b");
      await register("a");
      expect((await catalog.cursors()).map(({ name }) => name)).toEqual(["a", "b"]);
      expect(await catalog.write({ type: "deleteCursor", name: "a" })).toBeNull();
      await expectCode(catalog.write({ type: "deleteCursor", name: "a" }), "cursor_not_found");
      expect(await advance("a", 1)).toEqual({ known: false });
      expect((await catalog.cursors()).map(({ name }) => name)).toEqual(["b"]);
    });
  });

  describe("a new epoch", () => {
    test("is above all before, unknown to cursors of before, and durable ones go on where they were", async () => {
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
      await expectCode(catalog.events({ after: { epoch: before.epoch, seq: 4 }, limit: 1 }), "cursor_unknown");
      const relay = await register("relay");
      expect(relay).toEqual({ seq: 3, epoch: second });
      expect((await catalog.events({ after: relay, limit: 9 })).events.map(({ seq }) => seq)).toEqual([4]);
      await createAlbums(1, "b");
      expect((await loggedState(catalog)).head).toBe(5);
    });

    test("is not begun while a node has a lease", async () => {
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
    test("prunes a prefix that is old and that every cursor has passed, a bounded number at a time", async () => {
      await createAlbums(6);
      expect(await prune({ retention: 60_000 })).toEqual({ pruned: 0, cursorsGivenUp: [], more: false });
      expect(await prune({ retention: null })).toMatchObject({ pruned: 0 });
      await register("slow");
      await register("fast");
      await advance("slow", 3);
      await advance("fast", 6);
      expect(await prune({ limit: 2 })).toEqual({ pruned: 2, cursorsGivenUp: [], more: true });
      expect(await prune()).toEqual({ pruned: 1, cursorsGivenUp: [], more: false });
      expect(await prune()).toEqual({ pruned: 0, cursorsGivenUp: [], more: false });
      await advance("slow", 4);
      expect(await prune()).toMatchObject({ pruned: 1 });
      expect((await catalog.events({ limit: 10 })).events.map(({ seq }) => seq)).toEqual([5, 6]);
    });

    test("waits for cursors that are registered and move while it prunes", async () => {
      const names = ["a", "b", "c"];
      for (let round = 0; round < 10; round++) {
        await createAlbums(6, `${round}-`);
        const { head } = await loggedState(catalog);
        const pruning = async () => {
          const given: string[] = [];
          for (let turn = 0; turn < 4; turn++) given.push(...(await prune({ limit: 2 })).cursorsGivenUp);
          return given;
        };
        const registered = names.map(async (name, index) => {
          await Bun.sleep(index);
          const after = await register(name);
          // From where it was told to begin it can read, whatever was pruned meanwhile.
          const { events } = await catalog.events({ after, limit: 1 });
          if (after.seq < head) expect(events.map(({ seq }) => seq)).toEqual([after.seq + 1]);
          expect(await advance(name, head)).toEqual({ known: true });
        });
        const [givenUp] = await Promise.all([pruning(), pruning(), ...registered]);
        expect(givenUp).toEqual([]);
        const { floor } = await loggedState(catalog);
        const found = await catalog.cursors();
        expect(found.map(({ name }) => name)).toEqual(names);
        for (const { name, seq } of found) expect({ name, behind: seq < floor }).toEqual({ name, behind: false });
        for (const name of names) await catalog.write({ type: "deleteCursor", name });
        await prune();
        expect(await loggedState(catalog)).toMatchObject({ floor: head, head });
      }
    });

    test("a log over its bytes gives up the cursors that stand in the way, and no others", async () => {
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
      expect(await prune(half)).toEqual({ pruned: 3, cursorsGivenUp: ["slow"], more: false });
      const { floor, bytes: left } = await loggedState(catalog);
      expect(floor).toBe(3);
      expect(left).toBeLessThanOrEqual(half.maxBytes);
      expect((await catalog.cursors()).map(({ name }) => name)).toEqual(["fast", "middle"]);
      expect(await prune(half)).toMatchObject({ pruned: 0, cursorsGivenUp: [] });
      expect(await prune({ retention: null, maxBytes: 0 })).toMatchObject({ pruned: 3, cursorsGivenUp: ["middle"] });
    });
  });
}
