import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { BUCKET, useMemoryS3 } from "../adapters/blobs/memory-s3.ts";
import { runCli } from "../cli/run-cli.ts";
import { startStore, type TestStore } from "../http/harness.ts";
import { imagePath, newAlbum, newImage, newPng, sha256 } from "../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";

// Bytes belong to the store whose catalog knows them, and no other ever touches them: not by a typo in a path, nor by
// another database, bucket or prefix.

/** Of stores that must sweep nothing. A busy machine may need longer for an upload, so stores that receive one have the default. */
const GRACE = "1s";
/** Longer than the grace and two sweeps. */
const SWEPT_MS = 2500;
/** Longer than a busy machine needs to refuse to start. */
const STARTED_MS = 60_000;

const memory = useMemoryS3();
let folder: string;
beforeEach(async () => {
  folder = await newFolder("own");
});
afterEach(() => removeFolder(folder));

const data = () => join(folder, "data");
const markerPath = () => join(data(), "blobs", "store-id");
const s3Url = (prefix: string, bucket = BUCKET) =>
  `s3://${bucket}/${prefix}?endpoint=${encodeURIComponent(memory.s3.endpoint)}&forcePathStyle=true`;

/** A small image in a segment, and one with a file of its own. */
async function fill(settings: Readonly<Record<string, string>> = {}) {
  await using store = await startStore({ DATA: data(), ...settings });
  const album = await newAlbum(store);
  const images = [newPng(200), newPng(1_500_000)];
  for (const [index, bytes] of images.entries()) await newImage(store, album, `i${index}`, bytes);
  return { album, images };
}

async function expectSound(
  { album, images }: Awaited<ReturnType<typeof fill>>,
  settings: Readonly<Record<string, string>> = {},
) {
  await using store = await startStore({ DATA: data(), GRACE, ...settings });
  for (const [index, bytes] of images.entries()) {
    const response = await store.fetch(`${imagePath(album, `i${index}`)}/content`);
    expect([response.status, sha256(await response.bytes())]).toEqual([200, sha256(bytes)]);
  }
}

/** A server that must not start; left to run for as long as a start and a sweep would take where it does. */
async function serve(settings: Readonly<Record<string, string>>) {
  const named = Object.entries({ DATA: data(), PORT: "0", MIN_FREE: "0", GRACE, LOG_LEVEL: "silent", ...settings });
  const env = Object.fromEntries(named.map(([name, value]) => [`IMAGE_STORE_${name}`, value]));
  return runCli(["serve"], data(), { env, onStop: stopAfter(STARTED_MS) });
}

const stopAfter = (ms: number) => (listener: () => void) => {
  const timer = setTimeout(listener, ms);
  return () => clearTimeout(timer);
};

const command = (argv: readonly string[], settings: Readonly<Record<string, string>> = {}) => {
  const named = Object.entries({ DATA: data(), MIN_FREE: "0", ...settings });
  return runCli(argv, data(), {
    env: Object.fromEntries(named.map(([name, value]) => [`IMAGE_STORE_${name}`, value])),
  });
};

/** However busy the machine is; the test's time limit ends it. */
async function untilMetric(store: TestStore, line: string): Promise<void> {
  const lines = async () => (await (await store.fetch("/metrics")).text()).split("\n");
  while (!(await lines()).includes(line)) await Bun.sleep(50);
}

const storeIdOf = async (settings: Readonly<Record<string, string>> = {}) => {
  await using store = await startStore({ DATA: data(), ...settings });
  await using catalog = await store.openCatalog();
  return catalog.storeId;
};

describe("a catalog beside the blobs of another store", () => {
  test("at a mistyped path is not created, exits with 2, and removes no blob", async () => {
    const filled = await fill();
    const typo = join(data(), "catalogue.sqlite");
    const { code, err } = await serve({ CATALOG_URL: `sqlite:${typo}` });
    expect(code).toBe(2);
    expect(err).toContain(typo);
    expect(err).toContain((await readFile(markerPath(), "utf8")).trim());
    expect(existsSync(typo)).toBe(false);
    await expectSound(filled);
  });

  test("exits with 2 and names both stores, for every command that opens both", async () => {
    const filled = await fill();
    const other = { CATALOG_URL: `sqlite:${join(folder, "other", "catalog.sqlite")}` };
    const otherId = await storeIdOf({ ...other, DATA: join(folder, "other") });
    const id = (await readFile(markerPath(), "utf8")).trim();
    for (const argv of [["check"], ["check", "--repair"], ["backup", join(folder, "backup")], ["epoch", "--renew"]]) {
      const { code, err } = await command(argv, other);
      expect({ argv, code }).toEqual({ argv, code: 2 });
      expect(err).toContain(id);
      expect(err).toContain(otherId);
    }
    const { code, err } = await serve(other);
    expect(code).toBe(2);
    expect(err).toContain(id);
    expect(err).toContain(otherId);
    await expectSound(filled);
  });

  test("is refused even when the blobs have no mark", async () => {
    const filled = await fill();
    await rm(markerPath());
    const { code, err } = await serve({ CATALOG_URL: `sqlite:${join(folder, "new", "catalog.sqlite")}` });
    expect(code).toBe(2);
    expect(err).toContain("knows none of them");
    await expectSound(filled);
  });

  test("is refused beside an empty folder when its own blobs are elsewhere", async () => {
    const filled = await fill();
    await rename(join(data(), "blobs"), join(folder, "mounted-later"));
    const { code, err } = await serve({});
    expect(code).toBe(2);
    expect(err).toContain("has none of their bytes");
    await rm(join(data(), "blobs"), { recursive: true, force: true });
    await rename(join(folder, "mounted-later"), join(data(), "blobs"));
    await expectSound(filled);
  });
});

describe("a store whose blobs have no mark", () => {
  test("marks blobs that it knows when it is served", async () => {
    const filled = await fill();
    const id = await readFile(markerPath(), "utf8");
    await rm(markerPath());
    expect(await command(["check"])).toMatchObject({ code: 0 });
    expect(existsSync(markerPath())).toBe(false);
    await expectSound(filled);
    expect(await readFile(markerPath(), "utf8")).toBe(id);
  });

  test("recognises its blobs by a deleted image", async () => {
    {
      await using store = await startStore({ DATA: data() });
      const album = await newAlbum(store);
      await newImage(store, album, "gone");
      await store.fetch(imagePath(album, "gone"), { method: "DELETE" });
    }
    await rm(markerPath());
    await storeIdOf();
    expect(existsSync(markerPath())).toBe(true);
  });

  test("with an invalid mark is refused with its path", async () => {
    await storeIdOf();
    await Bun.write(markerPath(), "\0\0\0");
    const { code, err } = await serve({});
    expect(code).not.toBe(0);
    expect(err).toContain(markerPath());
  });
});

const keys = () => [...memory.s3.objects.keys()].toSorted();

describe("the mark in a bucket", () => {
  test("is stored under the prefix, and another catalog is refused", async () => {
    const filled = await fill({ BLOBS_URL: s3Url("images") });
    expect(keys()).toContain("images/store-id");
    const before = keys();
    const other = { CATALOG_URL: `sqlite:${join(folder, "other.sqlite")}`, BLOBS_URL: s3Url("images") };
    const { code, err } = await serve(other);
    expect(code).toBe(2);
    expect(err).toContain("s3://bucket/images/");
    // By then it has a catalog, which `check` can open.
    const checked = await command(["check"], other);
    expect([checked.code, checked.out]).toEqual([2, ""]);
    expect(keys()).toEqual(before);
    await expectSound(filled, { BLOBS_URL: s3Url("images") });
  });

  test("is separate for each prefix and for none", async () => {
    const filled = await fill({ BLOBS_URL: s3Url("images") });
    const { code, err } = await serve({ BLOBS_URL: s3Url("imagse") });
    expect(code).toBe(2);
    expect(err).toContain("has none of their bytes");
    expect(keys().filter((key) => !key.startsWith("images/"))).toEqual([]);
    await startStore({ DATA: join(folder, "other"), BLOBS_URL: s3Url("other") }).then((store) =>
      store[Symbol.asyncDispose](),
    );
    expect((await serve({ BLOBS_URL: s3Url("other") })).code).toBe(2);
    await expectSound(filled, { BLOBS_URL: s3Url("images") });
  });

  test("is claimed by one of two concurrent new stores", async () => {
    const stores = await Promise.allSettled(
      ["one", "two"].map((name) => startStore({ DATA: join(folder, name), BLOBS_URL: s3Url("images") })),
    );
    const outcomes = stores.map(({ status }) => status).toSorted();
    for (const outcome of stores) if (outcome.status === "fulfilled") await outcome.value[Symbol.asyncDispose]();
    expect(outcomes).toEqual(["fulfilled", "rejected"]);
  });

  test("that cannot be read is exit code 2 with the bucket's name and answer", async () => {
    memory.s3.onRequest = () => ({ status: 403, code: "AccessDenied" });
    const denied = await serve({ BLOBS_URL: s3Url("images") });
    expect([denied.code, denied.err]).toEqual([2, expect.stringMatching(/bucket bucket .*AccessDenied/)]);
    memory.s3.onRequest = () => undefined;
    const missing = await serve({ BLOBS_URL: s3Url("images", "no-such-bucket") });
    expect([missing.code, missing.err]).toEqual([2, expect.stringMatching(/no-such-bucket .*NoSuchBucket/)]);
  });

  test("that changed before a sweep stops the sweep", async () => {
    await using store = await startStore({ DATA: data(), BLOBS_URL: s3Url("images") });
    const album = await newAlbum(store);
    await newImage(store, album, "i");
    await newImage(store, album, "gone");
    expect(keys()).toHaveLength(3);
    await store[Symbol.asyncDispose]();
    // Behind the check at the start: as a server of S3 that ignores conditions would let it happen.
    const mark = Buffer.from("another\n");
    let reads = 0;
    memory.s3.onRequest = ({ method, key }) => {
      if (method === "GET" && key.endsWith("store-id") && ++reads > 1)
        memory.s3.objects.set("images/store-id", new Uint8Array(mark));
      return undefined;
    };
    await using again = await startStore({ DATA: data(), GRACE, BLOBS_URL: s3Url("images") });
    expect((await again.fetch(imagePath(album, "gone"), { method: "DELETE" })).status).toBe(204);
    await untilMetric(again, 'image_store_sweep_stopped{reason="owner"} 1');
    await Bun.sleep(SWEPT_MS);
    expect(keys()).toHaveLength(3);
    expect((await again.fetch(`${imagePath(album, "i")}/content`)).status).toBe(200);
  });
});

test("a restored catalog with the same id does not sweep the blobs of the first store", async () => {
  const filled = await fill();
  const backup = join(folder, "backup");
  expect((await command(["backup", backup])).code).toBe(0);
  const restored = join(folder, "restored");
  expect((await command(["restore", backup], { DATA: restored })).code).toBe(0);
  {
    await using store = await startStore({ DATA: restored, BLOBS_URL: `file:${join(data(), "blobs")}`, GRACE });
    await untilMetric(store, 'image_store_sweep_stopped{reason="share"} 1');
    await untilMetric(store, "image_store_sweep_claimed_blobs_total 0");
  }
  await expectSound(filled);
});

test("a restored store has the mark of its backup", async () => {
  await fill();
  const id = await readFile(markerPath(), "utf8");
  const backup = join(folder, "backup");
  expect((await command(["backup", backup])).code).toBe(0);
  const restored = join(folder, "restored");
  expect((await command(["restore", backup], { DATA: restored })).code).toBe(0);
  expect(await readFile(join(restored, "blobs", "store-id"), "utf8")).toBe(id);
  expect((await command(["check"], { DATA: restored })).code).toBe(0);
  expect(await readdir(join(restored, "blobs"))).not.toContain("store-id.new");
});
