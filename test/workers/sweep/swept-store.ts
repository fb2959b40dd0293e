import { afterEach, beforeEach } from "bun:test";
import { join } from "node:path";
import { openDiskBlobs } from "../../../src/adapters/blobs/disk.ts";
import type { Album } from "../../../src/domain/album.ts";
import type { BlobStore, Catalog } from "../../../src/ports.ts";
import { openCatalog } from "../../adapters/catalog/open-sqlite.ts";
import { patterned, pieces, putBlob } from "../../blobs.ts";
import { createAlbum, imageNamed, put } from "../../catalog-changes.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";

export const HOUR = 3_600_000;

/** A catalog and its blobs for each test, with one album, to sweep. */
export function useSweptStore() {
  let folder: string;
  let catalog: Catalog;
  let blobs: BlobStore;
  let album: Album;
  let failures: unknown[];

  beforeEach(async () => {
    folder = await newFolder("sweep");
    catalog = await openCatalog(join(folder, "catalog.sqlite"));
    blobs = await openDiskBlobs({ folder: join(folder, "blobs"), minFree: 0, recover: true, smallBytes: 0 });
    album = await createAlbum(catalog, "a");
    failures = [];
  });
  afterEach(async () => {
    await blobs[Symbol.asyncDispose]();
    await catalog[Symbol.asyncDispose]();
    await removeFolder(folder);
  });

  const onFailure = (error: unknown) => void failures.push(error);
  /** With this grace period, everything before now is past it. */
  const over = { grace: -HOUR, onFailure };
  const running = { grace: HOUR, onFailure };

  async function storeImage(name: string): Promise<{ key: string; location: string }> {
    const staged = await blobs.stage(pieces(patterned(100), 100), { maxBytes: 100 });
    const { key, size, sha256 } = staged;
    const location = await blobs.commit(staged);
    await put(catalog, album, [imageNamed(name, { blob: { key, location, size, sha256 } })]);
    blobs.release([key]);
    return { key, location };
  }

  /** Bytes that no record has, as a crash before the change leaves them. */
  async function committed() {
    const { key, location } = await putBlob(blobs, patterned(100));
    return { key, location, size: 100, sha256: key.slice(0, 64) };
  }

  const deleteImage = (name: string) => catalog.write({ type: "deleteImage", albumId: album.id, name });
  const storedKeys = async () => (await Array.fromAsync(blobs.list())).map(({ key }) => key);
  const rows = async () =>
    Object.fromEntries((await catalog.blobs({ limit: 1000 })).map(({ key, state }) => [key, state]));
  const restart = async () => {
    await blobs[Symbol.asyncDispose]();
    blobs = await openDiskBlobs({ folder: join(folder, "blobs"), minFree: 0, recover: true });
  };

  return {
    folder: () => folder,
    catalog: () => catalog,
    blobs: () => blobs,
    album: () => album,
    failures: () => failures,
    over,
    running,
    onFailure,
    storeImage,
    deleteImage,
    committed,
    storedKeys,
    rows,
    restart,
  };
}
