import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import type { Album } from "../../src/domain/album.ts";
import type { Catalog } from "../../src/ports.ts";
import { purgeOriginals, runOriginalsPurge } from "../../src/workers/purge-originals.ts";
import { openCatalog } from "../adapters/catalog/open-sqlite.ts";
import { blobOf, createAlbum, imageNamed, put } from "../catalog-changes.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";

let folder: string;
let catalog: Catalog;
let album: Album;
beforeEach(async () => {
  folder = await newFolder("purge-originals");
  const path = join(folder, "catalog.sqlite");
  catalog = await openCatalog(path, { exclusive: false });
  album = await createAlbum(catalog, "album");
});
afterEach(async () => {
  await catalog[Symbol.asyncDispose]();
  await removeFolder(folder);
});

function cacheOf(keys: readonly string[]) {
  const kept = new Set(keys);
  return {
    kept,
    cachedKeys: () => [...kept],
    async forget(gone: readonly string[]) {
      for (const key of gone) kept.delete(key);
    },
  };
}

async function storedImages(count: number): Promise<readonly string[]> {
  const images = Array.from({ length: count }, (_, index) => imageNamed(`i${index}`));
  await put(catalog, album, images);
  return images.map(({ blob }) => blob.key);
}

test("the originals cache drops deleted, replaced and unrecorded blobs and keeps those of images", async () => {
  const [deleted = "", replaced = "", kept = ""] = await storedImages(3);
  const reserved = blobOf("reserved");
  await catalog.write({ type: "reserveBlobs", blobs: [reserved] });
  const originals = cacheOf([deleted, replaced, kept, reserved.key, blobOf("stray").key]);
  await catalog.write({ type: "deleteImage", albumId: album.id, name: "i0" });
  await put(catalog, album, [imageNamed("i1", { blob: blobOf("new") })], { mode: "put" });
  await purgeOriginals({ catalog, originals });
  expect([...originals.kept]).toEqual([kept]);
});

test("the originals cache is checked at any size", async () => {
  const keys = await storedImages(1200);
  const strays = Array.from({ length: 1300 }, () => blobOf("stray").key);
  const originals = cacheOf([...strays, ...keys]);
  await purgeOriginals({ catalog, originals });
  expect([...originals.kept]).toEqual([...keys]);
});

test("the originals cache is checked repeatedly, also after a failure", async () => {
  const [key = ""] = await storedImages(1);
  const originals = cacheOf([key]);
  const failures: unknown[] = [];
  let isAway = true;
  const broken: Pick<Catalog, "liveBlobs"> = {
    liveBlobs: (keys) => (isAway ? Promise.reject(new Error("away")) : catalog.liveBlobs(keys)),
  };
  const stopping = new AbortController();
  const onFailure = (error: unknown) => void failures.push(error);
  const running = runOriginalsPurge({ catalog: broken, originals }, { grace: 0, onFailure }, stopping.signal);
  while (failures.length === 0) await Bun.sleep(1);
  expect(originals.kept.size).toBe(1);
  isAway = false;
  await catalog.write({ type: "deleteImage", albumId: album.id, name: "i0" });
  while (originals.kept.size > 0) await Bun.sleep(1);
  stopping.abort();
  await running;
});

test("the check of the originals cache stops between two steps", async () => {
  const originals = cacheOf([blobOf("stray").key]);
  await purgeOriginals({ catalog, originals }, AbortSignal.abort());
  expect(originals.kept.size).toBe(1);
});
