import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openDiskBlobs } from "../../../src/adapters/blobs/disk.ts";
import { createFolderSync } from "../../../src/adapters/blobs/folder-sync.ts";
import { writeOwnerFile } from "../../../src/adapters/blobs/owner-file.ts";
import { openRestoringCatalog } from "../../../src/adapters/catalog/sqlite/restore.ts";
import { layoutOf, readManifest } from "../../../src/cli/backup/backup-files.ts";
import { claimDataFolders, placeCatalog } from "../../../src/cli/backup/restore-folder.ts";
import { restoreBlobs } from "../../../src/cli/backup/restore-store.ts";
import type { Image } from "../../../src/domain/image.ts";
import type { WebhookSender } from "../../../src/ports/webhook-sender.ts";
import { ANY_URL, jsonOf, nowhere, startStore, type TestStore } from "../../http/harness.ts";
import { codeOf, newAlbum, newImage, newPng } from "../../http/image-fixtures.ts";
import { openDatabaseFile } from "../../open-database-file.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { until } from "../../waiting.ts";
import { FINE, runCli } from "../run-cli.ts";

let home: string;
let store: TestStore;
let album: string;
let backup: string;
let restored: string;

beforeEach(async () => {
  home = await newFolder("restore");
  backup = join(home, "backup");
  restored = join(home, "restored");
  store = await startStore({}, ANY_URL);
  album = await newAlbum(store, "a");
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await removeFolder(home);
});

const runBackup = (data = store.dataFolder) => runCli(["backup", backup], data);
const runRestore = (...options: string[]) => runCli(["restore", backup, ...options], restored);
const blobFile = (digest: string) => join(backup, "blobs", digest.slice(0, 2), digest);
const filesIn = async (folder: string) => (await readdir(folder, { recursive: true })).sort();
/** Of a store whose bytes lie elsewhere. */
const envOf = (data: string, bytes: string) => ({
  IMAGE_STORE_DATA: data,
  IMAGE_STORE_BLOBS_URL: `file:${bytes}`,
  IMAGE_STORE_MIN_FREE: "0",
});

/** All that a restore does but its end, as one that is killed before it. */
async function restoreButForItsEnd({ finish = false } = {}): Promise<void> {
  const places = { catalogPath: join(restored, "catalog.sqlite"), blobsFolder: join(restored, "blobs") };
  const manifest = await readManifest(layoutOf(backup).manifest);
  if (manifest?.backup === undefined) throw new Error("There is no backup.");
  using _ = await claimDataFolders(places);
  using catalog = openRestoringCatalog(await placeCatalog(layoutOf(backup), manifest.backup, places));
  await using blobs = await openDiskBlobs({ folder: places.blobsFolder, minFree: 0, recover: true });
  using folders = createFolderSync();
  await writeOwnerFile(places.blobsFolder, catalog.storeId, folders);
  await restoreBlobs({
    source: layoutOf(backup),
    catalog,
    blobs,
    partial: true,
    progress: () => {},
    report: () => {},
  });
  if (finish) catalog.finish(1, { pauseWebhooks: true });
}

const epochIn = (data: string): number => {
  using database = openDatabaseFile(join(data, "catalog.sqlite"));
  return (database.query("select epoch from log_state").get() as { epoch: number }).epoch;
};

describe("store and backup must not overlap: image-store refuses", () => {
  test.each(["", "blobs", "backup", "blobs/tmp", "variants", "variants/deep/er"])(
    "a backup into the data folder's %p",
    async (inside) => {
      const before = await filesIn(store.dataFolder);
      const { code, err } = await runCli(["backup", join(store.dataFolder, inside)], store.dataFolder);
      expect([code, err]).toEqual([1, expect.stringContaining("overlap. Choose a folder outside the store") as string]);
      expect(await filesIn(store.dataFolder)).toEqual(before);
    },
  );

  test("a backup into the data folder by a symbolic link, or beside the blobs", async () => {
    await symlink(store.dataFolder, join(home, "link"));
    expect((await runCli(["backup", join(home, "link", "backup")], store.dataFolder)).err).toContain("overlap");
    const env = envOf(store.dataFolder, join(home, "bytes"));
    expect((await runCli(["backup", join(home, "bytes", "b")], "", { env })).err).toContain("overlap");
  });

  test("a restore into the backup", async () => {
    await newImage(store, album, "i");
    await runBackup();
    for (const data of [join(backup, "tmp"), join(backup, "data"), backup])
      expect(await runCli(["restore", backup], data)).toMatchObject({
        code: 1,
        err: expect.stringContaining("overlap. Choose a folder outside the store") as string,
      });
    expect(existsSync(join(backup, "tmp"))).toBe(false);
  });
});

test("an empty store can be backed up and restored", async () => {
  await store.fetch("/v1/albums/a", { method: "DELETE" });
  expect(await runBackup()).toMatchObject(FINE);
  expect(await runRestore()).toMatchObject(FINE);
  expect(await runCli(["check"], restored)).toMatchObject(FINE);
});

test("a backup is readable by its owner only, whatever the umask and the existing folder's mode", async () => {
  await newImage(store, album, "i");
  await mkdir(backup);
  const umask = process.umask(0);
  try {
    expect(await runBackup()).toMatchObject(FINE);
  } finally {
    process.umask(umask);
  }
  for (const name of await readdir(backup))
    if (name !== "lock.sqlite") expect([name, (await stat(join(backup, name))).mode & 0o077]).toEqual([name, 0]);
});

describe("two concurrent restores of one backup", () => {
  test("get different epochs, so a cursor of one is refused by the other", async () => {
    await newImage(store, album, "i");
    await runBackup();
    expect(await runRestore()).toMatchObject(FINE);
    await using first = await startStore({ DATA: restored });
    const { nextCursor } = await jsonOf<{ nextCursor: string }>(await first.fetch("/v1/events?after=latest"));
    const again = join(home, "again");
    expect(await runCli(["restore", backup], again)).toMatchObject(FINE);
    expect(epochIn(again)).toBeGreaterThan(epochIn(restored));
    await using second = await startStore({ DATA: again });
    expect(await codeOf(await second.fetch(`/v1/events?after=${nextCursor}`))).toBe("cursor_unknown");
    // And a backup in between does not forget it.
    await runBackup();
    const third = join(home, "third");
    await runCli(["restore", backup], third);
    expect(epochIn(third)).toBeGreaterThan(epochIn(again));
  });

  test("work when the backup is read-only", async () => {
    await runBackup();
    await mkdir(join(backup, "last-epoch.new"));
    await writeFile(join(backup, "last-epoch"), "99\nnonsense");
    expect(await runRestore()).toMatchObject(FINE);
    expect(await readFile(join(backup, "last-epoch"), "utf8")).toBe("99\nnonsense");
  });
});

describe("an interrupted restore", () => {
  let lost: Image;
  beforeEach(async () => {
    await newImage(store, album, "fine", newPng(5000));
    lost = await newImage(store, album, "lost", newPng(3000));
    await runBackup();
    await cp(backup, join(home, "intact"), { recursive: true });
    await rm(blobFile(lost.sha256));
  });

  test("does not continue into another blobs folder", async () => {
    expect((await runRestore()).code).toBe(1);
    const elsewhere = join(home, "elsewhere");
    const restoreElsewhere = () =>
      runCli(["restore", backup, "--partial"], restored, { env: envOf(restored, elsewhere) });
    const refusal = { code: 1, err: expect.stringContaining("put its bytes into") as string };
    expect(await restoreElsewhere()).toMatchObject(refusal);
    await cp(join(store.dataFolder, "blobs", "files"), join(elsewhere, "files"), { recursive: true });
    const before = await filesIn(elsewhere);
    expect(await restoreElsewhere()).toMatchObject(refusal);
    expect(await filesIn(elsewhere)).toEqual(before);
  });

  test("with --partial reports the missing blobs again", async () => {
    await restoreButForItsEnd();
    expect(await runRestore("--partial")).toMatchObject({
      code: 1,
      out: expect.stringMatching(/damaged: "a\/lost"[^]*2 images, .*, 1 of them damaged/) as string,
    });
    // It finds the image by its digest, which is not that of what stands in for its bytes.
    const { out } = await runCli(["check"], restored);
    expect(out).toMatch(/damaged: .*"a\/lost"[^]*Images: 2, damaged: 1\. Blobs without a record: 0,/);
  });

  test("takes bytes that the repaired backup has, and replaces the placeholder", async () => {
    await restoreButForItsEnd();
    await cp(join(home, "intact"), backup, { recursive: true });
    expect(await runRestore()).toMatchObject(FINE);
    expect((await runCli(["check"], restored)).out).toContain("Images: 2, damaged: 0. Blobs without a record: 0,");
  });

  test("that had only its last step left copies nothing again", async () => {
    await cp(join(home, "intact"), backup, { recursive: true });
    await restoreButForItsEnd({ finish: true });
    const before = await filesIn(join(restored, "blobs"));
    expect(await runRestore()).toMatchObject(FINE);
    expect(await filesIn(join(restored, "blobs"))).toEqual(before);
    expect(await runCli(["check"], restored)).toMatchObject(FINE);
  });

  test("that was copying the catalog is not a store, and starts over", async () => {
    await mkdir(restored);
    await writeFile(join(restored, "catalog.sqlite.restoring.new"), "half");
    expect((await runCli(["serve", "--port", "0"], restored)).err).toContain("is being restored");
    await cp(join(home, "intact"), backup, { recursive: true });
    expect(await runRestore()).toMatchObject(FINE);
    expect((await readdir(restored)).sort()).toEqual(["blobs", "catalog.sqlite", "lock.sqlite"]);
  });

  test("reports when what it had restored is gone, as from an unmounted disk", async () => {
    await runRestore();
    await rm(join(restored, "blobs"), { recursive: true });
    await cp(join(home, "intact"), backup, { recursive: true });
    const { code, err } = await runRestore();
    expect([code, err]).toEqual([
      1,
      expect.stringContaining("Of 1 blobs that an earlier run restored, only 0 exist") as string,
    ]);
    expect(existsSync(join(restored, "catalog.sqlite"))).toBe(false);
    await rm(restored, { recursive: true });
    expect(await runRestore()).toMatchObject(FINE);
  });

  test("shows its progress from where it stopped", async () => {
    await runRestore();
    await cp(join(home, "intact"), backup, { recursive: true });
    const { err } = await runCli(["restore", backup], restored, { isErrorTerminal: true });
    expect(err).toContain("100 %");
  });
});

const patchWebhook = (of: TestStore, webhook: string, body: object) =>
  of.send("PATCH", `/v1/webhooks/${webhook}`, body, { "Content-Type": "application/merge-patch+json" });

describe("a restored store", () => {
  const sent: { url: string; secrets: readonly { secret: string }[]; name: string }[] = [];
  const webhookSender: WebhookSender = {
    ...nowhere,
    send: async (delivery, signal) => {
      const { url, secrets, event } = delivery;
      sent.push({ url, secrets, name: (JSON.parse(event.data) as { name: string }).name });
      return nowhere.send(delivery, signal);
    },
  };
  let id: string;

  beforeEach(async () => {
    sent.length = 0;
    const body = { url: "https://hooks.example.com/", secret: `whsec_${Buffer.alloc(24, 7).toString("base64")}` };
    await store.send("POST", "/v1/webhooks", { ...body, description: "paused before" });
    const [before] = (await jsonOf<{ items: { id: string }[] }>(await store.fetch("/v1/webhooks"))).items;
    await patchWebhook(store, before?.id ?? "", { paused: true });
    ({ id } = await jsonOf<{ id: string }>(await store.send("POST", "/v1/webhooks", body)));
    await runBackup();
  });

  test("sends nothing to the receivers of the other one's webhooks until they are resumed, and then all since the backup", async () => {
    const { out, ...result } = await runRestore();
    expect(result).toEqual(FINE);
    expect(out).toContain("Paused webhooks: 2. They send nothing until you resume each");
    await using copy = await startStore({ DATA: restored }, { webhookSender });
    const { items } = await jsonOf<{ items: { paused: boolean }[] }>(await copy.fetch("/v1/webhooks"));
    expect(items.map(({ paused }) => paused)).toEqual([true, true]);
    await newAlbum(copy, "of the copy");
    // A webhook of the copy itself sends.
    await copy.send("POST", "/v1/webhooks", { url: "https://copy.example.com/" });
    await newAlbum(copy, "later");
    await until(() => sent.length > 0);
    expect(sent.map(({ url, name }) => ({ url, name }))).toEqual([{ url: "https://copy.example.com/", name: "later" }]);

    await patchWebhook(copy, id, { paused: false });
    await until(() => sent.length >= 3);
    const own = sent.filter(({ url }) => url === "https://hooks.example.com/");
    expect(own.map(({ name }) => name).toSorted()).toEqual(["later", "of the copy"]);
    expect(own[0]?.secrets).toMatchObject([{ secret: `whsec_${Buffer.alloc(24, 7).toString("base64")}` }]);
  });

  test("with --keep-webhooks goes on sending, and tells the number of paused ones as JSON", async () => {
    const { out, ...result } = await runRestore("--keep-webhooks", "--json");
    expect(result).toEqual(FINE);
    expect(JSON.parse(out.trim().split("\n").at(-1) ?? "")).toMatchObject({ kind: "finished", pausedWebhooks: 1 });
    await using successor = await startStore({ DATA: restored }, { webhookSender });
    await newAlbum(successor, "of the successor");
    await until(() => sent.length > 0);
    expect(sent).toMatchObject([{ url: "https://hooks.example.com/", name: "of the successor" }]);
  });
});

test("a backup of a store that lacks bytes keeps those that the backup already has", async () => {
  const image = await newImage(store, album, "i");
  await runBackup();
  await cp(backup, join(home, "intact"), { recursive: true });
  await rm(blobFile(image.sha256));
  expect((await runRestore("--partial")).code).toBe(1);
  await cp(join(home, "intact"), backup, { recursive: true });
  expect(await runBackup(restored)).toMatchObject({
    ...FINE,
    out: expect.stringContaining("Images: 1, damaged: 0. Blobs copied: 0, 0 bytes; removed: 0.") as string,
  });
  expect(existsSync(blobFile(image.sha256))).toBe(true);
  await rm(restored, { recursive: true });
  expect(await runRestore()).toMatchObject(FINE);
});
