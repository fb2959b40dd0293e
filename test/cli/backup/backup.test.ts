import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Image } from "../../../src/domain/image.ts";
import { startStore } from "../../http/harness.ts";
import { newAlbum, newImage, newPng } from "../../http/image-fixtures.ts";
import { openDatabaseFile } from "../../open-database-file.ts";
import { FINE, runCli } from "../run-cli.ts";
import { filesIn, useBackedUpStore } from "./backed-up-store.ts";

const { home, store, backup, restored, runBackup, runRestore, alter, blobFile, manifest } = useBackedUpStore();
const blobFiles = async () => (await filesIn(backup())).filter((name) => name.startsWith("blobs/"));
/** The image has the other's bytes instead of its own, wherever the store has them. */
const damage = (image: Image, other: Image) =>
  alter(
    "update blobs set location = (select location from blobs where image_id = ?2) where image_id = ?1",
    image.id,
    other.id,
  );

describe("image-store backup", () => {
  test("copies only new blobs into an existing backup, and removes unreferenced ones at the end", async () => {
    const album = await newAlbum(store());
    const kept = await newImage(store(), album, "kept");
    const gone = await newImage(store(), album, "gone");
    await runBackup();
    const inode = (await stat(blobFile(kept.sha256))).ino;
    expect(await blobFiles()).toHaveLength(2);
    await store().fetch(`${album}/images/gone`, { method: "DELETE" });
    const added = await newImage(store(), album, "added");
    await writeFile(join(backup(), "note.txt"), "ours");

    const { out, ...result } = await runBackup();
    expect(result).toEqual(FINE);
    expect(out).toContain("Images: 2, damaged: 0. Blobs copied: 1,");
    expect(out).toEndWith("removed: 1.\n");
    expect((await stat(blobFile(kept.sha256))).ino).toBe(inode);
    expect(existsSync(blobFile(gone.sha256))).toBe(false);
    expect(existsSync(blobFile(added.sha256))).toBe(true);
    expect((await filesIn(backup())).filter((name) => !name.startsWith("blobs/"))).toEqual([
      "backup.json",
      expect.stringMatching(/^catalog-[0-9a-f-]{36}\.sqlite$/) as string,
      "lock.sqlite",
      "note.txt",
    ]);
    expect(await runRestore()).toMatchObject(FINE);
  });

  test("of a restored store into the same folder copies nothing", async () => {
    await newImage(store(), await newAlbum(store()), "i");
    await runBackup();
    await runRestore();
    expect((await runCli(["backup", backup()], restored())).out).toContain("Blobs copied: 0, 0 bytes; removed: 0.");
  });

  test("copies a blob again when its length differs, and with --verify when its digest differs", async () => {
    const album = await newAlbum(store());
    const [cut, altered] = [await newImage(store(), album, "cut"), await newImage(store(), album, "altered")];
    await runBackup();
    await truncate(blobFile(cut.sha256), 3);
    await writeFile(blobFile(altered.sha256), new Uint8Array(altered.size));
    expect((await runBackup()).out).toContain("Blobs copied: 1,");
    expect((await runBackup("--verify")).out).toContain("Blobs copied: 1,");
    expect((await runBackup("--verify")).out).toContain("Blobs copied: 0,");
    expect(await runRestore()).toMatchObject(FINE);
  });

  test("creates files for their owner only", async () => {
    await newImage(store(), await newAlbum(store()), "i");
    await runBackup();
    for (const name of ["", "blobs", "backup.json", ...(await blobFiles())])
      expect([name, (await stat(join(backup(), name))).mode & 0o077]).toEqual([name, 0]);
  });

  test("reports damaged blobs, copies the rest, and exits with 1", async () => {
    const album = await newAlbum(store(), 'a\u2009"b');
    const damaged = await newImage(store(), album, "damaged");
    const fine = await newImage(store(), album, "fine", newPng(1000));
    const equal = newPng();
    const healed = await newImage(store(), album, "equal, damaged", equal);
    await newImage(store(), album, "equal, fine", equal);
    damage(damaged, fine);
    damage(healed, fine);

    const { code, out } = await runBackup();
    expect(code).toBe(1);
    expect(out).toContain(`damaged: "a\u2009\\"b/damaged", SHA-256 ${damaged.sha256}: `);
    expect(out).toContain("Images: 4, damaged: 1. Blobs copied: 2,");
    expect(await manifest()).toMatchObject({ backup: { images: 4, damaged: 1 } });
    expect((await runBackup()).code).toBe(1);
    // As it is once somebody has uploaded it again.
    await store().fetch(`${album}/images/damaged/content`, { method: "PUT", body: newPng() });
    expect(await runBackup()).toMatchObject(FINE);
  });

  test("draws a progress bar when standard error is a terminal", async () => {
    await newImage(store(), await newAlbum(store()), "i", newPng(2000));
    const backedUp = await runCli(["backup", backup()], store().dataFolder, { isErrorTerminal: true });
    const restoring = await runCli(["restore", backup()], restored(), { isErrorTerminal: true });
    for (const { err } of [backedUp, restoring]) {
      expect(err).toContain("100 %");
      expect(err).toEndWith("\r\u001b[K");
    }
  });
});

const expectBackupRefused = async (message: string) => {
  const before = existsSync(backup()) && (await stat(backup())).isDirectory() ? await filesIn(backup()) : [];
  const { code, out, err } = await runBackup();
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain(message);
  if (before.length > 0) expect(await filesIn(backup())).toEqual(before);
};

describe("image-store backup refuses", () => {
  test("a folder with other files", async () => {
    await mkdir(backup());
    await writeFile(join(backup(), "thesis.txt"), "");
    await expectBackupRefused(`${backup()} is not empty and not a backup: it contains "thesis.txt".`);
  });

  test("the backup of another store", async () => {
    await using other = await startStore();
    await runCli(["backup", backup()], other.dataFolder);
    await expectBackupRefused("is the backup of another store");
  });

  test("a backup in a newer format, and a backup with a damaged manifest", async () => {
    await runBackup();
    const text = await readFile(join(backup(), "backup.json"), "utf8");
    await writeFile(join(backup(), "backup.json"), JSON.stringify({ ...JSON.parse(text), format: 2, other: true }));
    await expectBackupRefused("was written by a newer version of Image Store (format 2)");
    expect((await runRestore()).err).toContain("newer version");
    await writeFile(join(backup(), "backup.json"), text.slice(0, 30));
    await expectBackupRefused("is damaged: it is not JSON");
    await writeFile(join(backup(), "backup.json"), "{}");
    await expectBackupRefused("is damaged, or not the manifest of a backup");
  });

  test("a path that is not a folder and cannot become one", async () => {
    await writeFile(backup(), "");
    await expectBackupRefused(`${backup()}: it is no folder`);
    const inside = await runCli(["backup", join(backup(), "inside")], store().dataFolder);
    expect([inside.code, inside.err]).toEqual([1, expect.stringContaining("inside: it is no folder") as string]);
  });

  test("a folder that another backup is using", async () => {
    await runBackup();
    const database = openDatabaseFile(join(backup(), "lock.sqlite"));
    database.run("begin exclusive");
    await expectBackupRefused(`Another process uses the backup in ${backup()}.`);
    expect((await runRestore()).err).toContain("Another process uses the backup");
    database.close();
  });

  test("to run without a store, and creates nothing", async () => {
    const { code, err } = await runCli(["backup", backup()], join(home(), "nowhere"));
    expect(code).toBe(1);
    expect(err).toContain("There is no store");
    expect(await readdir(home())).toEqual([]);
  });
});
