import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openVariantCache } from "../../src/adapters/variants/variant-cache.ts";
import type { Album } from "../../src/domain/album.ts";
import { StoreError } from "../../src/domain/errors.ts";
import type { Catalog, VariantCache } from "../../src/ports.ts";
import { purgeOnce, runVariantPurge } from "../../src/workers/purge-variants.ts";
import { openCatalog } from "../adapters/catalog/open-sqlite.ts";
import { making, storeVariant } from "../adapters/variants/stored-variants.ts";
import { patterned } from "../blobs.ts";
import { blobOf, createAlbum, createImage, describeImage, imageNamed, put, replaceWith } from "../catalog-changes.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";

let folder: string;
let catalog: Catalog;
let cache: VariantCache;
let album: Album;

beforeEach(async () => {
  folder = await newFolder("purge");
  const path = join(folder, "catalog.sqlite");
  catalog = await openCatalog(path, { exclusive: false });
  cache = await openVariantCache({ folder: join(folder, "variants"), maxBytes: 2 ** 30, minFree: 0 });
  album = await createAlbum(catalog, "album");
});
afterEach(async () => {
  await cache[Symbol.asyncDispose]();
  await catalog[Symbol.asyncDispose]();
  await removeFolder(folder);
});

/** Makes a variant of it, under the image's name and what the key says more. */
const render = ({ id, sha256, name }: { id: string; sha256: string; name: string }, more = "") =>
  storeVariant(cache, `${name}${more}`, { imageId: id, sha256 }, making(patterned(100)));

const isKept = (...keys: readonly string[]) => keys.map((key) => cache.find(key) !== undefined);

const deleteImage = (name: string) => catalog.write({ type: "deleteImage", albumId: album.id, name });

async function catchUp(ports = { catalog, cache }): Promise<void> {
  while (!(await purgeOnce(ports)).atEnd);
}

const until = async (condition: () => boolean): Promise<void> => {
  while (!condition()) await Bun.sleep(1);
};

async function deleteUntilPurged(name: string): Promise<void> {
  await deleteImage(name);
  await until(() => !isKept(name)[0]);
}

/** Runs the worker until `use` is done, and answers what it told. */
async function withWorker(
  use: () => Promise<unknown>,
  {
    ports = { catalog, cache },
    ...intervals
  }: Partial<Parameters<typeof runVariantPurge>[1]> & { ports?: Parameters<typeof runVariantPurge>[0] } = {},
): Promise<unknown[]> {
  const stop = new AbortController();
  const failures: unknown[] = [];
  const quick = { pollInterval: 20, restInterval: 1, minBackoff: 1, maxBackoff: 5 };
  const onFailure = (failure: unknown) => failures.push(failure);
  const running = runVariantPurge(ports, { ...quick, ...intervals, onFailure }, stop.signal);
  try {
    await use();
  } finally {
    stop.abort();
    await running;
  }
  return failures;
}

describe("purging variants removes", () => {
  test("those of deleted images, deleted one by one or with their album", async () => {
    await catchUp();
    const other = await createAlbum(catalog, "other");
    const [first, second, third] = [
      await createImage(catalog, album, "first"),
      await createImage(catalog, album, "second"),
      await createImage(catalog, other, "third"),
    ];
    for (const image of [first, second, third]) await render(image);
    await deleteImage("first");
    await catchUp();
    expect(isKept("first", "second", "third")).toEqual([false, true, true]);
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true });
    await catchUp();
    expect(isKept("first", "second", "third")).toEqual([false, false, true]);
  });

  test("those of replaced bytes and not those of the new ones", async () => {
    await catchUp();
    const image = await createImage(catalog, album, "image");
    await render(image, " old");
    const { image: replaced } = await replaceWith(catalog, album, imageNamed("image", { blob: blobOf("other") }));
    await render(replaced, " new");
    await catchUp();
    expect(isKept("image old", "image new")).toEqual([false, true]);
  });

  test("nothing when an image moves to another album, and all when it is deleted there", async () => {
    const image = await createImage(catalog, album, "i");
    const other = await createAlbum(catalog, "other");
    await catchUp();
    await render(image);
    const target = { albumId: other.id };
    await catalog.write({ type: "moveImage", albumId: album.id, name: "i", target, ifExists: "fail" });
    await catchUp();
    expect(isKept("i")).toEqual([true]);
    await catalog.write({ type: "deleteImage", albumId: other.id, name: "i" });
    await catchUp();
    expect(isKept("i")).toEqual([false]);
  });

  test("nothing when an image gets another name, other fields or a description", async () => {
    await catchUp();
    const blob = blobOf("image");
    const image = await createImage(catalog, album, "image", { blob });
    await render(image);
    await catalog.write({ type: "updateImage", albumId: album.id, name: "image", patch: { name: "renamed" } });
    await catalog.write({ type: "updateImage", albumId: album.id, name: "renamed", patch: { title: "Dusk" } });
    await describeImage(catalog, image.id, blob.key);
    await catchUp();
    expect(isKept("image")).toEqual([true]);
    expect(cache.position()?.seq).toBe((await catalog.log()).lastSequence);
  });
});

describe("when the log position of the variant cache", () => {
  test("is not there, all goes and it begins at the end of the log", async () => {
    await render(await createImage(catalog, album, "image"));
    await catchUp();
    expect(isKept("image")).toEqual([false]);
    const { epoch, lastSequence } = await catalog.log();
    expect(cache.position()).toEqual({ epoch, seq: lastSequence });
  });

  test.each([
    ["is beyond the log", { epoch: 1, seq: 1000 }],
    ["is of another epoch", { epoch: 7, seq: 1 }],
  ])("%s, all goes and it begins at the end of the log", async (_, position) => {
    await render(await createImage(catalog, album, "image"));
    cache.setPosition(position);
    await catchUp();
    expect(isKept("image")).toEqual([false]);
    const { epoch, lastSequence } = await catalog.log();
    expect(cache.position()).toEqual({ epoch, seq: lastSequence });
  });

  test("is before what is kept of the log, all goes and it begins at the end of the log", async () => {
    await catchUp();
    await render(await createImage(catalog, album, "image"));
    await catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 1000 });
    expect((await catalog.log()).prunedThrough).toBeGreaterThan(cache.position()?.seq ?? 0);
    await catchUp();
    expect(isKept("image")).toEqual([false]);
    expect(cache.position()?.seq).toBe((await catalog.log()).lastSequence);
  });

  test("is lost while images are deleted, none of their variants stays", async () => {
    const image = await createImage(catalog, album, "image");
    // Between the look at the log and the clearing.
    const clear = async () => {
      await render(image);
      await deleteImage("image");
      await cache.clear();
      await render(image, " late");
    };
    await catchUp({ catalog, cache: Object.assign(Object.create(cache) as VariantCache, { clear }) });
    expect(isKept("image", "image late")).toEqual([false, false]);
  });
});

describe("the purge worker", () => {
  test("is notified of a change before its poll", async () => {
    await catchUp();
    await render(await createImage(catalog, album, "image"));
    const failures = await withWorker(() => Bun.sleep(5).then(() => deleteUntilPurged("image")), {
      pollInterval: 3_600_000,
    });
    expect(failures).toEqual([]);
  });

  test("finds by its poll what it was not notified of", async () => {
    await catchUp();
    await render(await createImage(catalog, album, "image"));
    const silent = Object.assign(Object.create(catalog) as Catalog, { onEvents: () => () => {} });
    expect(await withWorker(() => deleteUntilPurged("image"), { ports: { catalog: silent, cache } })).toEqual([]);
  });

  test("processes more events than one read returns", async () => {
    await catchUp();
    await put(
      catalog,
      album,
      Array.from({ length: 1200 }, (_, index) => imageNamed(`image ${index}`)),
    );
    await catalog.write({ type: "deleteAlbum", albumId: album.id, recursive: true });
    const { lastSequence } = await catalog.log();
    await withWorker(() => until(() => cache.position()?.seq === lastSequence));
  });

  test("logs a failure and retries", async () => {
    await catchUp();
    await render(await createImage(catalog, album, "image"));
    await deleteImage("image");
    const failure = new StoreError("unavailable", "The disk does not answer.");
    let left = 3;
    const purge: VariantCache["purge"] = async (...image) => {
      if (left-- > 0) throw failure;
      await cache.purge(...image);
    };
    const failing = Object.assign(Object.create(cache) as VariantCache, { purge });
    const failures = await withWorker(() => until(() => !isKept("image")[0]), { ports: { catalog, cache: failing } });
    expect(failures).toEqual([failure, failure, failure]);
  });

  test("stops when aborted during any of its waits", async () => {
    await withWorker(() => Bun.sleep(5), { pollInterval: 3_600_000 });
    await withWorker(() => Bun.sleep(5), { restInterval: 3_600_000 });
    let asked = 0;
    const failing = Object.assign(Object.create(catalog) as Catalog, {
      events: () => {
        asked++;
        return Promise.reject(new StoreError("busy", "Try again."));
      },
    });
    const failures = await withWorker(() => until(() => asked > 0), {
      ports: { catalog: failing, cache },
      minBackoff: 3_600_000,
      maxBackoff: 3_600_000,
    });
    expect(failures).toHaveLength(1);
  });
});
