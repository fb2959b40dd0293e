import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import { STORE } from "../../src/domain/event.ts";
import type { Description } from "../../src/domain/image.ts";
import type { UndescribedQuery } from "../../src/ports.ts";
import {
  blobOf,
  createAlbum,
  dataOf,
  eventsAfter,
  imageNamed,
  JPEG,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
  put,
  replaceWith,
  UNDESCRIBED,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const DECODABLE: Description = {
  placeholder: "1QcSHQRnh493V4dIh4eXh1h4kJUI",
  dominantColour: "#5a7d9a",
  exif: { camera: "X100 \u201cV\u201d", exposureTime: 0.004, takenAt: "2026-07-14T09:30:00+02:00" },
  decodable: true,
  decodeError: null,
};
const BROKEN: Description = {
  placeholder: null,
  dominantColour: null,
  exif: null,
  decodable: false,
  decodeError: "the file ends within the picture",
};

export function descriptionContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  let album: Album;
  beforeEach(async () => {
    catalog = await open();
    album = await createAlbum(catalog, "a");
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const describeImage = (imageId: string, blobKey: string, description = DECODABLE) =>
    catalog.write({ type: "describeImage", imageId, blobKey, description });
  const namesOfUndescribed = async (limit = 100, before?: string, more: Partial<UndescribedQuery> = {}) =>
    (await catalog.undescribedImages({ limit, order: "newest", before, ...more })).map(({ blobKey }) => blobKey);

  describe("records that are aligned", () => {
    test("have the given revision, times and description, and no event says so", async () => {
      const image = imageNamed("i");
      await put(catalog, album, [image]);
      const { lastSequence } = await loggedState(catalog);
      const version = { revision: 7, createdAt: "2020-01-01T00:00:00.001Z", updatedAt: "2020-01-02T00:00:00.002Z" };
      for (const description of [{ described: true, ...DECODABLE }, { described: true, ...BROKEN }, UNDESCRIBED]) {
        const aligned = { id: image.id, sha256: image.blob.sha256, ...version, ...description };
        expect(
          await catalog.write({ type: "alignRecords", albums: [{ id: album.id, ...version }], images: [aligned] }),
        ).toBeNull();
        expect((await catalog.imageById(image.id, "all"))?.image).toMatchObject(aligned);
      }
      expect(await catalog.album("a", "all")).toMatchObject({ id: album.id, ...version });
      expect((await loggedState(catalog)).lastSequence).toBe(lastSequence);
      const { items } = await catalog.images({ visibility: "all", orderBy: "takenAt", limit: 9 });
      expect(items).toHaveLength(1);
    });

    test("have no description of other bytes, and ids that are not there are passed over", async () => {
      const image = imageNamed("i");
      await put(catalog, album, [image]);
      const version = { revision: 2, createdAt: "2020-01-01T00:00:00.000Z", updatedAt: "2020-01-01T00:00:00.000Z" };
      const other = { id: image.id, sha256: "0".repeat(64), ...version, described: true, ...DECODABLE };
      const gone = { ...other, id: Bun.randomUUIDv7() };
      await catalog.write({ type: "alignRecords", albums: [{ ...version, id: gone.id }], images: [other, gone] });
      expect((await catalog.imageById(image.id, "all"))?.image).toMatchObject({ ...version, ...UNDESCRIBED });
      expect((await catalog.totals()).images).toBe(1);
    });
  });

  describe("an image description", () => {
    test("fills in the record and writes an event, and changes neither revision nor times", async () => {
      const image = imageNamed("i");
      const [created] = await put(catalog, album, [image]);
      for (const [number, description] of [DECODABLE, BROKEN].entries()) {
        expect(await describeImage(image.id, image.blob.key, description)).toEqual({ applied: true });
        const described = { ...created?.image, described: true, ...description };
        expect((await catalog.imageById(image.id, "all"))?.image).toEqual(described as never);
        expect((await catalog.images({ visibility: "all", orderBy: "name", limit: 9 })).items).toEqual([
          described,
        ] as never);
        const [event] = await eventsAfter(catalog, 2 + number, 1);
        expect(event).toMatchObject({
          type: "imagestore.image.updated",
          albumId: album.id,
          imageId: image.id,
          traceparent: null,
        });
        expect(dataOf(event)).toEqual({ ...described, reason: "described", actor: STORE } as never);
      }
      expect(await catalog.album("a", "all")).toMatchObject({ imageCount: 1, revision: 1, updatedAt: album.updatedAt });
    });

    test("can be forgotten, with an event, and is then missing again", async () => {
      const image = imageNamed("i");
      const [created] = await put(catalog, album, [image]);
      await describeImage(image.id, image.blob.key);
      const forget = (imageId: string) => catalog.write({ type: "forgetDescription", imageId });
      for (let time = 0; time < 2; time++) expect(await forget(image.id)).toEqual(created?.image as never);
      expect(await namesOfUndescribed()).toEqual([image.blob.key]);
      const [event] = await eventsAfter(catalog, 3, 1);
      expect(dataOf(event)).toEqual({ ...created?.image, reason: "user", actor: STORE } as never);
      await expectCode(forget(Bun.randomUUIDv7()), "image_not_found");
    });

    test("that exists already writes no event", async () => {
      const image = imageNamed("i");
      await put(catalog, album, [image]);
      for (let time = 0; time < 2; time++)
        expect(await describeImage(image.id, image.blob.key)).toEqual({ applied: true });
      await eventsAfter(catalog, 2, 1);
    });

    test("applies to its own bytes only, and not to an album that is being deleted", async () => {
      const [first, gone, dying] = [imageNamed("i"), imageNamed("gone"), imageNamed("d")];
      await put(catalog, album, [first, gone]);
      const other = await createAlbum(catalog, "other");
      await put(catalog, other, [dying, imageNamed("e")]);
      await catalog.write({ type: "deleteImage", albumId: album.id, name: "gone" });
      await catalog.write({ type: "deleteAlbum", albumId: other.id, recursive: true, atOnce: 1 });
      const again = imageNamed("i", { blob: blobOf("i") });
      const { image } = await replaceWith(catalog, album, again);
      const { lastSequence } = await loggedState(catalog);
      for (const [id, key] of [
        [first.id, first.blob.key],
        [first.id, dying.blob.key],
        [gone.id, gone.blob.key],
        [dying.id, dying.blob.key],
        [Bun.randomUUIDv7(), again.blob.key],
      ] as const)
        expect(await describeImage(id, key)).toEqual({ applied: false });
      expect((await loggedState(catalog)).lastSequence).toBe(lastSequence);
      expect((await catalog.imageById(first.id, "all"))?.image).toEqual(image);
      expect(await describeImage(first.id, again.blob.key)).toEqual({ applied: true });
    });

    test("is kept with equal bytes and by patches, and removed with new bytes", async () => {
      const focalPoint = { x: 0.25, y: 1 };
      const image = imageNamed("i", {
        fields: { title: null, description: null, metadata: {}, tags: [], focalPoint },
      });
      await put(catalog, album, [image]);
      await describeImage(image.id, image.blob.key);
      const record = async () => (await catalog.imageById(image.id, "all"))?.image;

      const equal = imageNamed("i", { blob: blobOf("i") });
      await replaceWith(catalog, album, equal);
      await catalog.write({ type: "updateImage", albumId: album.id, name: "i", patch: { title: "T" } });
      expect(await record()).toMatchObject({ described: true, ...DECODABLE, title: "T", revision: 2, focalPoint });
      expect(await describeImage(image.id, image.blob.key, BROKEN)).toEqual({ applied: false });
      expect(await describeImage(image.id, equal.blob.key)).toEqual({ applied: true });

      const { image: replaced } = await replaceWith(catalog, album, imageNamed("i", { blob: blobOf("other") }));
      expect(replaced).toMatchObject({ ...UNDESCRIBED, revision: 3, focalPoint });
      expect(await record()).toEqual(replaced);
      const dated = { visibility: "all", orderBy: "takenAt", takenAfter: 0, limit: 9 } as const;
      expect((await catalog.images(dated)).items).toEqual([]);
    });

    test("is listed as missing newest first, and unreadable images can be skipped", async () => {
      const info = { ...JPEG, contentType: "image/gif", frames: 3, hasAlpha: true, orientation: 6 } as const;
      const images = Array.from({ length: 7 }, (_, index) => imageNamed(`i${index}`, { info }));
      await put(catalog, album, images.toReversed());
      const newest = images.toSorted((one, two) => (one.id > two.id ? -1 : 1));
      const keys = newest.map(({ blob }) => blob.key);
      expect(await catalog.undescribedImages({ limit: 1, order: "newest" })).toEqual([
        {
          imageId: newest[0]?.id as string,
          blobKey: keys[0] as string,
          location: newest[0]?.blob.location as string,
          size: 2,
          info,
        },
      ]);
      expect(await namesOfUndescribed(3)).toEqual(keys.slice(0, 3));
      expect(await namesOfUndescribed(3, newest[1]?.id)).toEqual(keys.slice(2, 5));
      expect(await namesOfUndescribed(3, newest[6]?.id)).toEqual([]);
      expect(await namesOfUndescribed(3, undefined, { order: "oldest" })).toEqual(keys.toReversed().slice(0, 3));
      const between = { order: "oldest", after: newest[5]?.id } as const;
      expect(await namesOfUndescribed(9, newest[2]?.id, between)).toEqual([keys[4], keys[3]] as string[]);
      const shares = await Promise.all(
        ["0123", "4567", "89ab", "cdef"].map((digits) => namesOfUndescribed(9, undefined, { share: digits.split("") })),
      );
      expect(shares.flat().toSorted()).toEqual(keys.toSorted());
      expect(shares[0]).toEqual(
        newest.filter(({ id }) => "0123".includes(id.at(-1) ?? "-")).map(({ blob }) => blob.key),
      );
      const { images: waiting, oldestCreatedAt } = await catalog.describeBacklog();
      expect(waiting).toBe(7);
      expect(oldestCreatedAt).toBe(Number.parseInt((newest[6]?.id ?? "").replace("-", "").slice(0, 12), 16));

      await describeImage(newest[0]?.id as string, keys[0] as string);
      await describeImage(newest[2]?.id as string, keys[2] as string, BROKEN);
      await catalog.write({ type: "deleteImage", albumId: album.id, name: newest[1]?.name as string });
      const again = imageNamed(newest[4]?.name as string, { blob: blobOf("x") });
      await replaceWith(catalog, album, again);
      expect(await namesOfUndescribed()).toEqual([keys[3], again.blob.key, keys[5], keys[6]] as string[]);

      await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 1 });
      expect(await namesOfUndescribed()).toEqual([]);
    });
  });

  test("a focal point is set, kept and removed like any field", async () => {
    const image = imageNamed("i");
    await put(catalog, album, [image]);
    const patched = async (patch: object) =>
      catalog.write({ type: "updateImage", albumId: album.id, name: "i", patch });
    for (const focalPoint of [{ x: 0, y: 0.1234 }, { x: 1, y: 1 }, null]) {
      const { revision } = await patched({ focalPoint });
      expect((await catalog.imageById(image.id, "all"))?.image.focalPoint).toEqual(focalPoint);
      expect((await patched({ focalPoint })).revision).toBe(revision);
      expect((await patched({ title: `${revision}` })).focalPoint).toEqual(focalPoint);
    }
  });

  test("the link key is created once under concurrency", async () => {
    const offers = ["one", "two", "three"].map((id) => ({ type: "ensureLinkKey" as const, id, secret: `of ${id}` }));
    const kept = await Promise.all(offers.map((offer) => catalog.write(offer)));
    const later = await catalog.write({ type: "ensureLinkKey", id: "later", secret: "s" });
    expect(offers).toContainEqual({ type: "ensureLinkKey", ...later });
    expect(kept).toEqual(Array(3).fill(later));
  });

  test("an idempotency key has an answer in its own scope once its change is committed", async () => {
    const idempotency = { scope: "s", key: "k", fingerprint: "f" };
    const has = (key: { scope: string; key: string }) => catalog.hasAnswered(key);
    expect(await has(idempotency)).toBe(false);
    const change = { type: "putImages", mode: "create", images: [imageNamed("i")], idempotency } as const;
    await catalog.write({ ...change, albumId: null }).catch(() => undefined);
    expect(await has(idempotency)).toBe(false);
    const first = await catalog.write({ ...change, albumId: album.id });
    expect(await has(idempotency)).toBe(true);
    expect(await has({ ...idempotency, scope: "other" })).toBe(false);
    expect(await catalog.write({ ...change, albumId: null })).toEqual({ replayed: true, value: first.value });
  });
}
