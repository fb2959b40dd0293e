import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { Description } from "../../src/domain/image.ts";
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
} from "./catalog-changes.ts";

const SOUND: Description = {
  placeholder: "1QcSHQRnh493V4dIh4eXh1h4kJUI",
  dominantColour: "#5a7d9a",
  exif: { camera: "X100 \u201cV\u201d", exposureTime: 0.004, takenAt: "2026-07-14T09:30:00+02:00" },
  sound: true,
  unsoundReason: null,
};
const BROKEN: Description = {
  placeholder: null,
  dominantColour: null,
  exif: null,
  sound: false,
  unsoundReason: "the file ends within the picture",
};

export function descriptionContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  let album: Album;
  beforeEach(async () => {
    catalog = await open();
    album = await createAlbum(catalog, "a");
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const describeImage = (imageId: string, blobKey: string, description = SOUND) =>
    catalog.write({ type: "describeImage", imageId, blobKey, description });
  const namesOfUndescribed = async (limit = 100, before?: string) =>
    (await catalog.undescribedImages(limit, before)).map(({ blobKey }) => blobKey);

  describe("a description", () => {
    test("fills in the record and tells of it, and moves neither revision nor times", async () => {
      const image = imageNamed("i");
      const [created] = await put(catalog, album, [image]);
      for (const [number, description] of [SOUND, BROKEN].entries()) {
        expect(await describeImage(image.id, image.blob.key, description)).toEqual({ applied: true });
        const described = { ...created?.image, described: true, ...description };
        expect((await catalog.imageById(image.id))?.image).toEqual(described as never);
        expect((await catalog.images({ orderBy: "name", limit: 9 })).items).toEqual([described] as never);
        const [event] = await eventsAfter(catalog, 2 + number, 1);
        expect(event).toMatchObject({
          type: "imagestore.image.updated",
          albumId: album.id,
          imageId: image.id,
          traceparent: null,
        });
        expect(dataOf(event)).toEqual({ ...described, reason: "described" } as never);
      }
      expect(await catalog.album("a")).toMatchObject({ imageCount: 1, revision: 1, updatedAt: album.updatedAt });
    });

    test("that is there already makes no event", async () => {
      const image = imageNamed("i");
      await put(catalog, album, [image]);
      for (let time = 0; time < 2; time++)
        expect(await describeImage(image.id, image.blob.key)).toEqual({ applied: true });
      await eventsAfter(catalog, 2, 1);
    });

    test("is of these bytes only: not of others, of none, or of an album that goes", async () => {
      const [first, gone, dying] = [imageNamed("i"), imageNamed("gone"), imageNamed("d")];
      await put(catalog, album, [first, gone]);
      const other = await createAlbum(catalog, "other");
      await put(catalog, other, [dying, imageNamed("e")]);
      await catalog.write({ type: "deleteImage", albumId: album.id, name: "gone" });
      await catalog.write({ type: "deleteAlbum", albumId: other.id, recursive: true, atOnce: 1 });
      const again = imageNamed("i", { blob: blobOf("i") });
      const { image } = await replaceWith(catalog, album, again);
      const { head } = await loggedState(catalog);
      for (const [id, key] of [
        [first.id, first.blob.key],
        [first.id, dying.blob.key],
        [gone.id, gone.blob.key],
        [dying.id, dying.blob.key],
        [Bun.randomUUIDv7(), again.blob.key],
      ] as const)
        expect(await describeImage(id, key)).toEqual({ applied: false });
      expect((await loggedState(catalog)).head).toBe(head);
      expect((await catalog.imageById(first.id))?.image).toEqual(image);
      expect(await describeImage(first.id, again.blob.key)).toEqual({ applied: true });
    });

    test("stays with equal bytes, and with what people write; goes with new bytes", async () => {
      const focalPoint = { x: 0.25, y: 1 };
      const image = imageNamed("i", {
        fields: { title: null, description: null, metadata: {}, tags: [], focalPoint },
      });
      await put(catalog, album, [image]);
      await describeImage(image.id, image.blob.key);
      const record = async () => (await catalog.imageById(image.id))?.image;

      const equal = imageNamed("i", { blob: blobOf("i") });
      await replaceWith(catalog, album, equal);
      await catalog.write({ type: "updateImage", albumId: album.id, name: "i", patch: { title: "T" } });
      expect(await record()).toMatchObject({ described: true, ...SOUND, title: "T", revision: 2, focalPoint });
      expect(await describeImage(image.id, image.blob.key, BROKEN)).toEqual({ applied: false });
      expect(await describeImage(image.id, equal.blob.key)).toEqual({ applied: true });

      const { image: replaced } = await replaceWith(catalog, album, imageNamed("i", { blob: blobOf("other") }));
      expect(replaced).toMatchObject({ ...UNDESCRIBED, revision: 3, focalPoint });
      expect(await record()).toEqual(replaced);
      const dated = { orderBy: "takenAt", takenAfter: 0, limit: 9 } as const;
      expect((await catalog.images(dated)).items).toEqual([]);
    });

    test("is missing of the newest first; what cannot be read can be passed over", async () => {
      const info = { ...JPEG, contentType: "image/gif", frames: 3, hasAlpha: true, orientation: 6 } as const;
      const images = Array.from({ length: 7 }, (_, index) => imageNamed(`i${index}`, { info }));
      await put(catalog, album, images.toReversed());
      const newest = images.toSorted((one, two) => (one.id > two.id ? -1 : 1));
      const keys = newest.map(({ blob }) => blob.key);
      expect(await catalog.undescribedImages(1)).toEqual([
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

  test("a focal point is set, kept, and taken away, as any field", async () => {
    const image = imageNamed("i");
    await put(catalog, album, [image]);
    const patched = async (patch: object) =>
      catalog.write({ type: "updateImage", albumId: album.id, name: "i", patch });
    for (const focalPoint of [{ x: 0, y: 0.1234 }, { x: 1, y: 1 }, null]) {
      const { revision } = await patched({ focalPoint });
      expect((await catalog.imageById(image.id))?.image.focalPoint).toEqual(focalPoint);
      expect((await patched({ focalPoint })).revision).toBe(revision);
      expect((await patched({ title: `${revision}` })).focalPoint).toEqual(focalPoint);
    }
  });

  test("the key of links is made once, whoever makes it", async () => {
    const offers = ["one", "two", "three"].map((id) => ({ type: "ensureLinkKey" as const, id, secret: `of ${id}` }));
    const kept = await Promise.all(offers.map((offer) => catalog.write(offer)));
    const later = await catalog.write({ type: "ensureLinkKey", id: "later", secret: "s" });
    expect(offers).toContainEqual({ type: "ensureLinkKey", ...later });
    expect(kept).toEqual(Array(3).fill(later));
  });

  test("an idempotency key has an answer in its own scope, once its change was kept", async () => {
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
