import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { AlbumFields } from "../../src/domain/album.ts";
import type { Change, Preconditions, RecordVersion } from "../../src/domain/change.ts";
import { STORE } from "../../src/domain/event.ts";
import {
  albumNamed,
  blobStates,
  createAlbum,
  createImage,
  dataOf,
  eventsAfter,
  imageNamed,
  loggedState,
  namesOf,
  type OpenCatalog,
  type OpenedCatalog,
  put,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const FIELDS: AlbumFields = { title: "Été", description: "two\nlines", metadata: { b: "2", a: "1", __proto__x: "y" } };

export function albumContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  beforeEach(async () => {
    catalog = await open();
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  describe("albums", () => {
    test("create stores the album and its event", async () => {
      const change = albumNamed("Ferien 🏖", { fields: FIELDS, traceparent: "00-a-b-01" });
      const { replayed, value } = await catalog.write(change);
      expect(replayed).toBe(false);
      expect(value).toEqual({
        id: change.id,
        name: "Ferien 🏖",
        ...FIELDS,
        visibility: "private",
        imageCount: 0,
        byteCount: 0,
        revision: 1,
        createdAt: value.createdAt,
        updatedAt: value.createdAt,
      });
      expect(Math.abs(Date.parse(value.createdAt) - Date.now())).toBeLessThan(60_000);
      expect(await catalog.album("Ferien 🏖", "all")).toEqual(value);
      expect(await catalog.album("ferien 🏖", "all")).toBeUndefined();

      const [event] = await eventsAfter(catalog, 0, 1);
      expect(event).toMatchObject({
        seq: 1,
        type: "imagestore.album.created",
        albumId: change.id,
        imageId: null,
        time: Date.parse(value.createdAt),
        traceparent: "00-a-b-01",
      });
      expect(dataOf(event)).toEqual({ ...value, reason: "user", actor: STORE });
    });

    test("create with a taken name is refused and changes nothing", async () => {
      const first = await createAlbum(catalog, "a");
      await expectCode(createAlbum(catalog, "a"), "album_exists");
      expect(await catalog.album("a", "all")).toEqual(first);
      await eventsAfter(catalog, 0, 1);
    });

    test("one of many concurrent creates of one name succeeds", async () => {
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => createAlbum(catalog, "same")));
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      await eventsAfter(catalog, 0, 1);
    });

    test("a metadata key may be __proto__", async () => {
      const metadata = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>;
      const fields = { title: null, description: null, metadata };
      await createAlbum(catalog, "a", { fields });
      expect(JSON.stringify((await catalog.album("a", "all"))?.metadata)).toBe(JSON.stringify(metadata));
    });

    test("PUT creates, replaces all fields, and changes nothing when all are equal", async () => {
      const change = { type: "putAlbum", id: Bun.randomUUIDv7(), name: "a", fields: FIELDS } as const;
      const first = await catalog.write(change);
      expect(first).toMatchObject({ created: true, album: { id: change.id, revision: 1, ...FIELDS } });

      const reordered = { ...FIELDS, metadata: Object.fromEntries(Object.entries(FIELDS.metadata).toReversed()) };
      const again = await catalog.write({ ...change, id: Bun.randomUUIDv7(), fields: reordered });
      expect(again).toEqual({ created: false, album: first.album });

      const fields = { title: null, description: "other", metadata: {} };
      const replaced = await catalog.write({ ...change, id: Bun.randomUUIDv7(), fields });
      expect(replaced).toMatchObject({ created: false, album: { id: change.id, revision: 2, ...fields } });
      expect(await catalog.album("a", "all")).toEqual(replaced.album);
      const [, updated] = await eventsAfter(catalog, 0, 2);
      expect(updated?.type).toBe("imagestore.album.updated");
      expect(dataOf(updated)).toEqual({ ...replaced.album, reason: "user", actor: STORE });
    });

    test("a patch changes the given fields; without effect it keeps revision and times and writes no event", async () => {
      const album = await createAlbum(catalog, "a", { fields: FIELDS });
      const patch = { title: null, metadata: { a: null, c: "3" } };
      const updated = await catalog.write({ type: "updateAlbum", albumId: album.id, patch });
      expect(updated).toMatchObject({
        title: null,
        description: FIELDS.description,
        metadata: { b: "2", c: "3", __proto__x: "y" },
        revision: 2,
        createdAt: album.createdAt,
      });
      expect(await catalog.write({ type: "updateAlbum", albumId: album.id, patch })).toEqual(updated);
      expect(await catalog.album("a", "all")).toEqual(updated);
      await eventsAfter(catalog, 0, 2);
    });

    test("a rename is one event with the previous name, which becomes free", async () => {
      const album = await createAlbum(catalog, "old");
      await createImage(catalog, album, "i");
      await createAlbum(catalog, "taken");
      const rename = (name: string) => catalog.write({ type: "updateAlbum", albumId: album.id, patch: { name } });
      await expectCode(rename("taken"), "album_exists");
      const renamed = await rename("new");
      expect(await catalog.album("old", "all")).toBeUndefined();
      expect(await catalog.album("new", "all")).toEqual(renamed);
      const [event] = await eventsAfter(catalog, 3, 1);
      expect(dataOf(event)).toEqual({ ...renamed, reason: "user", actor: STORE, previousName: "old" });
      expect((await catalog.image("new", "i", "all"))?.image).toMatchObject({
        album: "new",
        links: { self: "/v1/albums/new/images/i" },
      });
      expect((await createAlbum(catalog, "old")).id).not.toBe(album.id);
    });

    test("a patch over the limits changes nothing", async () => {
      const metadata = Object.fromEntries(Array.from({ length: 64 }, (_, index) => [`k${index}`, "v"]));
      const album = await createAlbum(catalog, "a", { fields: { ...FIELDS, metadata } });
      const patch = { title: "other", metadata: { more: "v" } };
      await expectCode(catalog.write({ type: "updateAlbum", albumId: album.id, patch }), "invalid_request");
      expect(await catalog.album("a", "all")).toEqual(album);
    });

    test("preconditions compare id and revision", async () => {
      const album = await createAlbum(catalog, "a");
      const present: RecordVersion = { id: album.id, revision: 1 };
      const stale: RecordVersion = { id: album.id, revision: 2 };
      const foreign: RecordVersion = { id: Bun.randomUUIDv7(), revision: 1 };
      const attempts: [Preconditions<RecordVersion>, boolean][] = [
        [{ ifMatch: "*" }, true],
        [{ ifMatch: [stale, present] }, true],
        [{ ifMatch: [stale] }, false],
        [{ ifMatch: [foreign] }, false],
        [{ ifMatch: [] }, false],
        [{ ifNoneMatch: "*" }, false],
        [{ ifNoneMatch: [present] }, false],
        [{ ifNoneMatch: [stale, foreign] }, true],
        [{ ifMatch: [present], ifNoneMatch: [present] }, false],
      ];
      const fields = { title: null, description: null, metadata: {} };
      for (const [preconditions, passes] of attempts) {
        const changes = [
          { type: "putAlbum", id: Bun.randomUUIDv7(), name: "a", fields, preconditions },
          { type: "updateAlbum", albumId: album.id, patch: {}, preconditions },
        ] as const;
        for (const change of changes) {
          if (passes) await catalog.write<Change>(change);
          else await expectCode(catalog.write<Change>(change), "precondition_failed");
        }
      }
      const remove = { type: "deleteAlbum", albumId: album.id, recursive: false } as const;
      await expectCode(catalog.write({ ...remove, preconditions: { ifMatch: [stale] } }), "precondition_failed");
      await catalog.write({ ...remove, preconditions: { ifMatch: [present] } });
    });

    test("on a missing album, If-Match fails a PUT, and PATCH and DELETE are not found", async () => {
      const ifMatch = { ifMatch: "*" } as const;
      const fields = { title: null, description: null, metadata: {} };
      const creation = { type: "putAlbum", id: Bun.randomUUIDv7(), name: "a", fields } as const;
      await expectCode(catalog.write({ ...creation, preconditions: ifMatch }), "precondition_failed");
      const albumId = Bun.randomUUIDv7();
      const update = { type: "updateAlbum", albumId, patch: { title: "x" }, preconditions: ifMatch } as const;
      await expectCode(catalog.write(update), "album_not_found");
      const remove = { type: "deleteAlbum", albumId, recursive: true, preconditions: ifMatch } as const;
      await expectCode(catalog.write(remove), "album_not_found");
      expect(await catalog.write({ ...creation, preconditions: { ifNoneMatch: "*" } })).toMatchObject({
        created: true,
      });
    });
  });

  describe("deleting an album", () => {
    test("that has images must be recursive", async () => {
      const album = await createAlbum(catalog, "a");
      await createImage(catalog, album, "i");
      const remove = { type: "deleteAlbum", albumId: album.id } as const;
      await expectCode(catalog.write({ ...remove, recursive: false }), "album_not_empty");
      expect(await catalog.write({ ...remove, recursive: true })).toEqual({ done: true });
      expect(await catalog.album("a", "all")).toBeUndefined();
    });

    // The same in one transaction and in chunks: what a consumer sees must not differ.
    for (const atOnce of [undefined, 3])
      test(`writes the events of its images first and its own last, ${atOnce ? "in chunks" : "at once"}`, async () => {
        const album = await createAlbum(catalog, "a");
        const names = Array.from({ length: 8 }, (_, index) => `i${index}`);
        const images = (
          await put(
            catalog,
            album,
            names.toReversed().map((name) => imageNamed(name)),
          )
        ).map(({ image }) => image);
        const other = await createAlbum(catalog, "b");
        const kept = await createImage(catalog, other, "kept");
        const last = await catalog.album("a", "all");
        const { lastSequence } = await loggedState(catalog);

        const remove = { type: "deleteAlbum", albumId: album.id, recursive: true, ...(atOnce && { atOnce }) } as const;
        const { done } = await catalog.write(remove);
        expect(done).toBe(atOnce === undefined);

        expect(await catalog.album("a", "all")).toBeUndefined();
        expect(await catalog.image("a", "i3", "all")).toBeUndefined();
        expect(await catalog.imageById((images[0] as { id: string }).id, "all")).toBeUndefined();
        expect(namesOf((await catalog.images({ visibility: "all", orderBy: "name", limit: 100 })).items)).toEqual([
          "kept",
        ]);
        expect(
          (await catalog.images({ visibility: "all", albumId: album.id, orderBy: "name", limit: 100 })).items,
        ).toEqual([]);
        expect(namesOf((await catalog.albums({ visibility: "all", orderBy: "name", limit: 100 })).items)).toEqual([
          "b",
        ]);
        await expectCode(catalog.write({ type: "updateAlbum", albumId: album.id, patch: {} }), "album_not_found");
        await expectCode(put(catalog, album, [imageNamed("late")]), "album_not_found");
        const reused = await createAlbum(catalog, "a");
        expect(reused.imageCount).toBe(0);

        if (!done) {
          expect(await catalog.albumsBeingDeleted(10)).toEqual([album.id]);
          const chunk = { type: "deleteAlbumChunk", albumId: album.id, limit: 3 } as const;
          expect(await catalog.write(chunk)).toEqual({ done: false });
          expect(await catalog.write(chunk)).toEqual({ done: false });
          expect(await catalog.write(chunk)).toEqual({ done: true });
          expect(await catalog.write(chunk)).toEqual({ done: true });
        }
        expect(await catalog.albumsBeingDeleted(10)).toEqual([]);

        const events = (await eventsAfter(catalog, lastSequence, 10)).filter((event) => event.albumId === album.id);
        const expected = images
          .toSorted((one, two) => (one.name < two.name ? -1 : 1))
          .map((image) => ({ ...image, reason: "album-deleted", actor: STORE }));
        expect(events.map(dataOf)).toEqual([...expected, { ...last, reason: "user", actor: STORE }] as never);
        expect(new Set(events.slice(0, -1).map((event) => event.type))).toEqual(new Set(["imagestore.image.deleted"]));
        expect(events.at(-1)?.type).toBe("imagestore.album.deleted");
        expect(Object.values(await blobStates(catalog)).toSorted()).toEqual([
          ...Array.from({ length: 8 }, () => "condemned"),
          "live",
        ]);
        expect((await catalog.imageById(kept.id, "all"))?.image).toEqual(kept);
        expect(await catalog.album("a", "all")).toEqual(reused);
      });

    test("with many images runs in slices within its transaction", async () => {
      const album = await createAlbum(catalog, "a");
      await put(
        catalog,
        album,
        Array.from({ length: 1200 }, (_, index) => imageNamed(`i${index}`)),
      );
      expect(await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true })).toEqual({ done: true });
      await eventsAfter(catalog, 1201, 1201);
      expect(await catalog.blobs({ limit: 2000 })).toHaveLength(1200);
      expect(new Set(Object.values(await blobStates(catalog)))).toEqual(new Set(["condemned"]));
    });
  });
}
