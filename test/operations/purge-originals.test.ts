import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteCatalog } from "../../src/adapters/catalog/sqlite.ts";
import type { Album } from "../../src/domain/album.ts";
import type { Catalog } from "../../src/ports.ts";
import { purgeOriginals, runOriginalsPurge } from "../../src/workers/purge-originals.ts";
import { blobOf, createAlbum, imageNamed, put } from "../contracts/catalog-changes.ts";
import { failTest } from "../contracts/catalog-sqlite.ts";

let folder: string;
let catalog: Catalog;
let album: Album;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-store-purge-originals-"));
  const path = join(folder, "catalog.sqlite");
  catalog = await openSqliteCatalog({ path, exclusive: false, writer: "inline", onFatal: failTest });
  album = await createAlbum(catalog, "album");
});
afterEach(async () => {
  await catalog[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
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

test("what is deleted, replaced, never recorded or on its way leaves the cache, and what is an image's stays", async () => {
  const [deleted = "", replaced = "", kept = ""] = await storedImages(3);
  const reserved = blobOf("reserved");
  await catalog.write({ type: "reserveBlobs", blobs: [reserved] });
  const originals = cacheOf([deleted, replaced, kept, reserved.key, blobOf("stray").key]);
  await catalog.write({ type: "deleteImage", albumId: album.id, name: "i0" });
  await put(catalog, album, [imageNamed("i1", { blob: blobOf("new") })], { mode: "put" });
  await purgeOriginals({ catalog, originals });
  expect([...originals.kept]).toEqual([kept]);
});

test("looks at any number", async () => {
  const keys = await storedImages(1200);
  const strays = Array.from({ length: 1300 }, () => blobOf("stray").key);
  const originals = cacheOf([...strays, ...keys]);
  await purgeOriginals({ catalog, originals });
  expect([...originals.kept]).toEqual([...keys]);
});

test("goes on for as long as it is let, and after a failure", async () => {
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

test("stops between two looks", async () => {
  const originals = cacheOf([blobOf("stray").key]);
  await purgeOriginals({ catalog, originals }, AbortSignal.abort());
  expect(originals.kept.size).toBe(1);
});
