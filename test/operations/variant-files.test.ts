import { afterEach, beforeEach, expect, test } from "bun:test";
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDiskBlobs } from "../../src/adapters/blobs/disk.ts";
import { openOriginalsCache } from "../../src/adapters/blobs/originals-cache.ts";
import { openVariantCache } from "../../src/adapters/variants/variant-cache.ts";
import { createSingleFlight } from "../../src/concurrency/single-flight.ts";
import { LOCAL } from "../../src/domain/caller.ts";
import { StoreError } from "../../src/domain/errors.ts";
import type { StoredContent } from "../../src/domain/image.ts";
import { parseVariantQuery } from "../../src/domain/variant-query.ts";
import { createVariantResolver } from "../../src/operations/variant-resolver.ts";
import { getVariant } from "../../src/operations/variants.ts";
import type { Catalog, Renderer, Variant } from "../../src/ports.ts";
import { patterned, putBlob } from "../blobs.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { until } from "../waiting.ts";

const SIZE = 2 * 1024 * 1024;
const CACHE = { maxBytes: 2 ** 30, minFree: 0, memoryBytes: 0 };
let folder: string;
let opening: AsyncDisposableStack;
beforeEach(async () => {
  folder = await newFolder("variant-files");
  opening = new AsyncDisposableStack();
});
afterEach(async () => {
  await opening.disposeAsync();
  await removeFolder(folder);
});

/** An image whose original is in a cache of originals, and its variants in a cache of variants. */
async function openStore() {
  const disk = { folder: join(folder, "blobs"), minFree: 0, recover: true, smallBytes: 0 };
  const behind = opening.use(await openDiskBlobs(disk));
  const blobs = opening.use(await openOriginalsCache(behind, { ...CACHE, folder: join(folder, "originals") }));
  const variantCache = opening.use(await openVariantCache({ ...CACHE, folder: join(folder, "variants") }));
  const { location, key } = await putBlob(behind, patterned(SIZE));
  const stored: StoredContent = {
    image: {
      id: "1",
      name: "a.png",
      contentType: "image/png",
      width: 4000,
      height: 3000,
      frames: 1,
      hasAlpha: false,
      orientation: 1,
      size: SIZE,
      sha256: key.slice(0, 64),
      albumId: "album",
      focalPoint: null,
    },
    modifiedAt: 0,
    location,
    isPublic: false,
  };
  const catalog = { content: async () => stored, album: async () => ({ id: "1" }), contentById: async () => stored };
  const { spec, ...query } = parseVariantQuery({ w: "320" }, new Map());
  if (spec === undefined) throw new Error("That is the original.");
  return (render: Renderer["render"], signal: AbortSignal) =>
    getVariant(
      {
        catalog: catalog as unknown as Catalog,
        blobs,
        renderer: { version: "7", render },
        variantCache,
        variantFlights: createSingleFlight<Variant>(),
        variantResolver: createVariantResolver(new Map(), "7"),
        presets: new Map(),
      },
      { ...query, spec, of: { caller: LOCAL, album: "a", name: "a.png", need: "read" }, accepted: [], signal },
    );
}

/** Files that the caches have open on the disk: originals that are being rendered, and drafts. */
const temporaryFiles = async () =>
  (await Promise.all(["originals", "variants"].map((cache) => readdir(join(folder, cache, "tmp"))))).flat();

test("a render has the original and its draft in temporary folders, and a failure removes both", async () => {
  const get = await openStore();
  let during: readonly string[] = [];
  const failed = get(async (_source, _plan, target) => {
    await writeFile(target, "half a picture");
    during = await temporaryFiles();
    throw new StoreError("busy", "Too much waits.");
  }, new AbortController().signal);
  expect(await failed.catch((error: StoreError) => error.code)).toBe("busy");
  expect(during).toHaveLength(2);
  expect(await temporaryFiles()).toEqual([]);
});

test("a client that disconnects during the render leaves no temporary file", async () => {
  const get = await openStore();
  const leaving = new AbortController();
  const left = get(async (_source, _plan, target, signal) => {
    await writeFile(target, "half a picture");
    leaving.abort(new Error("gone"));
    return signal.throwIfAborted() as never;
  }, leaving.signal);
  expect(await left.catch((error: Error) => error.message)).toBe("gone");
  await until(async () => (await temporaryFiles()).length === 0);
});
