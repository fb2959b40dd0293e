import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import type { NewBlob } from "../../../domain/blob.ts";
import { migrate } from "../migrations/sqlite.ts";
import { CatalogOpenError } from "../open-error.ts";
import { NEEDED_BLOBS, type SnapshotBlob } from "./snapshot.ts";

/**
 * A snapshot on its way to become the catalog of a restored store. It lies beside the place of the catalog, under a name
 * with which no store opens, and says which bytes are there already: what was interrupted goes on from it.
 */
export interface RestoringCatalog extends Disposable {
  /** The next whose bytes are not there yet, in key order. */
  missing(query: { afterKey: string; limit: number }): readonly SnapshotBlob[];
  /** Whether it was recorded that bytes with this key are there. */
  has(key: string): boolean;
  /** How many were recorded, and their size in bytes. */
  restored(): { readonly blobs: number; readonly bytes: number };
  /** Durable when it returns: the image whose blob had the key `from` owns this one now. */
  record(blobs: readonly RestoredBlob[]): void;
  /**
   * Opens a new epoch of the log, this one or a higher, in which durable cursors go on where they were. Nothing comes after
   * it but the rename to its place; it may be repeated.
   */
  finish(epoch: number): void;
}

export interface RestoredBlob {
  readonly from: string;
  readonly blob: Pick<NewBlob, "key" | "location">;
}

/** Of which backup a store is being restored, and where its bytes go: its real path. */
export interface Restoration {
  readonly backupId: string;
  readonly blobsFolder: string;
}

/** Where the catalog of a store is while it is being restored. */
export const restoringPath = (path: string): string => `${path}.restoring`;
/** And before it is known as that: a copy, maybe half of one. */
export const newRestoringPath = (path: string): string => `${path}.restoring.new`;

/** @throws CatalogOpenError `half_restored` */
export function refuseHalfRestored(path: string): void {
  if (existsSync(restoringPath(path)) || existsSync(newRestoringPath(path)))
    throw new CatalogOpenError(
      "half_restored",
      `${path} is being restored, or that was interrupted: run image-store restore again, or empty the folder.`,
    );
}

/**
 * The mark of a restore is a hold that has lapsed: it needs no table of its own, may stay behind in the catalog, so that
 * also a finish that was cut off is repeated, and goes when somebody takes the next hold.
 */
const MARK = "restore ";

/** The restore that this file belongs to; undefined where there is no file. */
export function restorationIn(path: string): Restoration | undefined {
  if (!existsSync(path)) return undefined;
  const db = new Database(path, { readwrite: true, strict: true });
  try {
    const query = db.query<{ id: string }, [string]>("select id from holds where until = 0 and id glob ?1");
    const mark = query.get(`${MARK}*`);
    if (mark === null) throw new Error(`${path} is of no restore. Empty the folder, and run this again.`);
    return JSON.parse(mark.id.slice(MARK.length)) as Restoration;
  } finally {
    db.close();
  }
}

/**
 * Makes a copied snapshot ready to be filled.
 * @throws CatalogOpenError `newer_version`
 */
export function beginRestoration(path: string, restoration: Restoration): void {
  using db = openDatabase(path);
  migrate(db);
  db.transaction(() => {
    db.run(`delete from blobs where key not in (select b.key from ${NEEDED_BLOBS})`);
    // A location means nothing in another store.
    db.run("update blobs set location = ''");
    db.run("delete from holds");
    db.run("insert into holds (id, until) values (?1, 0)", [MARK + JSON.stringify(restoration)]);
  }).immediate();
}

/** One that was begun, and maybe filled in part. */
export function openRestoringCatalog(path: string): RestoringCatalog {
  const db = openDatabase(path);
  try {
    // What stands in for bytes that an earlier run did not find is another's by its key. The backup may have them now.
    db.run("update blobs set location = '' where location <> '' and substr(key, 1, 64) <> sha256");
    return fill(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

function openDatabase(path: string): Database {
  const db = new Database(path, { readwrite: true, strict: true });
  db.run("pragma synchronous = extra");
  return db;
}

function fill(db: Database): RestoringCatalog {
  const selectMissing = db.query<SnapshotBlob, [string, number]>(
    `select b.key, b.location, b.size, b.sha256, a.name || '/' || i.name as image
     from ${NEEDED_BLOBS} and b.location = '' and b.key > ?1 order by b.key limit ?2`,
  );
  const sumRestored = db.query<ReturnType<RestoringCatalog["restored"]>, []>(
    `select count(*) as blobs, coalesce(sum(b.size), 0) as bytes from ${NEEDED_BLOBS} and b.location <> ''`,
  );
  const isRecorded = db.query("select 1 from blobs where key = ?1 and location <> ''");
  const update = db.query("update blobs set key = ?2, location = ?3 where key = ?1 and location = ''");

  return {
    missing: ({ afterKey, limit }) => selectMissing.all(afterKey, limit),
    has: (key) => isRecorded.get(key) !== null,
    restored: () => sumRestored.get() ?? { blobs: 0, bytes: 0 },
    record(blobs) {
      db.transaction(() => {
        for (const { from, blob } of blobs) update.run(from, blob.key, blob.location);
      }).immediate();
    },
    finish(epoch) {
      db.transaction(() => {
        db.run("update log_state set epoch = max(epoch + 1, ?1)", [epoch]);
        db.run("update cursors set seq = min(seq, (select head from log_state))");
      }).immediate();
    },
    [Symbol.dispose]: () => db.close(),
  };
}
