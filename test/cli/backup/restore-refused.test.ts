import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { cp, mkdir, readdir, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "../../http/image-fixtures.ts";
import { openDatabaseFile } from "../../open-database-file.ts";
import { FINE, runCli } from "../run-cli.ts";
import { filesIn, useBackedUpStore } from "./backed-up-store.ts";

const { store, backup, restored, runBackup, runRestore, manifest } = useBackedUpStore();

const expectRestoreRefused = async (message: string, data = restored()) => {
  const { code, out, err } = await runCli(["restore", backup()], data);
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toContain(message);
};

describe("image-store restore refuses", () => {
  test("a folder that is not a backup, and changes nothing", async () => {
    await expectRestoreRefused("There is no backup");
    await mkdir(backup());
    await expectRestoreRefused("There is no backup");
    expect(await readdir(backup())).toEqual([]);
    expect(existsSync(restored())).toBe(false);
  });

  test("a backup whose first run was interrupted", async () => {
    await runBackup();
    const { format, storeId } = await manifest();
    await writeFile(join(backup(), "backup.json"), JSON.stringify({ format, storeId }));
    await expectRestoreRefused("was interrupted");
    expect(await runBackup()).toMatchObject(FINE);
  });

  test("a folder with a store or other files, and blobs of another store", async () => {
    await runBackup();
    await expectRestoreRefused("There is a store already", store().dataFolder);
    await mkdir(restored());
    await writeFile(join(restored(), "catalog.sqlite-wal"), "");
    await expectRestoreRefused(`${restored()} is not empty: it contains "catalog.sqlite-wal".`);
    expect(await readdir(restored())).toEqual(["catalog.sqlite-wal"]);
    await rm(join(restored(), "catalog.sqlite-wal"));
    await cp(join(store().dataFolder, "blobs"), join(restored(), "blobs"), { recursive: true });
    await expectRestoreRefused(`${join(restored(), "blobs")} is not empty`);
  });

  test("a folder that a server is using", async () => {
    await runBackup();
    await mkdir(restored());
    const database = openDatabaseFile(join(restored(), "lock.sqlite"), { create: true });
    database.run("begin exclusive");
    await expectRestoreRefused("Another server uses this folder");
    database.close();
    expect(await runRestore()).toMatchObject(FINE);
  });

  test("a damaged catalog, and leaves the target unchanged", async () => {
    await runBackup();
    const [name = ""] = (await filesIn(backup())).filter((file) => file.startsWith("catalog-"));
    await truncate(join(backup(), name), 4096);
    await expectRestoreRefused("The catalog of the backup is damaged");
    expect(existsSync(restored())).toBe(false);
  });

  test("a catalog of a newer version with exit code 2", async () => {
    await runBackup();
    const [name = ""] = (await filesIn(backup())).filter((file) => file.startsWith("catalog-"));
    const snapshot = openDatabaseFile(join(backup(), name));
    snapshot.run("pragma user_version = 1000");
    snapshot.close();
    const digest = sha256(await Bun.file(join(backup(), name)).bytes());
    const { backup: about, ...rest } = await manifest();
    const catalog = { ...about.catalog, sha256: digest };
    await writeFile(join(backup(), "backup.json"), JSON.stringify({ ...rest, backup: { ...about, catalog } }));
    expect(await runRestore()).toMatchObject({ code: 2, err: expect.stringContaining("newer version") as string });
  });
});
