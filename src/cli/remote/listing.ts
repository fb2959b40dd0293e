import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Listed {
  readonly sha256: string;
  /** Its fields, as a sidecar has them. */
  readonly sidecar: string;
}

/** Names of a side of a sync, on disk, so that memory stays flat for a million of them. */
export interface Listing extends Disposable {
  add(name: string, image: Listed): void;
  /** Marks a name of the other side. `isTwice`: it was marked before. */
  mark(name: string): { readonly image: Listed | undefined; readonly isTwice: boolean };
  isMarked(name: string): boolean;
  /** Names that were added and not marked. */
  unmarked(): Generator<string, void>;
}

const PAGE = 1000;

/**
 * A database without a name is in memory as a whole in the runtime's SQLite. This is a file that loses its name once its only
 * transaction has begun: before that, SQLite would miss it.
 */
export function openTemporaryDatabase(schema: string): Database {
  const folder = mkdtempSync(join(tmpdir(), "image-store-"));
  try {
    const database = new Database(join(folder, "names.db"));
    database.run("PRAGMA journal_mode = OFF");
    database.run("PRAGMA synchronous = OFF");
    database.run("PRAGMA locking_mode = EXCLUSIVE");
    database.run("BEGIN EXCLUSIVE");
    database.run(schema);
    return database;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function openListing(): Listing {
  const database = openTemporaryDatabase(
    "CREATE TABLE names (name TEXT PRIMARY KEY, sha256 TEXT, sidecar TEXT, marked INTEGER) WITHOUT ROWID",
  );
  const insert = database.query("INSERT OR REPLACE INTO names VALUES (?, ?, ?, 0)");
  const insertMarked = database.query("INSERT INTO names VALUES (?, NULL, '', 1)");
  const update = database.query("UPDATE names SET marked = 1 WHERE name = ?");
  const select = database.query<{ sha256: string | null; sidecar: string; marked: number }, [string]>(
    "SELECT sha256, sidecar, marked FROM names WHERE name = ?",
  );
  const selectUnmarked = database.query<{ name: string }, [string, number]>(
    "SELECT name FROM names WHERE marked = 0 AND name > ? ORDER BY name LIMIT ?",
  );
  return {
    add: (name, { sha256, sidecar }) => void insert.run(name, sha256, sidecar),
    mark(name) {
      const row = select.get(name);
      if (row === null) insertMarked.run(name);
      else update.run(name);
      if (row === null || row.sha256 === null) return { image: undefined, isTwice: row !== null };
      return { image: { sha256: row.sha256, sidecar: row.sidecar }, isTwice: row.marked === 1 };
    },
    isMarked: (name) => select.get(name)?.marked === 1,
    *unmarked() {
      for (let after = ""; ; ) {
        const rows = selectUnmarked.all(after, PAGE);
        for (const { name } of rows) yield name;
        if (rows.length < PAGE) return;
        after = rows.at(-1)?.name ?? "";
      }
    },
    [Symbol.dispose]: () => database.close(),
  };
}
