import type { Database } from "bun:sqlite";
import { afterEach, beforeEach, setDefaultTimeout } from "bun:test";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { migrate } from "../../../src/adapters/catalog/migrations/sqlite.ts";
import { openConnection } from "../../../src/adapters/catalog/sqlite/connection.ts";
import { openSqliteCatalog, type SqliteCatalogOptions } from "../../../src/adapters/catalog/sqlite.ts";
import type { Catalog } from "../../../src/ports.ts";
import { newFolder } from "../../temporary-folder.ts";

export const failTest = (error: Error): never => {
  throw error;
};

/** With its writer in this thread. What is fatal to it fails the test. */
export const openCatalog = (path: string, more: Partial<SqliteCatalogOptions> = {}): Promise<Catalog> =>
  openSqliteCatalog({ path, exclusive: true, writer: "inline", onFatal: failTest, ...more });

/** A folder of its own for each test of the file, and what is opened in it. */
export function useCatalogFolder() {
  // Some make thousands of durable writes, on a disk that others use too.
  setDefaultTimeout(60_000);
  const at = { folder: "", path: "" };
  beforeEach(async () => {
    at.folder = await newFolder("catalog");
    at.path = join(at.folder, "catalog.sqlite");
  });
  afterEach(() => rm(at.folder, { recursive: true, force: true }));

  return {
    at,
    open: (more: Partial<SqliteCatalogOptions> = {}) => openCatalog(at.path, more),
    /** Migrated, for what no port shows. */
    openDatabase: (): Database => {
      const db = openConnection(at.path, { readonly: false });
      migrate(db);
      return db;
    },
  };
}
