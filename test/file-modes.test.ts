import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { chmod, mkdir, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { createApp } from "../src/app.ts";
import { parseConfig } from "../src/config.ts";
import type { Logger } from "../src/observe/logger.ts";
import { silentLogger } from "../src/observe/logger.ts";
import { BUCKET, useMemoryS3 } from "./adapters/blobs/memory-s3.ts";
import { runCli } from "./cli/run-cli.ts";
import { startStore } from "./http/harness.ts";
import { imagePath, newAlbum, newImage, newPng, putContent } from "./http/image-fixtures.ts";
import { newFolder, removeFolder } from "./temporary-folder.ts";

// Other users of the machine see nothing of a store, whatever the mode of the folder that it was given and the umask of
// the process: it has people's pictures, and the key by which links are signed.

const memory = useMemoryS3();
let folder: string;
let umask: number;
beforeEach(async () => {
  umask = process.umask(0o022);
  folder = await newFolder("modes");
  await chmod(folder, 0o755);
});
afterEach(async () => {
  process.umask(umask);
  await removeFolder(folder);
});

/** Of files and folders within, those that others may look into. */
async function openPaths(within: string): Promise<string[]> {
  const names = await readdir(within, { recursive: true });
  expect(names.length).toBeGreaterThan(3);
  const modes = await Promise.all(names.map(async (name) => (await stat(join(within, name))).mode & 0o077));
  return names.filter((_, index) => modes[index] !== 0);
}

async function use(env: Readonly<Record<string, string>>, look: () => Promise<void>): Promise<void> {
  await using store = await startStore(env);
  const album = await newAlbum(store);
  for (const [name, size] of [
    ["small", 200],
    ["large", 1_500_000],
  ] as const) {
    await newImage(store, album, name, newPng(size));
    for (const query of ["", "?w=240&format=webp", "?strip=location"])
      expect((await store.fetch(`${imagePath(album, name)}/content${query}`)).status).toBe(200);
  }
  await look();
}

describe("files of a store", () => {
  test("are accessible to the owner only, even in a shared folder: catalog, blobs, variants, locks", async () => {
    await use({ DATA: folder }, async () => {
      const names = await readdir(folder);
      expect(names).toEqual(expect.arrayContaining(["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"]));
      expect(await openPaths(folder)).toEqual([]);
    });
    expect(await openPaths(folder)).toEqual([]);
  });

  test("of a node, originals and spooled uploads, are accessible to the owner only", async () => {
    const endpoint = encodeURIComponent(memory.s3.endpoint);
    const env = {
      DATA: folder,
      CATALOG_URL: "",
      BLOBS_URL: `s3://${BUCKET}/?endpoint=${endpoint}&forcePathStyle=true`,
    };
    await use(env, async () => {
      expect(await readdir(join(folder, "originals", "files"))).not.toEqual([]);
      expect(await openPaths(folder)).toEqual([]);
    });
  });

  test("in a backup and in a restore are accessible to the owner only", async () => {
    const data = join(folder, "data");
    await mkdir(data, { mode: 0o755 });
    await use({ DATA: data }, async () => {});
    const backup = join(folder, "backup");
    await mkdir(backup, { mode: 0o755 });
    expect((await runCli(["backup", backup], data)).code).toBe(0);
    expect(await openPaths(backup)).toEqual([]);
    const restored = join(folder, "restored");
    await mkdir(restored, { mode: 0o755 });
    expect((await runCli(["restore", backup], restored)).code).toBe(0);
    expect(await openPaths(restored)).toEqual([]);
  });
});

describe("files of an earlier version", () => {
  test("are restricted and reported at the start; the mode of the data folder is only reported", async () => {
    await use({ DATA: folder }, async () => {});
    for (const name of ["catalog.sqlite", "lock.sqlite"]) await chmod(join(folder, name), 0o644);
    await chmod(join(folder, "blobs"), 0o755);
    const told: Record<string, unknown>[] = [];
    const logger: Logger = Object.assign(Object.create(silentLogger), {
      warn: (fields: Record<string, unknown>) => void told.push(fields),
    }) as Logger;
    const env = { IMAGE_STORE_DATA: folder, IMAGE_STORE_PORT: "0", IMAGE_STORE_MIN_FREE: "0" };
    await using _ = await createApp(parseConfig({ env, readFile: () => "" }), { logger });
    expect(told).toEqual([
      { closed: expect.arrayContaining(["blobs", "catalog.sqlite", "lock.sqlite"].map((name) => join(folder, name))) },
      { open: [folder] },
    ]);
    expect(await openPaths(folder)).toEqual([]);
    expect((await stat(folder)).mode & 0o777).toBe(0o755);
  });
});

test("a link with the store's key but an excessive lifetime is refused", async () => {
  const secret = "s".repeat(43);
  await using store = await startStore({ DATA: folder, LINK_KEYS: `k:${secret}` });
  const album = await newAlbum(store);
  expect((await putContent(store, album, "i", newPng())).status).toBe(201);
  const { createLinkSigner } = await import("../src/operations/link-signer.ts");
  const { links } = (await (await store.fetch(imagePath(album, "i"))).json()) as { links: { content: string } };
  const signer = createLinkSigner([{ id: "k", secret }]);
  expect((await store.fetch(signer.sign(links.content, "", 7 * 86_400).target)).status).toBe(200);
  const refused = await store.fetch(signer.sign(links.content, "", 10 * 365 * 86_400).target);
  expect(refused.status).toBe(403);
  expect(await refused.json()).toMatchObject({ code: "invalid_link" });
});
