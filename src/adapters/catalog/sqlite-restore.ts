import { Database, type SQLQueryBindings } from "bun:sqlite";
import { existsSync } from "node:fs";
import type { NewBlob } from "../../domain/change.ts";
import { migrate } from "./migrations/sqlite.ts";
import { CatalogOpenError } from "./open-error.ts";
import { NEEDED_BLOBS, type SnapshotBlob } from "./sqlite-snapshot.ts";

/**
 * A snapshot on its way to become the catalog of a restored store. It lies beside the place of the catalog, under a name
 * with which no store opens, and says which bytes are there already: what was interrupted goes on from it.
 */
export interface RestoringCatalog extends Disposable {
  /** The next whose bytes are not there yet, in key order. */
  missing(query: { afterKey: string; limit: number }): readonly SnapshotBlob[];
  /** Which of these keys are of bytes that are there. */
  recorded(keys: readonly string[]): ReadonlySet<string>;
  /** Durable when it returns: the image whose blob had the key `from` owns this one now. */
  record(blobs: readonly RestoredBlob[]): void;
  /**
   * Opens a new epoch of the log, in which durable cursors go on where they were. Nothing comes after it but the rename to
   * its place. `now` in milliseconds since 1970.
   */
  finish(now: number): void;
}

export interface RestoredBlob {
  readonly from: string;
  readonly blob: Pick<NewBlob, "key" | "location">;
}

/** Where the catalog of a store is while it is being restored. */
export const restoringPath = (path: string): string => `${path}.restoring`;

/** @throws CatalogOpenError `half_restored` */
export function refuseHalfRestored(path: string): void {
  if (existsSync(restoringPath(path)))
    throw new CatalogOpenError(
      "half_restored",
      `${path} is being restored, or that was interrupted: run image-store restore again, or empty the folder.`,
    );
}

/** The backup from which this file is being restored; undefined for one that was cut off before that was known. */
export function backupBeingRestored(path: string): string | undefined {
  if (!existsSync(path)) return undefined;
  const db = new Database(path, { readwrite: true, strict: true });
  try {
    return (db.query("select backup_id as id from restoring").get() as { id: string }).id;
  } catch {
    // Half a copy.
    return undefined;
  } finally {
    db.close();
  }
}

/**
 * Makes a copied snapshot ready to be filled, unless it was before.
 * @throws CatalogOpenError `newer_version`
 */
export function openRestoringCatalog(path: string, backupId: string): RestoringCatalog {
  const db = new Database(path, { readwrite: true, strict: true });
  try {
    db.run("pragma synchronous = extra");
    if (db.query("select 1 from sqlite_schema where name = 'restoring'").get() === null) begin(db, backupId);
    return fill(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

function begin(db: Database, backupId: string): void {
  migrate(db);
  db.transaction(() => {
    db.run(`delete from blobs where key not in (select b.key from ${NEEDED_BLOBS})`);
    // A location means nothing in another store.
    db.run("update blobs set location = ''");
    db.run("delete from holds");
    db.run("create table restoring (backup_id text not null) strict");
    db.run("insert into restoring values (?1)", [backupId]);
  }).immediate();
}

function fill(db: Database): RestoringCatalog {
  const selectMissing = db.query<SnapshotBlob, [string, number]>(
    `select b.key, b.location, b.size, b.sha256, a.name || '/' || i.name as image
     from ${NEEDED_BLOBS} and b.location = '' and b.key > ?1 order by b.key limit ?2`,
  );
  const isRecorded = db.query<unknown, SQLQueryBindings[]>("select 1 from blobs where key = ?1 and location <> ''");
  const update = db.query("update blobs set key = ?2, location = ?3 where key = ?1 and location = ''");

  return {
    missing: ({ afterKey, limit }) => selectMissing.all(afterKey, limit),
    recorded: (keys) => new Set(keys.filter((key) => isRecorded.get(key) !== null)),
    record(blobs) {
      db.transaction(() => {
        for (const { from, blob } of blobs) update.run(from, blob.key, blob.location);
      }).immediate();
    },
    finish(now) {
      db.transaction(() => {
        db.run("update log_state set epoch = max(epoch + 1, ?1)", [Math.floor(now / 60_000)]);
        db.run("update cursors set seq = min(seq, (select head from log_state))");
        db.run("drop table restoring");
      }).immediate();
    },
    [Symbol.dispose]: () => db.close(),
  };
}
