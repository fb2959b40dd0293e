import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { MoveImage, Requester } from "../../src/domain/change.ts";
import { STORE } from "../../src/domain/event.ts";
import type { AlbumSet } from "../../src/domain/visibility.ts";
import {
  blobOf,
  blobStates,
  createAlbum,
  createImage,
  createKey,
  dataOf,
  describeImage,
  eventsAfter,
  JPEG,
  loggedState,
  namesOf,
  type OpenCatalog,
  type OpenedCatalog,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const FIELDS = { title: "T", description: "D", metadata: { k: "v" }, tags: ["sea"], focalPoint: { x: 0.25, y: 1 } };
const only = (album: Album): AlbumSet => ({ ids: [album.id], names: [], public: false });
const NONE: AlbumSet = { ids: [], names: [], public: false };
const by = (albums: Requester["albums"]): Requester => ({ actor: STORE, albums, shared: "all" });

export function moveContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  let from: Album;
  let to: Album;
  beforeEach(async () => {
    catalog = await open();
    from = await createAlbum(catalog, "from");
    to = await createAlbum(catalog, "to");
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const moving = (name: string, more: Partial<MoveImage> = {}): MoveImage => ({
    type: "moveImage",
    albumId: from.id,
    name,
    target: { albumId: to.id },
    ifExists: "fail",
    ...more,
  });
  const move = (name: string, more: Partial<MoveImage> = {}) => catalog.write(moving(name, more));
  const counts = async (...albums: readonly Album[]) =>
    Promise.all(
      albums.map(async ({ name }) => {
        const album = await catalog.album(name, "all");
        return [album?.imageCount, album?.byteCount, album?.revision];
      }),
    );
  const listed = async (album: Album) =>
    namesOf((await catalog.images({ visibility: "all", albumId: album.id, orderBy: "createdAt", limit: 100 })).items);

  describe("moves", () => {
    test("an image keeps id, bytes, fields, description and creation time in another album", async () => {
      const image = await createImage(catalog, from, "i", { fields: FIELDS, blob: blobOf("bytes") });
      const [{ blobKey } = { blobKey: "" }] = await catalog.undescribedImages({ limit: 1, order: "newest" });
      await describeImage(catalog, image.id, blobKey, { artist: "A" });
      const before = await catalog.imageById(image.id, "all");
      const { lastSequence } = await loggedState(catalog);

      const { value, replayed } = await move("i", { traceparent: "00-a-b-01" });
      expect(replayed).toBe(false);
      expect(value).toEqual({
        ...(before?.image as typeof image),
        album: "to",
        albumId: to.id,
        revision: 2,
        updatedAt: value.updatedAt,
        links: { ...image.links, self: "/v1/albums/to/images/i" },
      });
      expect(value.updatedAt >= image.updatedAt).toBe(true);
      expect(await catalog.imageById(image.id, "all")).toEqual({ image: value, location: before?.location as string });
      expect(await catalog.image("to", "i", "all")).toEqual({ image: value, location: before?.location as string });
      expect(await catalog.content("to", "i", "all")).toMatchObject({ image: { id: image.id } });
      expect(await catalog.image("from", "i", "all")).toBeUndefined();
      expect(await catalog.content("from", "i", "all")).toBeUndefined();
      expect(await blobStates(catalog)).toEqual({ [blobKey]: "live" });
      expect(await counts(from, to)).toEqual([
        [0, 0, 1],
        [1, 5, 1],
      ]);

      const events = await eventsAfter(catalog, lastSequence, 2);
      const more = { reason: "moved", actor: STORE };
      expect(
        events.map(({ type, albumId, imageId, traceparent }) => ({ type, albumId, imageId, traceparent })),
      ).toEqual([
        { type: "imagestore.image.deleted", albumId: from.id, imageId: image.id, traceparent: "00-a-b-01" },
        { type: "imagestore.image.created", albumId: to.id, imageId: image.id, traceparent: "00-a-b-01" },
      ]);
      expect(events.map(dataOf)).toEqual([
        { ...before?.image, ...more, newAlbum: { id: to.id, name: "to" } },
        { ...value, ...more, previousAlbum: { id: from.id, name: "from" } },
      ] as never);
    });

    test("an image finds its place among others by name, and its tag and digest find it", async () => {
      const images = [];
      for (const [album, name] of [
        [to, "1"],
        [from, "2"],
        [to, "3"],
      ] as const)
        images.push(await createImage(catalog, album, name, { fields: FIELDS, blob: blobOf(name) }));
      await move("2", { target: { albumId: to.id, name: "4" } });
      expect(await listed(to)).toEqual(["1", "4", "3"]);
      expect(await listed(from)).toEqual([]);
      for (const filter of [{ tag: "sea" }, { contentType: "image/jpeg" }, { orderBy: "name" as const }]) {
        const query = { visibility: only(to), albumId: to.id, orderBy: "createdAt" as const, limit: 100, ...filter };
        expect(namesOf((await catalog.images(query)).items).toSorted()).toEqual(["1", "3", "4"]);
        expect((await catalog.images({ ...query, visibility: only(from), albumId: from.id })).items).toEqual([]);
      }
      const known = { visibility: only(to), sha256: [images[1]?.sha256 as string] };
      expect(await catalog.knownImages(known)).toMatchObject([{ name: "4", albumId: to.id }]);
      expect(await catalog.knownImages({ ...known, visibility: only(from) })).toEqual([]);
    });

    test("a name that is taken refuses the image, is replaced or left to both", async () => {
      const taken = await createImage(catalog, to, "i.x", { blob: blobOf("taken") });
      await createImage(catalog, to, "i (2).x");
      const image = await createImage(catalog, from, "i.x", { blob: blobOf("moved") });
      const refused = await expectCode(move("i.x"), "image_exists");
      expect(refused.errors).toMatchObject([{ name: "i.x", code: "image_exists" }]);

      expect((await move("i.x", { ifExists: "keep-both" })).value.name).toBe("i (3).x");
      await move("i (3).x", { albumId: to.id, target: { albumId: from.id, name: "i.x" } });

      const { lastSequence } = await loggedState(catalog);
      const { value } = await move("i.x", { ifExists: "replace" });
      expect(value).toMatchObject({ id: image.id, name: "i.x", album: "to" });
      const events = await eventsAfter(catalog, lastSequence, 3);
      expect(events.map(({ type, imageId }) => [type, imageId])).toEqual([
        ["imagestore.image.deleted", taken.id],
        ["imagestore.image.deleted", image.id],
        ["imagestore.image.created", image.id],
      ]);
      expect(dataOf(events[0])).toMatchObject({ reason: "user" });
      expect(await counts(from, to)).toEqual([
        [0, 0, 1],
        [2, 5 + "i (2).x".length, 1],
      ]);
      const states = Object.values(await blobStates(catalog)).toSorted();
      expect(states).toEqual(["condemned", "live", "live"]);
      expect(await catalog.miscounts()).toEqual([]);
    });

    test("within its album an image is renamed, with one event", async () => {
      const image = await createImage(catalog, from, "i");
      const taken = await createImage(catalog, from, "j");
      const { lastSequence } = await loggedState(catalog);
      expect((await move("i", { target: { albumId: from.id } })).value).toEqual(image);
      expect((await move("i", { target: { albumId: from.id, name: "i" }, ifExists: "keep-both" })).value).toEqual(
        image,
      );
      await expectCode(move("i", { target: { albumId: from.id, name: "j" } }), "image_exists");
      await move("i", { target: { albumId: from.id, name: "k" } });
      const [renamed] = await eventsAfter(catalog, lastSequence, 1);
      expect(renamed?.type).toBe("imagestore.image.updated");
      expect(dataOf(renamed)).toMatchObject({ name: "k", previousName: "i", reason: "user" });
      await move("k", { target: { albumId: from.id, name: "j" }, ifExists: "replace" });
      expect(await catalog.imageById(taken.id, "all")).toBeUndefined();
      expect(await counts(from)).toEqual([[1, image.size, 1]]);
      expect(await catalog.miscounts()).toEqual([]);
    });

    test("preconditions and idempotency keys hold, and a repetition is answered although the image is gone", async () => {
      const image = await createImage(catalog, from, "i");
      const stale = { ifMatch: [{ id: image.id, revision: 9 }] };
      await expectCode(move("i", { preconditions: stale }), "precondition_failed");
      const idempotency = { scope: "s", key: "k", fingerprint: "f" };
      const fresh = { preconditions: { ifMatch: [{ id: image.id, revision: 1 }] }, idempotency };
      const first = await move("i", fresh);
      expect(await move("i", fresh)).toEqual({ replayed: true, value: first.value });
      expect(await move("i", { ...fresh, albumId: null, target: { albumId: null } })).toEqual({
        replayed: true,
        value: first.value,
      });
      const other = { ...idempotency, fingerprint: "g" };
      await expectCode(move("i", { ...fresh, idempotency: other }), "idempotency_key_reused");
      await expectCode(move("i"), "image_not_found");
    });

    test("albums that are gone, hidden or out of reach by now are not found, and nothing changes", async () => {
      await createImage(catalog, from, "i");
      const { lastSequence } = await loggedState(catalog);
      const target = { albumId: to.id };
      const source = await expectCode(move("i", { by: by(only(to)) }), "album_not_found");
      const unreadable = await expectCode(move("i", { readable: NONE }), "album_not_found");
      expect(unreadable).toEqual(source);
      const hidden = await expectCode(move("i", { target: { ...target, addable: only(from) } }), "album_not_found");
      const absent = await expectCode(move("i", { target: { albumId: Bun.randomUUIDv7() } }), "album_not_found");
      expect([hidden.message, hidden.errors]).toEqual([absent.message, absent.errors]);
      await expectCode(move("i", { albumId: Bun.randomUUIDv7() }), "album_not_found");
      await expectCode(move("none"), "image_not_found");
      await createImage(catalog, to, "i");
      const replace = { ifExists: "replace", target: { ...target, replaceable: only(from) } } as const;
      expect((await expectCode(move("i", replace), "forbidden")).members).toEqual({ missing: ["delete"] });
      await eventsAfter(catalog, lastSequence, 1);
      expect(await listed(from)).toEqual(["i"]);

      await catalog.write({ type: "deleteAlbum", albumId: to.id, recursive: true, atOnce: 0 });
      await expectCode(move("i"), "album_not_found");
      await catalog.write({ type: "deleteAlbum", albumId: from.id, recursive: true, atOnce: 0 });
      await expectCode(move("i", { target: { albumId: from.id } }), "album_not_found");
    });

    test("the quota of the album that it enters refuses it; those of the store and its key count the same", async () => {
      await createKey(catalog, "k1");
      const requester: Requester = { ...by("all"), chargedTo: "k1" };
      const put = (album: Album, name: string, bytes: number) =>
        catalog.write({
          type: "putImages",
          albumId: album.id,
          mode: "create",
          images: [{ ...imageOf(name), blob: blobOf("x".repeat(bytes)) }],
          by: requester,
        });
      await put(from, "i", 60);
      await put(to, "j", 50);
      await put(to, "i", 10);
      const limits = { maxBytes: 100, maxImages: null };
      for (const scope of [`albums/${to.id}`, `albums/${from.id}`] as const)
        await catalog.write({ type: "setQuota", scope, limits });
      for (const scope of ["store", "keys/k1"] as const)
        await catalog.write({ type: "setQuota", scope, limits: { maxBytes: 120, maxImages: 3 } });

      const refused = await expectCode(move("i", { ifExists: "keep-both" }), "quota_exceeded");
      expect(refused.members).toEqual({ scope: `albums/${to.id}`, unit: "bytes", limit: 100, used: 60 });
      expect(await listed(from)).toEqual(["i"]);
      await expectCode(move("i", { ifExists: "replace" }), "quota_exceeded");
      await catalog.write({ type: "setQuota", scope: `albums/${to.id}`, limits: { maxBytes: 110, maxImages: 2 } });
      await move("i", { ifExists: "replace" });
      const used = async (...scopes: readonly ("store" | `keys/${string}` | `albums/${string}`)[]) =>
        (await catalog.quotas(scopes)).map((quota) => quota.used);
      const both = { images: 2, bytes: 110 };
      expect(await used("store", "keys/k1", `albums/${to.id}`)).toEqual([both, both, both]);
      expect(await used(`albums/${from.id}`)).toEqual([{ images: 0, bytes: 0 }]);
      expect(await catalog.miscounts()).toEqual([]);
    });

    test("moves there and back at once leave each image in one album", async () => {
      for (let index = 0; index < 8; index++) await createImage(catalog, index % 2 === 0 ? from : to, `i${index}`);
      const changes = Array.from({ length: 64 }, (_, index) => {
        const [source, target] = index % 3 === 0 ? [to, from] : [from, to];
        return moving(`i${index % 8}`, { albumId: source.id, target: { albumId: target.id } });
      });
      for (const outcome of await Promise.allSettled(changes.map((change) => catalog.write(change))))
        if (outcome.status === "rejected") expect(outcome.reason).toMatchObject({ code: "image_not_found" });
      expect([...(await listed(from)), ...(await listed(to))].toSorted()).toEqual(
        Array.from({ length: 8 }, (_, index) => `i${index}`),
      );
      expect(await catalog.miscounts()).toEqual([]);
    });
  });
}

const imageOf = (name: string) => ({ id: Bun.randomUUIDv7(), name, info: JPEG });
