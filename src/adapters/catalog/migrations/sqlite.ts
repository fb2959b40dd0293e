import type { Database } from "bun:sqlite";
import { dirname } from "node:path";
import { CatalogOpenError } from "../open-error.ts";
import { lockFolder } from "../sqlite/lock.ts";
import { begin } from "./sqlite-0001-begin.ts";
import { describe } from "./sqlite-0002-describe.ts";
import { share } from "./sqlite-0003-share.ts";

/** In order; the version of a catalog is how many of them it has had. One that was released is never changed. */
const MIGRATIONS: readonly ((db: Database) => void)[] = [begin, describe, share];

/**
 * All in one transaction, so that a catalog is never between two versions.
 * @throws CatalogOpenError `newer_version`
 */
export function migrate(db: Database): void {
  if (versionOf(db) === MIGRATIONS.length) return;
  db.transaction(() => {
    const version = versionOf(db);
    if (version > MIGRATIONS.length)
      throw new CatalogOpenError(
        "newer_version",
        `${db.filename} was written by a newer version of Image Store (catalog version ${version}; ` +
          `this one knows up to ${MIGRATIONS.length}). Start that version, or a later one.`,
      );
    for (const apply of MIGRATIONS.slice(version)) apply(db);
    db.run(`pragma user_version = ${MIGRATIONS.length}`);
  }).immediate();
}

/**
 * For whoever opens it beside a server: that may be of an older version, and would not know its tables any more. So only
 * who has the folder's lock migrates.
 * @throws CatalogOpenError `newer_version`, `older_version` when a server uses it
 */
export function migrateUnserved(db: Database): void {
  if (versionOf(db) >= MIGRATIONS.length) return migrate(db);
  try {
    using _ = lockFolder(dirname(db.filename));
    migrate(db);
  } catch (cause) {
    if (!(cause instanceof CatalogOpenError) || cause.reason !== "folder_in_use") throw cause;
    // It may be a server of this version, which has just started.
    if (versionOf(db) === MIGRATIONS.length) return;
    throw new CatalogOpenError(
      "older_version",
      `${db.filename} was written by an older version of Image Store, and a server uses it. Stop that server and start ` +
        "this version of it, or use the version that it is of.",
      { cause },
    );
  }
}

const versionOf = (db: Database): number =>
  (db.query("pragma user_version").get() as { user_version: number }).user_version;
