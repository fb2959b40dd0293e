import type { Database } from "bun:sqlite";
import { dirname } from "node:path";
import { StoreOpenError } from "../../../domain/open-error.ts";
import { lockFolder } from "../sqlite/lock.ts";
import { begin } from "./sqlite-0001-begin.ts";
import { describe } from "./sqlite-0002-describe.ts";
import { share } from "./sqlite-0003-share.ts";
import { filters } from "./sqlite-0004-filters.ts";
import { access } from "./sqlite-0005-access.ts";
import { checksums } from "./sqlite-0006-checksums.ts";
import { webhooks } from "./sqlite-0007-webhooks.ts";

/**
 * The version of a catalog is the number of migrations that it has had. A migration never changes once it is released; a test
 * checks that.
 */
export const MIGRATIONS: readonly ((db: Database) => void)[] = [
  begin,
  describe,
  share,
  filters,
  access,
  checksums,
  webhooks,
];

/**
 * Migrates in one transaction, so a catalog is never between two versions.
 * @throws StoreOpenError `newer_version`, `foreign_schema`, `older_version` for one of a development version
 */
export function migrate(db: Database): void {
  requireCatalog(db);
  if (versionOf(db) === MIGRATIONS.length) return;
  db.transaction(() => {
    // Another process may have created or migrated it meanwhile.
    requireCatalog(db);
    const version = versionOf(db);
    if (version > MIGRATIONS.length)
      throw new StoreOpenError(
        "newer_version",
        `${db.filename} was written by a newer version of Image Store (catalog version ${version}; ` +
          `this one knows up to ${MIGRATIONS.length}). Start that version, or a later one.`,
      );
    for (const apply of MIGRATIONS.slice(version)) apply(db);
    db.run(`pragma user_version = ${MIGRATIONS.length}`);
  }).immediate();
}

/**
 * For a process beside a server: a server of an older version would not know the new tables, so the catalog is migrated only
 * under the folder's lock.
 * @throws StoreOpenError `newer_version`, `older_version` when a server uses it
 */
export function migrateUnserved(db: Database): void {
  requireCatalog(db);
  if (versionOf(db) >= MIGRATIONS.length) return migrate(db);
  try {
    using _ = lockFolder(dirname(db.filename));
    migrate(db);
  } catch (cause) {
    if (!(cause instanceof StoreOpenError) || cause.reason !== "folder_in_use") throw cause;
    // A server of this version may have just started.
    if (versionOf(db) === MIGRATIONS.length) return;
    throw new StoreOpenError(
      "older_version",
      `${db.filename} was written by an older version of Image Store, and a server uses it. Stop that server and start ` +
        "this version, or use the older version.",
      { cause },
    );
  }
}

/** The file must be empty or a catalog. */
function requireCatalog(db: Database): void {
  const isTable = db.query("select 1 from sqlite_master where type = 'table' and name = ?1");
  const isForeign =
    versionOf(db) === 0
      ? db.query("select 1 from sqlite_master where type = 'table'").get() !== null
      : ["store", "albums", "log_state"].some((name) => isTable.get(name) === null);
  if (isForeign)
    throw new StoreOpenError(
      "foreign_schema",
      `${db.filename} is a database of another program. Nothing was changed. Set IMAGE_STORE_CATALOG_URL to ` +
        "a file of the store's own.",
    );
  // Its second migration was changed before the first release.
  if (db.query("select 1 from pragma_table_info('link_keys') where name = 'only'").get() !== null)
    throw new StoreOpenError(
      "older_version",
      `${db.filename} was written by a development version of Image Store from before 0.1.0, and can't be upgraded. ` +
        "Start that version (commit 00ff35a or near), download the images, and upload them to a new store.",
    );
}

const versionOf = (db: Database): number =>
  (db.query("pragma user_version").get() as { user_version: number }).user_version;
