import { describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { BUCKET, useMemoryS3 } from "../contracts/memory-s3.ts";
import { startStore, type TestStore } from "../http/harness.ts";
import { imagePath, newAlbum, newImage, newPng, putContent, sha256 } from "../http/image-fixtures.ts";
import { runCli } from "./run-cli.ts";

// The whole store over an S3 of this process, which fails as it is told. SQLite is its catalog.

const memory = useMemoryS3();

const settings = () => ({
  CATALOG_URL: "",
  BLOBS_URL: `s3://${BUCKET}/images?endpoint=${encodeURIComponent(memory.s3.endpoint)}&forcePathStyle=true`,
});
const start = (env: Readonly<Record<string, string>> = {}) => startStore({ ...settings(), ...env });

const cachedFiles = async (store: TestStore) =>
  (await readdir(join(store.dataFolder, "originals", "files"), { recursive: true })).filter((name) => name.length > 64);
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
const isPut = ({ method }: { method: string }) => method === "PUT";

describe("images in an object store", () => {
  test("are given back, whole and in parts, from this node when they are asked for again", async () => {
    await using store = await start();
    const album = await newAlbum(store);
    for (const size of [100, 1_500_000]) {
      const bytes = newPng(size);
      await newImage(store, album, `${size}`, bytes);
      const path = `${imagePath(album, `${size}`)}/content`;
      const asked = () => memory.s3.requests.filter((line) => line.startsWith("GET")).length;
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

  test("are given without a cache too", async () => {
    await using store = await start({ ORIGINALS_CACHE: "0" });
    const album = await newAlbum(store);
    const bytes = newPng(1_500_000);
    await newImage(store, album, "i", bytes);
    for (let time = 0; time < 2; time++)
      expect(sha256(await (await store.fetch(`${imagePath(album, "i")}/content`)).bytes())).toBe(sha256(bytes));
    expect(memory.s3.requests.filter((line) => line.startsWith("GET"))).toHaveLength(2);
    expect((await store.fetch(`${imagePath(album, "i")}/content?w=240&format=webp`)).status).toBe(200);
  });

  test("that are deleted leave the object store and this node within the grace", async () => {
    await using store = await start({ GRACE: "1s" });
    const album = await newAlbum(store);
    await newImage(store, album, "gone");
    await newImage(store, album, "kept");
    for (const name of ["gone", "kept"]) await (await store.fetch(`${imagePath(album, name)}/content`)).bytes();
    expect(await cachedFiles(store)).toHaveLength(2);
    expect((await store.fetch(imagePath(album, "gone"), { method: "DELETE" })).status).toBe(204);
    await until(() => memory.s3.objects.size === 1);
    await until(async () => (await cachedFiles(store)).length === 1);
    await until(async () => (await statesOf(store)).join() === "live");
    expect((await store.fetch(`${imagePath(album, "kept")}/content`)).status).toBe(200);
  });
});

describe("an object store that misbehaves", () => {
  test("is a 503 to try again, and nothing is stored or lost", async () => {
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
    expect((await store.fetch("/readyz")).status).toBe(200);
  });

  test("that holds bytes back past the grace is no record, and what comes late is removed", async () => {
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
    expect(await statesOf(store)).toEqual(["pending"]);
    const removals = () => memory.s3.requests.filter((line) => line.startsWith("DELETE")).length;
    await until(() => removals() === 1);
    expect(await statesOf(store)).toEqual(["deleting"]);
    held.resolve();
    await until(() => removals() > 1 && memory.s3.objects.size === 0);
    expect(arrived).toBe(true);
    await until(async () => (await statesOf(store)).length === 0);
    expect((await store.fetch(imagePath(album, "late"))).status).toBe(404);
  });

  test("and a node that sleeps past the grace stores nothing, and takes away what it sent", async () => {
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
    expect(memory.s3.objects.size).toBe(0);
    expect(await statesOf(store)).toEqual(["deleting"]);
    expect((await store.fetch(imagePath(album, "late"))).status).toBe(404);
  });
});

describe("image-store check of an object store", () => {
  test("finds it sound, what is on its way too", async () => {
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

  test("tells what is damaged, missing and nobody's", async () => {
    await using store = await start();
    const album = await newAlbum(store);
    for (const name of ["changed", "missing", "sound"]) await newImage(store, album, name);
    const [changed = "", missing = "", sound = ""] = [...memory.s3.objects.keys()];
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

  test("ends when the object store is away, and calls nothing damaged", async () => {
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
