import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { begin } from "../../../src/adapters/catalog/migrations/sqlite-0001-begin.ts";
import type { Album } from "../../../src/domain/album.ts";
import type { LogState } from "../../../src/domain/event.ts";
import type { Image } from "../../../src/domain/image.ts";
import type { BlobRow } from "../../../src/ports.ts";
import { failTest } from "../../adapters/catalog/open-sqlite.ts";
import { jsonOf, startStore, type TestStore } from "../../http/harness.ts";
import { codeOf, newAlbum, newImage, newPng, sha256 } from "../../http/image-fixtures.ts";
import { openDatabaseFile } from "../../open-database-file.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { FINE, runCli } from "../run-cli.ts";

interface Manifest {
  readonly format: number;
  readonly storeId: string;
  readonly backup: { readonly catalog: { readonly sha256: string } };
}

let home: string;
let store: TestStore;
let backup: string;
let restored: string;

beforeEach(async () => {
  home = await newFolder("backup");
  backup = join(home, "backup");
  restored = join(home, "restored");
  store = await startStore();
});
afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await removeFolder(home);
});

const runBackup = (...options: string[]) => runCli(["backup", backup, ...options], store.dataFolder);
const runRestore = (...options: string[]) => runCli(["restore", backup, ...options], restored);
const startRestored = () => startStore({ DATA: restored });

/** Every album, image and byte, as clients see them. */
async function contentsOf(of: TestStore) {
  const albums = await listAll<Album>(of, "/v1/albums");
  const images = await listAll<Image>(of, "/v1/images");
  const bytes = await Promise.all(
    images.map(async ({ links }) => sha256(await (await of.fetch(links.content)).bytes())),
  );
  return { albums, images, bytes };
}

const listAll = async <Item>(of: TestStore, path: string): Promise<readonly Item[]> =>
  (await jsonOf<{ items: Item[] }>(await of.fetch(`${path}?pageSize=1000`))).items;

const eventIds = async (of: TestStore) =>
  (await jsonOf<{ items: { id: string }[] }>(await of.fetch("/v1/events?limit=1000"))).items.map(({ id }) => id);

const filesIn = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name).slice(folder.length + 1)] : []))
    .sort();
};
const blobFiles = async () => (await filesIn(backup)).filter((name) => name.startsWith("blobs/"));
const blobFile = (digest: string) => join(backup, "blobs", digest.slice(0, 2), digest);

const manifest = async () => JSON.parse(await readFile(join(backup, "backup.json"), "utf8")) as Manifest;
/** In the catalog of the running store, where no client gets. */
function alter(sql: string, ...values: string[]): void {
  const database = openDatabaseFile(join(store.dataFolder, "catalog.sqlite"));
  database.run(sql, values);
  database.close();
}
/** The image has the other's bytes instead of its own, wherever the store has them. */
const damage = (image: Image, other: Image) =>
  alter(
    "update blobs set location = (select location from blobs where image_id = ?2) where image_id = ?1",
    image.id,
    other.id,
  );
const rowsOf = <Row>(path: string, sql: string): Row[] => {
  const database = openDatabaseFile(path);
  const rows = database.query(sql).all() as Row[];
  database.close();
  return rows;
};

const LOG_STATE = 'select epoch, floor as "prunedThrough", head as "lastSequence" from log_state';
const RESTORED_BLOBS = "select key, location from blobs where location <> ''";

const createByKey = () => ({
  method: "POST",
  headers: { "Content-Type": "application/json", "Idempotency-Key": "once" },
  body: JSON.stringify({ name: "by key" }),
});

describe("a restored backup", () => {
  test("has the albums, images, bytes, tags, names, events and idempotent answers, and passes check", async () => {
    const album = await newAlbum(store, "Straße \u2603 'quoted\" % ?#&");
    const images = [
      await newImage(store, album, "a b\u200d🏔.png"),
      await newImage(store, album, "large", newPng(3_000_000)),
    ];
    await newImage(store, album, "gone");
    await store.fetch(`${album}/images/gone`, { method: "DELETE" });
    const twice = newPng();
    await newImage(store, album, "one", twice);
    await newImage(store, album, "two", twice);
    await newAlbum(store, "empty");
    const patched = await store.fetch(`${album}/images/large`, {
      method: "PATCH",
      headers: { "Content-Type": "application/merge-patch+json" },
      body: JSON.stringify({ tags: ["sea", "Größe"], metadata: { by: "me" }, title: "t" }),
    });
    expect(patched.status).toBe(200);
    const answer = await jsonOf(await store.fetch("/v1/albums", createByKey()));
    const contents = await contentsOf(store);

    const { code, out, err } = await runBackup();
    expect({ code, err }).toEqual(FINE);
    expect(out).toMatch(/^2\.9 MiB backed up\. Images: 4, damaged: 0\. Blobs copied: 3, 2\.9 MiB; removed: 0\.\n$/);
    // What comes afterwards is in no backup.
    await newImage(store, album, "late");

    expect(await runRestore()).toMatchObject({ ...FINE, out: expect.stringContaining("4 images, 2.9 MiB.") as string });
    const check = await runCli(["check"], restored);
    expect(check).toMatchObject({
      ...FINE,
      out: expect.stringContaining(
        "Images: 4, damaged: 0. Blobs without a record: 0, younger than the grace: 0.",
      ) as string,
    });
    await using again = await startRestored();
    expect(await contentsOf(again)).toEqual(contents);
    expect(await eventIds(again)).toEqual((await eventIds(store)).slice(0, -1));
    expect(await jsonOf(await again.fetch("/v1/albums", createByKey()))).toEqual(answer as object);
    const tagged = await jsonOf<{ items: Image[] }>(await again.fetch(`${album}/images?tag=sea`));
    expect(tagged.items.map(({ id }) => id)).toEqual([images[1]?.id as string]);
    expect((await newImage(again, album, "new")).name).toBe("new");
  });

  test("has a new log epoch: client cursors are unknown, durable cursors continue", async () => {
    await newAlbum(store);
    const { nextCursor } = await jsonOf<{ nextCursor: string }>(await store.fetch("/v1/events"));
    alter("insert into cursors (name, seq, updated_at) values ('topic', 1, 1), ('beyond', 99, 1)");
    await newAlbum(store);
    await runBackup();
    await runRestore();

    const catalog = join(restored, "catalog.sqlite");
    const [{ epoch, ...rest } = failTest(new Error("no log"))] = rowsOf<LogState>(catalog, LOG_STATE);
    const [before] = rowsOf<LogState>(join(store.dataFolder, "catalog.sqlite"), LOG_STATE);
    expect(epoch).toBeGreaterThan(before?.epoch as number);
    expect(epoch).toBeGreaterThanOrEqual(Math.floor(Date.now() / 60_000) - 1);
    expect(rest).toEqual({ prunedThrough: 0, lastSequence: 2 } as typeof rest);
    expect(rowsOf<object>(catalog, "select name, seq from cursors order by name")).toEqual([
      { name: "beyond", seq: 2 },
      { name: "topic", seq: 1 },
    ]);
    expect(rowsOf(catalog, "select * from holds where until > 0")).toEqual([]);
    await using again = await startRestored();
    const refused = await again.fetch(`/v1/events?after=${nextCursor}`);
    expect([refused.status, await codeOf(refused)]).toEqual([410, "cursor_unknown"]);
    expect(await eventIds(again)).toEqual(await eventIds(store));
  });

  test("has an epoch above the backup's even when the clock is behind", async () => {
    alter("update log_state set epoch = 90000000");
    await runBackup();
    await runRestore();
    expect(rowsOf<object>(join(restored, "catalog.sqlite"), "select epoch from log_state")).toEqual([
      { epoch: 90000001 },
    ]);
  });

  test("has none of the blobs that were waiting for deletion", async () => {
    const album = await newAlbum(store, "leaving");
    await newImage(store, album, "i");
    await newImage(store, await newAlbum(store, "staying"), "j");
    // As a large album is between its deletion and the end of it.
    alter("update albums set state = 'deleting' where name = 'leaving'");
    expect((await runBackup()).out).toContain("Images: 1, damaged: 0. Blobs copied: 1,");
    expect(await runRestore()).toMatchObject(FINE);
    expect(await runCli(["check"], restored)).toMatchObject(FINE);
    await using again = await startRestored();
    const { images } = await contentsOf(again);
    expect(images.map(({ name }) => name)).toEqual(["j"]);
  });
});

test("restore migrates a backup of an older version", async () => {
  await runBackup();
  const { backup: about, ...rest } = await manifest();
  const path = join(backup, (await readdir(backup)).find((name) => name.startsWith("catalog-")) as string);
  await rm(path);
  const old = openDatabaseFile(path, { create: true });
  begin(old);
  old.run("pragma user_version = 1");
  old.run(
    `insert into albums (id, name, metadata, revision, created_at, updated_at) values ('${Bun.randomUUIDv7()}', 'old', '{}', 1, 0, 0)`,
  );
  old.close();
  const digest = sha256(await Bun.file(path).bytes());
  await writeFile(
    join(backup, "backup.json"),
    JSON.stringify({ ...rest, backup: { ...about, catalog: { ...about.catalog, sha256: digest } } }),
  );
  expect(await runRestore()).toMatchObject(FINE);
  await using again = await startRestored();
  expect((await contentsOf(again)).albums.map(({ name }) => name)).toEqual(["old"]);
});

describe("image-store backup", () => {
  test("copies only new blobs into an existing backup, and removes unreferenced ones at the end", async () => {
    const album = await newAlbum(store);
    const kept = await newImage(store, album, "kept");
    const gone = await newImage(store, album, "gone");
    await runBackup();
    const inode = (await stat(blobFile(kept.sha256))).ino;
    expect(await blobFiles()).toHaveLength(2);
    await store.fetch(`${album}/images/gone`, { method: "DELETE" });
    const added = await newImage(store, album, "added");
    await writeFile(join(backup, "note.txt"), "ours");

    const { out, ...result } = await runBackup();
    expect(result).toEqual(FINE);
    expect(out).toContain("Images: 2, damaged: 0. Blobs copied: 1,");
    expect(out).toEndWith("removed: 1.\n");
    expect((await stat(blobFile(kept.sha256))).ino).toBe(inode);
    expect(existsSync(blobFile(gone.sha256))).toBe(false);
    expect(existsSync(blobFile(added.sha256))).toBe(true);
    expect((await filesIn(backup)).filter((name) => !name.startsWith("blobs/"))).toEqual([
      "backup.json",
      expect.stringMatching(/^catalog-[0-9a-f-]{36}\.sqlite$/) as string,
      "lock.sqlite",
      "note.txt",
    ]);
    expect(await runRestore()).toMatchObject(FINE);
  });

  test("of a restored store into the same folder copies nothing", async () => {
    await newImage(store, await newAlbum(store), "i");
    await runBackup();
    await runRestore();
    expect((await runCli(["backup", backup], restored)).out).toContain("Blobs copied: 0, 0 bytes; removed: 0.");
  });

  test("copies a blob again when its length differs, and with --verify when its digest differs", async () => {
    const album = await newAlbum(store);
    const [cut, altered] = [await newImage(store, album, "cut"), await newImage(store, album, "altered")];
    await runBackup();
    await truncate(blobFile(cut.sha256), 3);
    await writeFile(blobFile(altered.sha256), new Uint8Array(altered.size));
    expect((await runBackup()).out).toContain("Blobs copied: 1,");
    expect((await runBackup("--verify")).out).toContain("Blobs copied: 1,");
    expect((await runBackup("--verify")).out).toContain("Blobs copied: 0,");
    expect(await runRestore()).toMatchObject(FINE);
  });

  test("creates files for their owner only", async () => {
    await newImage(store, await newAlbum(store), "i");
    await runBackup();
    for (const name of ["", "blobs", "backup.json", ...(await blobFiles())])
      expect([name, (await stat(join(backup, name))).mode & 0o077]).toEqual([name, 0]);
  });

  test("reports damaged blobs, copies the rest, and exits with 1", async () => {
    const album = await newAlbum(store, 'a\u2009"b');
    const damaged = await newImage(store, album, "damaged");
    const fine = await newImage(store, album, "fine", newPng(1000));
    const equal = newPng();
    const healed = await newImage(store, album, "equal, damaged", equal);
    await newImage(store, album, "equal, fine", equal);
    damage(damaged, fine);
    damage(healed, fine);

    const { code, out } = await runBackup();
    expect(code).toBe(1);
    expect(out).toContain(`damaged: "a\u2009\\"b/damaged", SHA-256 ${damaged.sha256}: `);
    expect(out).toContain("Images: 4, damaged: 1. Blobs copied: 2,");
    expect(await manifest()).toMatchObject({ backup: { images: 4, damaged: 1 } });
    expect((await runBackup()).code).toBe(1);
    // As it is once somebody has uploaded it again.
    await store.fetch(`${album}/images/damaged/content`, { method: "PUT", body: newPng() });
    expect(await runBackup()).toMatchObject(FINE);
  });

  test("draws a progress bar when standard error is a terminal", async () => {
    await newImage(store, await newAlbum(store), "i", newPng(2000));
    const backedUp = await runCli(["backup", backup], store.dataFolder, { isErrorTerminal: true });
    const restoring = await runCli(["restore", backup], restored, { isErrorTerminal: true });
    for (const { err } of [backedUp, restoring]) {
      expect(err).toContain("100 %");
      expect(err).toEndWith("\r\u001b[K");
    }
  });
});

const expectBackupRefused = async (message: string) => {
  const before = existsSync(backup) && (await stat(backup)).isDirectory() ? await filesIn(backup) : [];
  const { code, out, err } = await runBackup();
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain(message);
  if (before.length > 0) expect(await filesIn(backup)).toEqual(before);
};

describe("image-store backup refuses", () => {
  test("a folder with other files", async () => {
    await mkdir(backup);
    await writeFile(join(backup, "thesis.txt"), "");
    await expectBackupRefused(`${backup} is not empty and not a backup: it contains "thesis.txt".`);
  });

  test("the backup of another store", async () => {
    await using other = await startStore();
    await runCli(["backup", backup], other.dataFolder);
    await expectBackupRefused("is the backup of another store");
  });

  test("a backup in a newer format, and a backup with a damaged manifest", async () => {
    await runBackup();
    const text = await readFile(join(backup, "backup.json"), "utf8");
    await writeFile(join(backup, "backup.json"), JSON.stringify({ ...JSON.parse(text), format: 2, other: true }));
    await expectBackupRefused("was written by a newer version of Image Store (format 2)");
    expect((await runRestore()).err).toContain("newer version");
    await writeFile(join(backup, "backup.json"), text.slice(0, 30));
    await expectBackupRefused("is damaged: it is not JSON");
    await writeFile(join(backup, "backup.json"), "{}");
    await expectBackupRefused("is damaged, or not the manifest of a backup");
  });

  test("a path that is not a folder and cannot become one", async () => {
    await writeFile(backup, "");
    await expectBackupRefused(`${backup}: it is no folder`);
    const inside = await runCli(["backup", join(backup, "inside")], store.dataFolder);
    expect([inside.code, inside.err]).toEqual([1, expect.stringContaining("inside: it is no folder") as string]);
  });

  test("a folder that another backup is using", async () => {
    await runBackup();
    const database = openDatabaseFile(join(backup, "lock.sqlite"));
    database.run("begin exclusive");
    await expectBackupRefused(`Another process uses the backup in ${backup}.`);
    expect((await runRestore()).err).toContain("Another process uses the backup");
    database.close();
  });

  test("to run without a store, and creates nothing", async () => {
    const { code, err } = await runCli(["backup", backup], join(home, "nowhere"));
    expect(code).toBe(1);
    expect(err).toContain("There is no store");
    expect(await readdir(home)).toEqual([]);
  });
});

const expectRestoreRefused = async (message: string, data = restored) => {
  const { code, out, err } = await runCli(["restore", backup], data);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain(message);
};

describe("image-store restore refuses", () => {
  test("a folder that is not a backup, and changes nothing", async () => {
    await expectRestoreRefused("There is no backup");
    await mkdir(backup);
    await expectRestoreRefused("There is no backup");
    expect(await readdir(backup)).toEqual([]);
    expect(existsSync(restored)).toBe(false);
  });

  test("a backup whose first run was interrupted", async () => {
    await runBackup();
    const { format, storeId } = await manifest();
    await writeFile(join(backup, "backup.json"), JSON.stringify({ format, storeId }));
    await expectRestoreRefused("was interrupted");
    expect(await runBackup()).toMatchObject(FINE);
  });

  test("a folder with a store or other files, and blobs of another store", async () => {
    await runBackup();
    await expectRestoreRefused("There is a store already", store.dataFolder);
    await mkdir(restored);
    await writeFile(join(restored, "catalog.sqlite-wal"), "");
    await expectRestoreRefused(`${restored} is not empty: it contains "catalog.sqlite-wal".`);
    expect(await readdir(restored)).toEqual(["catalog.sqlite-wal"]);
    await rm(join(restored, "catalog.sqlite-wal"));
    await cp(join(store.dataFolder, "blobs"), join(restored, "blobs"), { recursive: true });
    await expectRestoreRefused(`${join(restored, "blobs")} is not empty`);
  });

  test("a folder that a server is using", async () => {
    await runBackup();
    await mkdir(restored);
    const database = openDatabaseFile(join(restored, "lock.sqlite"), { create: true });
    database.run("begin exclusive");
    await expectRestoreRefused("Another server uses this folder");
    database.close();
    expect(await runRestore()).toMatchObject(FINE);
  });

  test("a damaged catalog, and leaves the target unchanged", async () => {
    await runBackup();
    const [name = ""] = (await filesIn(backup)).filter((file) => file.startsWith("catalog-"));
    await truncate(join(backup, name), 4096);
    await expectRestoreRefused("The catalog of the backup is damaged");
    expect(existsSync(restored)).toBe(false);
  });

  test("a catalog of a newer version with exit code 2", async () => {
    await runBackup();
    const [name = ""] = (await filesIn(backup)).filter((file) => file.startsWith("catalog-"));
    const snapshot = openDatabaseFile(join(backup, name));
    snapshot.run("pragma user_version = 1000");
    snapshot.close();
    const digest = sha256(await Bun.file(join(backup, name)).bytes());
    const { backup: about, ...rest } = await manifest();
    const catalog = { ...about.catalog, sha256: digest };
    await writeFile(join(backup, "backup.json"), JSON.stringify({ ...rest, backup: { ...about, catalog } }));
    expect(await runRestore()).toMatchObject({ code: 2, err: expect.stringContaining("newer version") as string });
  });
});

describe("restore of a backup that lacks bytes", () => {
  let images: Image[];
  beforeEach(async () => {
    const album = await newAlbum(store, "a");
    images = [];
    for (const name of ["missing", "cut", "altered", "fine"]) images.push(await newImage(store, album, name));
    await runBackup();
    const [missing, cut, altered] = images as [Image, Image, Image];
    await cp(backup, join(home, "intact"), { recursive: true });
    await rm(blobFile(missing.sha256));
    await truncate(blobFile(cut.sha256), 3);
    await writeFile(blobFile(altered.sha256), new Uint8Array(altered.size));
  });

  test("names the missing blobs, creates no store, and continues once the backup is repaired", async () => {
    const { code, out, err } = await runRestore();
    expect(code).toBe(1);
    for (const [name, reason] of [
      ["missing", "ENOENT"],
      ["cut", "it has 3 bytes"],
      ["altered", "it has the digest"],
    ])
      expect(out).toMatch(new RegExp(`damaged: "a/${name}", SHA-256 [0-9a-f]{64}: ${reason}`));
    expect(err).toContain("The backup lacks the bytes of 3 images");

    expect((await runCli(["check"], restored)).err).toContain("There is no store");
    const serving = await runCli(["serve", "--port", "0"], restored);
    expect([serving.code, serving.err]).toEqual([2, expect.stringContaining("is being restored") as string]);
    const [there] = rowsOf<BlobRow>(join(restored, "catalog.sqlite.restoring"), RESTORED_BLOBS);

    await cp(join(home, "intact"), backup, { recursive: true });
    expect(await runRestore()).toMatchObject(FINE);
    expect(rowsOf<BlobRow>(join(restored, "catalog.sqlite"), RESTORED_BLOBS)).toContainEqual(there as BlobRow);
    expect(await runCli(["check"], restored)).toMatchObject(FINE);
  });

  test("continues also when catalog and blobs share a folder", async () => {
    const env = { IMAGE_STORE_DATA: restored, IMAGE_STORE_BLOBS_URL: `file:${restored}`, IMAGE_STORE_MIN_FREE: "0" };
    const restoreHere = () => runCli(["restore", backup], restored, { env });
    expect((await restoreHere()).code).toBe(1);
    await cp(join(home, "intact"), backup, { recursive: true });
    expect(await restoreHere()).toMatchObject(FINE);
    expect(await runCli(["check"], restored, { env })).toMatchObject(FINE);
  });

  test("with --partial creates a store whose affected images are 503 until they are uploaded again", async () => {
    expect(await runRestore("--partial")).toMatchObject({
      code: 1,
      out: expect.stringContaining("4 images, 388 bytes, 3 of them damaged") as string,
    });
    expect((await runCli(["check"], restored)).out).toContain("Images: 4, damaged: 3. Blobs without a record: 0,");
    await using again = await startStore({ DATA: restored, GRACE: "0s" });
    const statusOf = async (name: string) => (await again.fetch(`/v1/albums/a/images/${name}/content`)).status;
    expect(await Promise.all(images.map(({ name }) => statusOf(name)))).toEqual([503, 503, 503, 200]);
    await again.fetch("/v1/albums/a/images/cut/content", { method: "PUT", body: newPng() });
    expect(await statusOf("cut")).toBe(200);
    await again.fetch("/v1/albums/a?recursive=true", { method: "DELETE" });
    // Also what stood in for lost bytes goes as all others do.
    while (rowsOf(join(restored, "catalog.sqlite"), "select * from blobs").length > 0) await Bun.sleep(20);
  });

  test("starts over when it was interrupted with another backup", async () => {
    await runRestore();
    await rm(backup, { recursive: true });
    await newImage(store, "/v1/albums/a", "more");
    await runBackup();
    await writeFile(join(restored, "catalog.sqlite.restoring-journal"), "not of this file");
    expect(await runRestore()).toMatchObject(FINE);
    expect(await runCli(["check"], restored)).toMatchObject({
      ...FINE,
      out: expect.stringContaining("Images: 5, damaged: 0. Blobs without a record: 0,") as string,
    });
    expect((await readdir(restored)).sort()).toEqual(["blobs", "catalog.sqlite", "lock.sqlite"]);
  });
});
