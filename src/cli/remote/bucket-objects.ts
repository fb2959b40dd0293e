import type { FoundObject } from "../../adapters/blobs/s3/source.ts";
import { openTemporaryDatabase } from "./listing.ts";

/** An object, with its key as a path: the folder is `.` for objects directly under the prefix. */
export interface BucketObject extends FoundObject {
  readonly folder: string;
  readonly name: string;
}

/** The objects of a bucket by their folders, on disk: a key begins as others of its folder do, but does not stand beside them. */
export interface BucketObjects extends Disposable {
  add(object: BucketObject): void;
  find(folder: string, name: string): BucketObject | undefined;
  folders(): Generator<string, void>;
  in(folder: string): Generator<BucketObject, void>;
}

const PAGE = 500;
const COLUMNS = "folder, name, key, size, etag, modifiedAt";

export function openBucketObjects(): BucketObjects {
  const database = openTemporaryDatabase(
    `CREATE TABLE objects (folder TEXT, name TEXT, key TEXT, size INTEGER, etag TEXT, modifiedAt INTEGER,
      PRIMARY KEY (folder, name)) WITHOUT ROWID`,
  );
  const insert = database.query(`INSERT OR REPLACE INTO objects (${COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)`);
  const select = database.query<BucketObject, [string, string]>(
    `SELECT ${COLUMNS} FROM objects WHERE folder = ? AND name = ?`,
  );
  const selectPage = database.query<BucketObject, [string, string, number]>(
    `SELECT ${COLUMNS} FROM objects WHERE folder = ? AND name > ? ORDER BY name LIMIT ?`,
  );
  const selectFolder = database.query<{ folder: string }, [string]>(
    "SELECT folder FROM objects WHERE folder > ? ORDER BY folder LIMIT 1",
  );
  return {
    add: ({ folder, name, key, size, etag, modifiedAt }) => void insert.run(folder, name, key, size, etag, modifiedAt),
    find: (folder, name) => select.get(folder, name) ?? undefined,
    *folders() {
      for (let next = selectFolder.get(""); next !== null; next = selectFolder.get(next.folder)) yield next.folder;
    },
    *in(folder) {
      for (let after = ""; ; ) {
        const rows = selectPage.all(folder, after, PAGE);
        yield* rows;
        if (rows.length < PAGE) return;
        after = rows.at(-1)?.name ?? "";
      }
    },
    [Symbol.dispose]: () => database.close(),
  };
}
