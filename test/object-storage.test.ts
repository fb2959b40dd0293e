import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BUCKET, useMemoryS3 } from "./adapters/blobs/memory-s3.ts";
import { runCli } from "./cli/run-cli.ts";
import { startStore, type TestStore } from "./http/harness.ts";
import { imagePath, newAlbum, newImage, newPng, putContent, sha256 } from "./http/image-fixtures.ts";
import { newFolder, removeFolder } from "./temporary-folder.ts";

// The whole store over an S3 of this process, which fails as it is told. SQLite is its catalog.

const memory = useMemoryS3();

const settings = () => ({
  CATALOG_URL: "",
  BLOBS_URL: `s3://${BUCKET}/images?endpoint=${encodeURIComponent(memory.s3.endpoint)}&forcePathStyle=true`,
});
const start = (env: Readonly<Record<string, string>> = {}) => startStore({ ...settings(), ...env });

const cachedFiles = async (dataFolder: string) =>
  (await readdir(join(dataFolder, "originals", "files"), { recursive: true })).filter((name) => name.length > 64);
const until = async (condition: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await condition())) await Bun.sleep(5);
};
const statesOf = async (store: TestStore): Promise<readonly string[]> => {
  await using catalog = await store.openCatalog();
  return (await catalog.blobs({ limit: 100 })).map(({ state }) => state);
};
const check = (store: TestStore) => {
  const env = Object.entries(settings()).map(([name, value]) => [`IMAGE_STORE_${name}`, value]);
  return runCli(["check"], store.dataFolder, {
    env: { IMAGE_STORE_DATA: store.dataFolder, ...Object.fromEntries(env) },
  });
};
/** But for the store's id. */
const storedKeys = () => [...memory.s3.objects.keys()].filter((key) => !key.endsWith("/store-id"));
const gets = () => memory.s3.requests.filter((line) => line.startsWith("GET images/") && !line.endsWith("/store-id"));
const isPut = ({ method }: { method: string }) => method === "PUT";

describe("images in an object store", () => {
  test("are returned whole and in parts, and from the local cache the second time", async () => {
    await using store = await start();
    const album = await newAlbum(store);
    for (const size of [100, 1_500_000]) {
      const bytes = newPng(size);
      await newImage(store, album, `${size}`, bytes);
      const path = `${imagePath(album, `${size}`)}/content`;
      const asked = () => gets().length;
      const before = asked();
      for (let time = 0; time < 3; time++) {
        const response = await store.fetch(path);
        expect(response.headers.get("content-length")).toBe(String(bytes.byteLength));
        expect(sha256(await response.bytes())).toBe(sha256(bytes));
        const part = await store.fetch(path, { headers: { Range: "bytes=10-19" } });
        expect(part.status).toBe(206);
        expect(await part.bytes()).toEqual(new Uint8Array(bytes.subarray(10, 20)));
      }
      expect(asked()).toBe(before + 1);
    }
    expect((await store.fetch("/readyz")).status).toBe(200);
    expect(await (await store.fetch("/metrics")).text()).toContain("\nimage_store_originals_cache_entries 2\n");
  });

  test("are returned without a cache", async () => {
    await using store = await start({ ORIGINALS_CACHE: "0" });
    const album = await newAlbum(store);
    const bytes = newPng(1_500_000);
    await newImage(store, album, "i", bytes);
    for (let time = 0; time < 2; time++)
      expect(sha256(await (await store.fetch(`${imagePath(album, "i")}/content`)).bytes())).toBe(sha256(bytes));
    expect(gets()).toHaveLength(2);
    expect((await store.fetch(`${imagePath(album, "i")}/content?w=240&format=webp`)).status).toBe(200);
  });

  test("are removed from the object store and the cache after the grace period", async () => {
    await using stack = new AsyncDisposableStack();
    const folder = stack.adopt(await newFolder("swept"), removeFolder);
    let album: string;
    {
      // A busy machine may need longer than the grace below for an upload.
      await using uploading = await start({ DATA: folder });
      album = await newAlbum(uploading);
      for (const name of ["gone", "kept"]) await newImage(uploading, album, name);
    }
    await using store = await start({ DATA: folder, GRACE: "1s" });
    for (const name of ["gone", "kept"]) await (await store.fetch(`${imagePath(album, name)}/content`)).bytes();
    expect(await cachedFiles(folder)).toHaveLength(2);
    expect((await store.fetch(imagePath(album, "gone"), { method: "DELETE" })).status).toBe(204);
    await until(() => storedKeys().length === 1);
    await until(async () => (await cachedFiles(folder)).length === 1);
    await until(async () => (await statesOf(store)).join() === "live");
    expect((await store.fetch(`${imagePath(album, "kept")}/content`)).status).toBe(200);
  });
});

describe("a failing object store", () => {
  test("is 503 with Retry-After, and nothing is stored or lost", async () => {
    await using store = await start();
    const album = await newAlbum(store);
    const bytes = newPng();
    await newImage(store, album, "there", bytes);
    memory.s3.onRequest = () => ({ status: 403, code: "AccessDenied" });
    const refused = await putContent(store, album, "new", newPng());
    expect(refused.status).toBe(503);
    expect(refused.headers.get("retry-after")).toBe("1");
    expect((await store.fetch(`${imagePath(album, "there")}/content`)).status).toBe(503);
    expect((await store.fetch("/readyz")).status).toBe(503);
    expect((await store.fetch(imagePath(album, "new"))).status).toBe(404);
    memory.s3.onRequest = () => undefined;
    expect((await putContent(store, album, "new", newPng())).status).toBe(201);
    expect(await (await store.fetch(`${imagePath(album, "there")}/content`)).bytes()).toEqual(new Uint8Array(bytes));
    // It may still tell what was true a second ago.
    while (!(await store.fetch("/readyz")).ok) await Bun.sleep(50);
  });

  test("that delays bytes past the grace period leaves no record, and late bytes are removed", async () => {
    await using store = await start({ GRACE: "1s", TOMBSTONE: "3s" });
    const album = await newAlbum(store);
    const held = Promise.withResolvers<void>();
    let arrived = false;
    memory.s3.onRequest = async (request) => {
      if (isPut(request)) {
        await held.promise;
        arrived = true;
      }
      return undefined;
    };
    expect((await putContent(store, album, "late", newPng())).status).toBe(503);
    const removals = () => memory.s3.requests.filter((line) => line.startsWith("DELETE")).length;
    await until(() => removals() > 0);
    expect(await statesOf(store)).toEqual(["deleting"]);
    held.resolve();
    await until(() => removals() > 1 && storedKeys().length === 0);
    expect(arrived).toBe(true);
    await until(async () => (await statesOf(store)).length === 0);
    expect((await store.fetch(imagePath(album, "late"))).status).toBe(404);
  });

  test("with a node suspended past the grace period stores nothing, and the node removes what it sent", async () => {
    await using store = await start({ TOMBSTONE: "1h" });
    const album = await newAlbum(store);
    memory.s3.onRequest = async ({ method }) => {
      // As another node would, when this one has slept through the grace after its bytes were sent.
      if (method === "HEAD") {
        await using catalog = await store.openCatalog();
        const begun = await catalog.write({ type: "beginBlobDeletion", grace: -60_000, limit: 10 });
        const keys = begun.map(({ key }) => key);
        await catalog.write({ type: "finishBlobDeletion", keys, tombstone: 3_600_000 });
      }
      return undefined;
    };
    const response = await putContent(store, album, "late", newPng());
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([503, "upload_expired"]);
    expect(storedKeys()).toEqual([]);
    expect(await statesOf(store)).toEqual(["deleting"]);
    expect((await store.fetch(imagePath(album, "late"))).status).toBe(404);
  });
});

describe("image-store check of an object store", () => {
  test("finds no problem in a healthy store with uploads in progress", async () => {
    await using store = await start();
    const album = await newAlbum(store);
    await newImage(store, album, "small");
    await newImage(store, album, "large", newPng(1_500_000));
    let lost = 0;
    memory.s3.onRequest = (request) =>
      isPut(request) && lost++ === 0 ? { status: 403, code: "AccessDenied" } : undefined;
    expect((await putContent(store, album, "pending", newPng())).status).toBe(503);
    memory.s3.onRequest = () => undefined;
    const { code, out } = await check(store);
    expect({ code, out }).toEqual({ code: 0, out: expect.stringContaining("Images: 2, damaged: 0.") });
    expect(out).toContain("Blobs without a record: 0, younger than the grace: 0.");
  });

  test("reports damaged, missing and unrecorded objects", async () => {
    await using store = await start();
    const album = await newAlbum(store);
    for (const name of ["changed", "missing", "sound"]) await newImage(store, album, name);
    const [changed = "", missing = "", sound = ""] = storedKeys();
    memory.s3.objects.set(changed, new Uint8Array(memory.s3.objects.get(changed)?.byteLength ?? 0));
    memory.s3.objects.delete(missing);
    memory.s3.objects.set(
      `images/${"a".repeat(64)}.${"b".repeat(16)}`,
      memory.s3.objects.get(sound) as Uint8Array<ArrayBuffer>,
    );
    const { code, out } = await check(store);
    expect(code).toBe(1);
    expect(out).toMatch(/^damaged: .*changed": its bytes have the digest/m);
    expect(out).toMatch(/^damaged: .*missing"/m);
    expect(out).toContain("Images: 3, damaged: 2. Blobs without a record: 0, younger than the grace: 1.");
  });

  test("fails when the object store is unavailable, and reports no damage", async () => {
    await using store = await start();
    await newImage(store, await newAlbum(store), "i");
    memory.s3.onRequest = () => ({ status: 403, code: "AccessDenied" });
    const { code, out } = await check(store);
    expect(code).not.toBe(0);
    expect(out).not.toContain("damaged");
    await using catalog = await store.openCatalog();
    expect(await catalog.write({ type: "beginBlobDeletion", grace: 0, limit: 1 })).toEqual([]);
  });
});
