import { afterEach, beforeEach } from "bun:test";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { startStore, type TestStore } from "../../http/harness.ts";
import { openDatabaseFile } from "../../open-database-file.ts";
import { newFolder, removeFolder } from "../../temporary-folder.ts";
import { runCli } from "../run-cli.ts";

interface Manifest {
  readonly format: number;
  readonly storeId: string;
  readonly backup: { readonly catalog: { readonly sha256: string } };
}

export const filesIn = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name).slice(folder.length + 1)] : []))
    .sort();
};
export const rowsOf = <Row>(path: string, sql: string): Row[] => {
  const database = openDatabaseFile(path);
  const rows = database.query(sql).all() as Row[];
  database.close();
  return rows;
};

export const LOG_STATE = 'select epoch, floor as "prunedThrough", head as "lastSequence" from log_state';
export const RESTORED_BLOBS = "select key, location from blobs where location <> ''";

/** A store for each test, its backup, and the folder in which that is restored. */
export function useBackedUpStore() {
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
  const blobFile = (digest: string) => join(backup, "blobs", digest.slice(0, 2), digest);

  const manifest = async () => JSON.parse(await readFile(join(backup, "backup.json"), "utf8")) as Manifest;
  /** Changes the catalog of the running store, as no client can. */
  function alter(sql: string, ...values: string[]): void {
    const database = openDatabaseFile(join(store.dataFolder, "catalog.sqlite"));
    database.run(sql, values);
    database.close();
  }

  return {
    home: () => home,
    store: () => store,
    backup: () => backup,
    restored: () => restored,
    runBackup,
    runRestore,
    startRestored,
    alter,
    blobFile,
    manifest,
  };
}
