import { Database } from "bun:sqlite";
import { existsSync } from "node:fs";
import type { NewBlob } from "../../../domain/blob.ts";
import { StoreOpenError } from "../../../domain/open-error.ts";
import { migrate } from "../migrations/sqlite.ts";
import { NEEDED_BLOBS, type SnapshotBlob } from "./snapshot.ts";

/**
 * A snapshot that becomes the catalog of a restored store. It lies beside the final path, under a name that no store opens, and
 * records which bytes are restored, so an interrupted restore can go on.
 */
export interface RestoringCatalog extends Disposable {
  readonly storeId: string;
  /** The next blobs whose bytes are not restored yet, in the order of keys. */
  missing(query: { afterKey: string; limit: number }): readonly SnapshotBlob[];
  /** Whether a blob with this key is recorded as restored. */
  has(key: string): boolean;
  /** Number and size in bytes of the restored blobs. */
  restored(): { readonly blobs: number; readonly bytes: number };
  /** Gives the image whose blob had the key `from` the new blob. Durable when it returns. */
  record(blobs: readonly RestoredBlob[]): void;
  /**
   * Begins a new epoch of the log, at least this one, in which durable cursors go on where they were. Only the rename to the final
   * path follows. May be repeated. Returns how many webhooks are paused.
   */
  finish(epoch: number, options: { readonly pauseWebhooks: boolean }): number;
}

export interface RestoredBlob {
  readonly from: string;
  readonly blob: Pick<NewBlob, "key" | "location">;
}

/** The backup that is being restored, and the real path of the folder that its bytes go to. */
export interface Restoration {
  readonly backupId: string;
  readonly blobsFolder: string;
}

/** Path of a catalog while it is being restored. */
export const restoringPath = (path: string): string => `${path}.restoring`;
/** Path of the copy of the snapshot, which may be incomplete. */
export const newRestoringPath = (path: string): string => `${path}.restoring.new`;

/** @throws StoreOpenError `half_restored` */
export function refuseHalfRestored(path: string): void {
  if (existsSync(restoringPath(path)) || existsSync(newRestoringPath(path)))
    throw new StoreOpenError(
      "half_restored",
      `${path} is being restored, or its restore was interrupted. Run image-store restore again, or empty the folder.`,
    );
}

/**
 * An expired hold marks a restore: it needs no table of its own, may stay in the catalog, so an interrupted finish is repeated,
 * and the next hold removes it.
 */
const MARK = "restore ";

/** The restore that this file belongs to; undefined if there is no file. */
export function restorationIn(path: string): Restoration | undefined {
  if (!existsSync(path)) return undefined;
  const db = new Database(path, { readwrite: true, strict: true });
  try {
    const query = db.query<{ id: string }, [string]>("select id from holds where until = 0 and id glob ?1");
    const mark = query.get(`${MARK}*`);
    if (mark === null) throw new Error(`${path} does not belong to a restore. Empty the folder, and run this again.`);
    return JSON.parse(mark.id.slice(MARK.length)) as Restoration;
  } finally {
    db.close();
  }
}

/**
 * Makes a copied snapshot ready to be filled.
 * @throws StoreOpenError `newer_version`
 */
export function beginRestoration(path: string, restoration: Restoration): void {
  using db = openDatabase(path);
  migrate(db);
  db.transaction(() => {
    db.run(`delete from blobs where key not in (select b.key from ${NEEDED_BLOBS})`);
    // A location is valid only in its own store.
    db.run("update blobs set location = ''");
    db.run("delete from holds");
    db.run("insert into holds (id, until) values (?1, 0)", [MARK + JSON.stringify(restoration)]);
  }).immediate();
}

/** Opens a catalog whose restore has begun. */
export function openRestoringCatalog(path: string): RestoringCatalog {
  const db = openDatabase(path);
  try {
    // A placeholder for bytes that an earlier run lacked has a key of other bytes. The backup may have the bytes now.
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
  const countPaused = db.query<{ webhooks: number }, []>(
    "select count(*) as webhooks from webhooks where paused = 1 and disabled_at is null",
  );
  const isRecorded = db.query("select 1 from blobs where key = ?1 and location <> ''");
  const update = db.query("update blobs set key = ?2, location = ?3 where key = ?1 and location = ''");

  return {
    storeId: (db.query("select store_id as storeId from store").get() as { storeId: string }).storeId,
    missing: ({ afterKey, limit }) => selectMissing.all(afterKey, limit),
    has: (key) => isRecorded.get(key) !== null,
    restored: () => sumRestored.get() ?? { blobs: 0, bytes: 0 },
    record(blobs) {
      db.transaction(() => {
        for (const { from, blob } of blobs) update.run(from, blob.key, blob.location);
      }).immediate();
    },
    finish(epoch, { pauseWebhooks }) {
      db.transaction(() => {
        db.run("update log_state set epoch = max(epoch + 1, ?1)", [epoch]);
        db.run("update cursors set seq = min(seq, (select head from log_state))");
        db.run("update webhook_readers set position = min(position, (select head from log_state))");
        if (pauseWebhooks)
          db.run(
            "update webhooks set paused = 1, revision = revision + 1, updated_at = max(updated_at, ?1) where paused = 0",
            [Date.now()],
          );
      }).immediate();
      return countPaused.get()?.webhooks ?? 0;
    },
    [Symbol.dispose]: () => db.close(),
  };
}
