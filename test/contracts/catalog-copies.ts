import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { type Album, EMPTY_ALBUM_FIELDS } from "../../src/domain/album.ts";
import type { CopySource, ImageToPut, PutImages } from "../../src/domain/change.ts";
import type { Image } from "../../src/domain/image.ts";
import type { AlbumSet } from "../../src/domain/visibility.ts";
import {
  blobOf,
  blobStates,
  createAlbum,
  createImage,
  dataOf,
  describeImage,
  eventsAfter,
  imageNamed,
  loggedState,
  type OpenCatalog,
  type OpenedCatalog,
  put,
  replaceWith,
} from "../catalog-changes.ts";
import { expectCode } from "../errors.ts";

const NONE: AlbumSet = { ids: [], names: [], public: false };

export function copyContract(open: OpenCatalog): void {
  let catalog: OpenedCatalog;
  let from: Album;
  let to: Album;
  let original: Image;
  beforeEach(async () => {
    catalog = await open();
    from = await createAlbum(catalog, "from");
    to = await createAlbum(catalog, "to");
    original = await createImage(catalog, from, "i", { blob: blobOf("bytes") });
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const copyNamed = (name: string, more: Partial<CopySource> = {}, content = "bytes"): ImageToPut =>
    imageNamed(name, {
      blob: blobOf(content),
      copyOf: { imageId: original.id, readable: "all", isNamed: true, ...more },
    });
  const copy = async (name: string, more: Partial<CopySource> = {}, options: Partial<PutImages> = {}) => {
    const [put1] = await put(catalog, to, [copyNamed(name, more)], options);
    return put1?.image as Image;
  };
  const describeOriginal = async () => {
    const [{ blobKey } = { blobKey: "" }] = await catalog.undescribedImages({ limit: 1, order: "newest" });
    await describeImage(catalog, original.id, blobKey, { takenAt: "2020-01-01T00:00:00", artist: "A" });
  };

  describe("copies", () => {
    test("a copy has the description of its original, its own blob, and an event that names the original", async () => {
      await describeOriginal();
      const described = (await catalog.imageById(original.id, "all"))?.image;
      const { placeholder, exif } = described as Image;
      const { lastSequence } = await loggedState(catalog);
      const made = await copy("c");
      expect(made).toMatchObject({ described: true, placeholder, exif, revision: 1, sha256: original.sha256 });
      expect((await catalog.imageById(made.id, "all"))?.image).toEqual(made);
      expect(await catalog.undescribedImages({ limit: 9, order: "newest" })).toEqual([]);
      const [event] = await eventsAfter(catalog, lastSequence, 1);
      const copiedFrom = { id: original.id, name: "i", album: "from", albumId: from.id };
      expect(dataOf(event)).toMatchObject({ ...made, reason: "user", copiedFrom });
      expect(Object.values(await blobStates(catalog))).toEqual(["live", "live"]);
      const taken = { visibility: "all", orderBy: "takenAt", takenAfter: 0, limit: 9 } as const;
      expect((await catalog.images({ ...taken, albumId: to.id })).items).toHaveLength(1);
      expect(await catalog.miscounts()).toEqual([]);
    });

    test("the event of bytes that were found by their digest names no image", async () => {
      const { lastSequence } = await loggedState(catalog);
      await copy("c", { isNamed: false });
      const [event] = await eventsAfter(catalog, lastSequence, 1);
      expect(dataOf(event)).not.toHaveProperty("copiedFrom");
    });

    test("a copy that replaces other bytes has the description of its original too", async () => {
      await describeOriginal();
      const other = await createImage(catalog, to, "c");
      expect(await copy("c", {}, { mode: "put" })).toMatchObject({ id: other.id, described: true, revision: 2 });
      expect(await catalog.undescribedImages({ limit: 9, order: "newest" })).toEqual([]);
    });

    test("an original that is gone, has other bytes, or is out of reach is image_not_found, and nothing changes", async () => {
      const { lastSequence } = await loggedState(catalog);
      await expectCode(copy("c", { imageId: Bun.randomUUIDv7() }), "image_not_found");
      await expectCode(copy("c", { readable: NONE }), "image_not_found");
      await expectCode(copy("c", { readable: { ...NONE, public: true } }), "image_not_found");
      await expectCode(copy("c", { readable: { ...NONE, names: ["to"] } }), "image_not_found");
      const fields = { ...EMPTY_ALBUM_FIELDS, visibility: "public" } as const;
      await catalog.write({ type: "putAlbum", id: from.id, name: "from", fields });
      await copy("c", { readable: { ...NONE, public: true } });
      await replaceWith(catalog, from, imageNamed("i", { blob: blobOf("other") }));
      await expectCode(copy("d"), "image_not_found");
      await catalog.write({ type: "deleteAlbum", albumId: from.id, recursive: true, atOnce: 0 });
      await expectCode(copy("d"), "image_not_found");
      await eventsAfter(catalog, lastSequence, 3);
      expect(await catalog.miscounts()).toEqual([]);
    });
  });
}
