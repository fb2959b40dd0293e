import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { Catalog, FilesQuery } from "../../src/ports.ts";
import {
  blobOf,
  createAlbum,
  createImage,
  imageNamed,
  JPEG,
  loggedState,
  type OpenCatalog,
  put,
} from "../catalog-changes.ts";

export function filesContract(open: OpenCatalog): void {
  let catalog: Catalog;
  let album: Album;
  beforeEach(async () => {
    catalog = await open();
    album = await createAlbum(catalog, "a");
  });
  afterEach(() => catalog[Symbol.asyncDispose]());

  const files = (query: Partial<FilesQuery> = {}) =>
    catalog.imageFiles({ albumId: album.id, createdUntil: Number.MAX_SAFE_INTEGER, after: "", limit: 100, ...query });
  const checksums = async () => (await files()).map(({ crc32 }) => crc32);
  const names = async (query?: Partial<FilesQuery>) => (await files(query)).map(({ name }) => name);

  describe("image files", () => {
    test("come in the order of the bytes of their names, page by page, of one live album", async () => {
      const other = await createAlbum(catalog, "b");
      for (const name of ["ä.jpg", "b.jpg", "B.jpg", "a.jpg", "😀.jpg", "～.jpg"])
        await createImage(catalog, album, name);
      await createImage(catalog, other, "other.jpg");
      const inOrder = ["B.jpg", "a.jpg", "b.jpg", "ä.jpg", "～.jpg", "😀.jpg"];
      expect(await names()).toEqual(inOrder);
      expect(await names({ after: "a.jpg", limit: 2 })).toEqual(["b.jpg", "ä.jpg"]);
      expect(await names({ after: "😀.jpg" })).toEqual([]);
      await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true, atOnce: 1 });
      expect(await names()).toEqual([]);
    });

    test("say what the record says, and where the bytes are", async () => {
      const blob = { ...blobOf("lake"), crc32: 0xffff_ffff };
      const image = await createImage(catalog, album, "lake", { blob, info: { ...JPEG, contentType: "image/png" } });
      const { id, name, size, sha256, createdAt } = image;
      const { key: blobKey, location, crc32 } = blob;
      const file = { id, name, contentType: "image/png", size, sha256, createdAt: Date.parse(createdAt) };
      expect(await files()).toEqual([{ ...file, blobKey, location, crc32 }] as never);
    });

    test("leave out images that are newer than a time", async () => {
      expect(await catalog.newestImageAt(album.id)).toBe(0);
      const first = Date.parse((await createImage(catalog, album, "z")).createdAt);
      expect(await catalog.newestImageAt(album.id)).toBe(first);
      while (Date.parse((await createImage(catalog, album, crypto.randomUUID())).createdAt) <= first + 1)
        await Bun.sleep(1);
      expect(await names({ createdUntil: first })).toContain("z");
      expect((await names({ createdUntil: first })).length).toBeLessThan((await names()).length);
      expect(await names({ createdUntil: first - 1 })).toEqual([]);
      expect(await catalog.newestImageAt(album.id)).toBeGreaterThan(first);
    });

    test("get the checksum that is recorded later, and keep the one that they have", async () => {
      const known = { ...blobOf("known"), crc32: 7 };
      const unknown = blobOf("unknown");
      await put(catalog, album, [imageNamed("known", { blob: known }), imageNamed("unknown", { blob: unknown })]);
      expect(await checksums()).toEqual([7, null]);
      const blobs = [known, unknown, blobOf("gone")].map(({ key }) => ({ key, crc32: 9 }));
      const before = await loggedState(catalog);
      expect(await catalog.write({ type: "recordChecksums", blobs })).toEqual({ recorded: 1 });
      expect(await checksums()).toEqual([7, 9]);
      expect(await loggedState(catalog)).toEqual(before);
    });

    test("get another checksum in place of a wrong one, unless it was replaced before", async () => {
      const blob = { ...blobOf("wrong"), crc32: 7 };
      await put(catalog, album, [imageNamed("wrong", { blob })]);
      const replace = (was: number, crc32: number) =>
        catalog.write({ type: "recordChecksums", blobs: [{ key: blob.key, crc32, was }] });
      expect(await replace(6, 8)).toEqual({ recorded: 0 });
      expect(await checksums()).toEqual([7]);
      expect(await replace(7, 8)).toEqual({ recorded: 1 });
      expect(await checksums()).toEqual([8]);
    });

    test("of bytes that were reserved first have their checksum too", async () => {
      const blob = { ...blobOf("reserved"), crc32: 3 };
      await catalog.write({ type: "reserveBlobs", blobs: [blob] });
      await put(catalog, album, [imageNamed("reserved", { blob: { ...blob, reserved: true } })]);
      expect(await checksums()).toEqual([3]);
    });
  });
}
