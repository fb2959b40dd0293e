import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import { EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import type { Idempotency, Preconditions } from "../../src/domain/change.ts";
import { STORE } from "../../src/domain/event.ts";
import type { Catalog } from "../../src/ports.ts";
import {
  albumNamed,
  blobOf,
  blobStates,
  createAlbum,
  createImage,
  dataOf,
  digest,
  eventsAfter,
  imageNamed,
  JPEG,
  namesOf,
  type OpenCatalog,
  put,
  replaceWith,
  UNDESCRIBED,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const FIELDS = {
  title: "T",
  description: "D",
  metadata: { k: "v" },
  tags: ["sea", "blue", "sea"],
  focalPoint: { x: 0.25, y: 1 },
};

export function imageContract(open: OpenCatalog): void {
  let catalog: Catalog;
  let album: Album;
  beforeEach(async () => {
    catalog = await open();
    album = await createAlbum(catalog, "a/lbum é");
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const patchImage = (name: string, patch: object, more = {}) =>
    catalog.write({ type: "updateImage", albumId: album.id, name, patch, ...more });
  const removeImage = (name: string, more = {}) =>
    catalog.write({ type: "deleteImage", albumId: album.id, name, ...more });
  const totals = async (expected: object) => {
    // A sum over all albums may be a little old.
    for (let attempt = 0; attempt < 200 && !Bun.deepEquals(await catalog.totals(), expected); attempt++)
      await Bun.sleep(20);
    expect(await catalog.totals()).toEqual(expected as never);
  };

  describe("images", () => {
    test("PUT stores records, blob locations, events and the album's count", async () => {
      const info = { ...JPEG, contentType: "image/gif", frames: 3, hasAlpha: true, orientation: 6 } as const;
      const changes = [imageNamed("ü?.jpg", { fields: FIELDS, info }), imageNamed("b")];
      const [first, second] = await put(catalog, album, changes, { traceparent: "00-a-b-01" });
      expect(first).toEqual({
        created: true,
        image: {
          id: changes[0]?.id as string,
          name: "ü?.jpg",
          album: "a/lbum é",
          albumId: album.id,
          ...FIELDS,
          ...info,
          ...UNDESCRIBED,
          size: 6,
          sha256: digest("ü?.jpg"),
          revision: 1,
          createdAt: first?.image.createdAt as string,
          updatedAt: first?.image.createdAt as string,
          links: {
            self: "/v1/albums/a%2Flbum%20%C3%A9/images/%C3%BC%3F.jpg",
            content: `/v1/images/${changes[0]?.id}/content/${digest("ü?.jpg")}`,
          },
        },
      });
      expect(second?.image).toMatchObject({ title: null, description: null, metadata: {}, tags: [], hasAlpha: false });

      const stored = await catalog.image("a/lbum é", "ü?.jpg", "all");
      expect(stored).toEqual({ image: first?.image as never, location: changes[0]?.blob.location as string });
      expect(await catalog.imageById(changes[0]?.id as string, "all")).toEqual(stored);
      expect(await catalog.image("a/lbum é", "B", "all")).toBeUndefined();
      expect(await catalog.imageById(album.id, "all")).toBeUndefined();

      const events = await eventsAfter(catalog, 1, 2);
      expect(events.map(dataOf)).toEqual([
        { ...first?.image, reason: "user", actor: STORE },
        { ...second?.image, reason: "user", actor: STORE },
      ] as never);
      expect(events[0]).toMatchObject({
        type: "imagestore.image.created",
        albumId: album.id,
        imageId: changes[0]?.id as string,
        traceparent: "00-a-b-01",
      });
      expect(await catalog.album("a/lbum é", "all")).toMatchObject({
        imageCount: 2,
        revision: 1,
        updatedAt: album.updatedAt,
      });
      await totals({ albums: 1, images: 2, bytes: 7 });
    });

    test("content is found by name and id until its image is deleted", async () => {
      const fields = { ...FIELDS, focalPoint: { x: 0.5, y: 0.75 } };
      const info = { ...JPEG, contentType: "image/gif", frames: 3, hasAlpha: true, orientation: 6 } as const;
      const other = await createAlbum(catalog, "other", { fields: { ...EMPTY_ALBUM_FIELDS, visibility: "public" } });
      const images = [
        await createImage(catalog, album, "i", { fields, info }),
        await createImage(catalog, album, "j"),
        await createImage(catalog, other, "i", { blob: blobOf("other bytes") }),
        await createImage(catalog, other, "k"),
      ];
      const expectAll = async (there: number) => {
        let found = 0;
        for (const { id, album: of, name } of images) {
          const stored = await catalog.imageById(id, "all");
          const content = await catalog.contentById(id, "all");
          expect(content === undefined).toBe(stored === undefined);
          const named = await catalog.content(of, name, "all");
          expect(named === undefined).toBe(stored === undefined);
          if (stored === undefined || content === undefined || named === undefined) continue;
          found++;
          const { modifiedAt, isPublic, ...rest } = content;
          expect(isPublic).toBe((await catalog.album(of, "all"))?.visibility === "public");
          expect(stored).toMatchObject(rest);
          expect(modifiedAt).toBe(Date.parse(stored.image.updatedAt));
          // A name leads to other bytes after a rename of the album, too.
          const albumUpdatedAt = Date.parse((await catalog.album(of, "all"))?.updatedAt ?? "");
          expect(named).toEqual({ ...content, modifiedAt: Math.max(modifiedAt, albumUpdatedAt) });
          expect(Object.keys(content.image).toSorted()).toEqual(
            ["id", "name", "albumId", "size", "sha256", "focalPoint", ...Object.keys(JPEG)].toSorted(),
          );
        }
        expect(found).toBe(there);
      };
      await expectAll(4);
      await replaceWith(catalog, album, imageNamed("i", { blob: blobOf("new bytes") }));
      await expectAll(4);
      await removeImage("j");
      await expectAll(3);
      await catalog.write({ type: "deleteAlbum", albumId: other.id, recursive: true, atOnce: 1 });
      await expectAll(1);
    });

    test("images of one change are stored all or none", async () => {
      await createImage(catalog, album, "taken");
      await expectCode(put(catalog, album, [imageNamed("new"), imageNamed("taken")]), "image_exists");
      await expectCode(put(catalog, album, [imageNamed("twice"), imageNamed("twice")]), "image_exists");
      expect(namesOf((await catalog.images({ visibility: "all", orderBy: "name", limit: 10 })).items)).toEqual([
        "taken",
      ]);
      expect(await catalog.blobs({ limit: 10 })).toHaveLength(1);
      expect((await catalog.album(album.name, "all"))?.imageCount).toBe(1);
      await eventsAfter(catalog, 0, 2);
    });

    test("a name is unique within its album", async () => {
      const other = await createAlbum(catalog, "other");
      const [one, two] = [await createImage(catalog, album, "same"), await createImage(catalog, other, "same")];
      expect((await catalog.image("other", "same", "all"))?.image).toEqual(two);
      expect((await catalog.image(album.name, "same", "all"))?.image).toEqual(one);
    });

    test("PUT creates a missing image and gives an existing one new bytes under its id", async () => {
      const first = await replaceWith(catalog, album, imageNamed("i", { fields: FIELDS }));
      expect(first.created).toBe(true);
      const change = imageNamed("i", { blob: blobOf("other bytes"), info: { ...JPEG, width: 99 } });
      const second = await replaceWith(catalog, album, change);
      expect(second).toMatchObject({
        created: false,
        image: { id: first.image.id, ...FIELDS, sha256: digest("other bytes"), size: 11, width: 99, revision: 2 },
      });
      expect(second.image.createdAt).toBe(first.image.createdAt);
      expect(await catalog.imageById(first.image.id, "all")).toEqual({
        image: second.image,
        location: change.blob.location,
      });
      const [, , updated] = await eventsAfter(catalog, 0, 3);
      expect(updated?.type).toBe("imagestore.image.updated");
      expect(dataOf(updated)).toEqual({ ...second.image, reason: "user", actor: STORE });
      expect((await catalog.album(album.name, "all"))?.imageCount).toBe(1);
      await totals({ albums: 1, images: 1, bytes: 11 });
    });

    test("PUT of equal bytes replaces the blob and changes nothing else", async () => {
      const change = imageNamed("i", { fields: FIELDS });
      const first = await replaceWith(catalog, album, change);
      const again = imageNamed("i", { blob: blobOf("i") });
      expect(await replaceWith(catalog, album, again)).toEqual({ created: false, image: first.image });
      expect((await catalog.image(album.name, "i", "all"))?.location).toBe(again.blob.location);
      expect(await blobStates(catalog)).toEqual({ [change.blob.key]: "condemned", [again.blob.key]: "live" });
      await eventsAfter(catalog, 0, 2);

      const fields = { ...FIELDS, title: "other", tags: ["red"] };
      const changed = await replaceWith(catalog, album, imageNamed("i", { fields }));
      expect(changed.image).toMatchObject({ revision: 2, ...fields });
      await eventsAfter(catalog, 0, 3);
      expect(
        namesOf((await catalog.images({ visibility: "all", tag: "red", orderBy: "name", limit: 9 })).items),
      ).toEqual(["i"]);
      expect(
        namesOf((await catalog.images({ visibility: "all", tag: "sea", orderBy: "name", limit: 9 })).items),
      ).toEqual([]);
    });

    test("preconditions of PUT compare the digest of the content", async () => {
      await createImage(catalog, album, "i");
      const [present, stale] = [digest("i"), digest("other")];
      const attempts: [Preconditions<string>, boolean][] = [
        [{ ifMatch: "*" }, true],
        [{ ifMatch: [stale, present] }, true],
        [{ ifMatch: [stale] }, false],
        [{ ifNoneMatch: "*" }, false],
        [{ ifNoneMatch: [present] }, false],
        [{ ifNoneMatch: [stale] }, true],
      ];
      for (const [preconditions, passes] of attempts) {
        const change = replaceWith(catalog, album, imageNamed("i"), { preconditions });
        if (passes) await change;
        else await expectCode(change, "precondition_failed");
      }
      const onMissing = (preconditions: Preconditions<string>) =>
        replaceWith(catalog, album, imageNamed("new"), { preconditions });
      await expectCode(onMissing({ ifMatch: "*" }), "precondition_failed");
      await expectCode(onMissing({ ifMatch: [present] }), "precondition_failed");
      expect((await onMissing({ ifNoneMatch: "*" })).created).toBe(true);
    });

    test("a patch changes the given fields; without effect it changes nothing", async () => {
      const image = await createImage(catalog, album, "i", { fields: FIELDS });
      const updated = await patchImage("i", { title: "new", tags: ["red"], metadata: { more: "x" } });
      expect(updated).toEqual({
        ...image,
        title: "new",
        tags: ["red"],
        metadata: { k: "v", more: "x" },
        revision: 2,
        updatedAt: updated.updatedAt,
      });
      expect(await patchImage("i", { title: "new", tags: ["red"], metadata: { more: "x" } })).toEqual(updated);
      expect((await catalog.imageById(image.id, "all"))?.image).toEqual(updated);
      expect((await catalog.images({ visibility: "all", tag: "sea", orderBy: "name", limit: 9 })).items).toEqual([]);
      expect((await catalog.images({ visibility: "all", tag: "red", orderBy: "name", limit: 9 })).items).toEqual([
        updated,
      ]);
      const [event] = await eventsAfter(catalog, 2, 1);
      expect(dataOf(event)).toEqual({ ...updated, reason: "user", actor: STORE });
    });

    test("a rename is one event with the previous name, and the id stays", async () => {
      const image = await createImage(catalog, album, "old");
      await createImage(catalog, album, "taken");
      await expectCode(patchImage("old", { name: "taken" }), "image_exists");
      const renamed = await patchImage("old", { name: "new" });
      expect(renamed.links.self).toEndWith("/images/new");
      expect(await catalog.image(album.name, "old", "all")).toBeUndefined();
      expect((await catalog.imageById(image.id, "all"))?.image).toEqual(renamed);
      const [event] = await eventsAfter(catalog, 3, 1);
      expect(dataOf(event)).toEqual({ ...renamed, reason: "user", actor: STORE, previousName: "old" });
    });

    test("DELETE removes the record and condemns its blob", async () => {
      const image = await createImage(catalog, album, "i", { fields: FIELDS });
      const stale = { ifMatch: [{ id: image.id, revision: 9 }] };
      await expectCode(removeImage("i", { preconditions: stale }), "precondition_failed");
      expect(await removeImage("i", { preconditions: { ifMatch: [{ id: image.id, revision: 1 }] } })).toBeNull();
      expect(await catalog.imageById(image.id, "all")).toBeUndefined();
      expect(Object.values(await blobStates(catalog))).toEqual(["condemned"]);
      expect((await catalog.images({ visibility: "all", tag: "sea", orderBy: "name", limit: 9 })).items).toEqual([]);
      expect(await catalog.album(album.name, "all")).toEqual(album);
      const [event] = await eventsAfter(catalog, 2, 1);
      expect(event).toMatchObject({ type: "imagestore.image.deleted", imageId: image.id });
      expect(dataOf(event)).toEqual({ ...image, reason: "user", actor: STORE });
      await totals({ albums: 1, images: 0, bytes: 0 });
      expect((await createImage(catalog, album, "i")).id).not.toBe(image.id);
    });

    test("a missing album and a missing image have different codes", async () => {
      const preconditions = { ifMatch: "*" as const };
      await expectCode(patchImage("none", {}, { preconditions }), "image_not_found");
      await expectCode(removeImage("none", { preconditions }), "image_not_found");
      const elsewhere = { albumId: Bun.randomUUIDv7() };
      await expectCode(patchImage("none", {}, elsewhere), "album_not_found");
      await expectCode(removeImage("none", elsewhere), "album_not_found");
      await expectCode(put(catalog, album, [imageNamed("i")], elsewhere), "album_not_found");
    });

    test("a blob that the sweeper has claimed can get no record", async () => {
      const image = imageNamed("i");
      expect(await catalog.write({ type: "claimUnrecorded", blobs: [image.blob] })).toEqual({ claimed: 1 });
      await expectCode(put(catalog, album, [imageNamed("first"), image]), "upload_expired");
      expect((await catalog.images({ visibility: "all", orderBy: "name", limit: 9 })).items).toEqual([]);
      await eventsAfter(catalog, 0, 1);
    });
  });

  const pruneKeys = (retention: number) => catalog.write({ type: "pruneIdempotency", retention, limit: 2 });

  describe("idempotency", () => {
    const idempotency: Idempotency = { scope: "ann POST /v1/albums", key: "k", fingerprint: "f" };

    test("replays the first answer under the same key, whatever happened since", async () => {
      const first = await catalog.write(albumNamed("new", { idempotency }));
      expect(first.replayed).toBe(false);
      await catalog.write({ type: "updateAlbum", albumId: first.value.id, patch: { name: "renamed" } });
      const again = await catalog.write(albumNamed("new", { idempotency }));
      expect(again).toEqual({ replayed: true, value: first.value });
      expect(await catalog.album("new", "all")).toBeUndefined();
      await eventsAfter(catalog, 1, 2);
    });

    test("leaves the bytes of a replayed upload unrecorded", async () => {
      const upload = (blob = blobOf("i")) => ({
        type: "putImages" as const,
        albumId: album.id,
        mode: "create" as const,
        images: [imageNamed("i", { blob })],
        idempotency,
      });
      const first = await catalog.write(upload());
      const late = blobOf("i");
      expect(await catalog.write(upload(late))).toEqual({ replayed: true, value: first.value });
      expect(await catalog.recordedBlobs([late.key])).toEqual(new Map());
      expect((await catalog.album(album.name, "all"))?.imageCount).toBe(1);
    });

    test("refuses another request under a known key; another scope has its own keys", async () => {
      await createAlbum(catalog, "one", { idempotency });
      const other = { ...idempotency, fingerprint: "other" };
      await expectCode(createAlbum(catalog, "two", { idempotency: other }), "idempotency_key_reused");
      await createAlbum(catalog, "two", { idempotency: { ...other, scope: "bob POST /v1/albums" } });
      await createAlbum(catalog, "three", { idempotency: { ...other, key: "l" } });
    });

    test("leaves the key free after a failed change", async () => {
      await expectCode(createAlbum(catalog, album.name, { idempotency }), "album_exists");
      expect(await catalog.write(albumNamed("free", { idempotency }))).toMatchObject({ replayed: false });
    });

    test("performs one of several concurrent requests and replays it to the others", async () => {
      const answers = await Promise.all(
        Array.from({ length: 10 }, () => catalog.write(albumNamed("once", { idempotency }))),
      );
      expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
      expect(new Set(answers.map(({ value }) => value.id)).size).toBe(1);
    });

    test("prunes old keys, a bounded number at a time", async () => {
      const keys = ["1", "2", "3"].map((key) => ({ ...idempotency, key }));
      for (const each of keys) await createAlbum(catalog, each.key, { idempotency: each });
      expect(await pruneKeys(60_000)).toEqual({ pruned: 0 });
      expect(await pruneKeys(-60_000)).toEqual({ pruned: 2 });
      expect(await pruneKeys(-60_000)).toEqual({ pruned: 1 });
      for (const each of keys) await expectCode(createAlbum(catalog, each.key, { idempotency: each }), "album_exists");
    });
  });
}
