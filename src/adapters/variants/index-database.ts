import { Database, SQLiteError } from "bun:sqlite";
import { rmSync } from "node:fs";
import { openPrivately } from "../files/private-files.ts";

/** An index of another version is discarded: everything in the cache can be rendered again. */
const SCHEMA_VERSION = 1;
/** Bytes that the write-ahead log may keep of the disk after a large change. */
const JOURNAL_BYTES = 16 * 1024 * 1024;

const SCHEMA = `
  create table variants (
    name text primary key,
    generation text not null,
    image_id text not null,
    source_sha256 text not null,
    content_type text not null,
    size integer not null,
    sha256 text not null,
    used_at integer not null,
    sound_in integer not null
  ) strict, without rowid;
  create index variants_by_image on variants (image_id);
  create index variants_by_use on variants (used_at);
  create table refusals (
    id integer primary key,
    name text not null unique,
    image_id text not null,
    source_sha256 text not null,
    message text not null,
    refused_at integer not null
  ) strict;
  create index refusals_by_image on refusals (image_id);
  create table state (id integer primary key check (id = 1), run integer not null, epoch integer, seq integer) strict;
  insert into state values (1, 0, null, null);
  pragma user_version = ${SCHEMA_VERSION};
`;

/** @throws SQLiteError, Error when it is no index of this version */
export function openIndexDatabase(path: string): Database {
  const db = openPrivately(path, () => new Database(path, { create: true, strict: true }));
  try {
    // No other process may have it. This also avoids the memory that processes share: on a full disk, access to it kills.
    db.run("pragma locking_mode = exclusive");
    db.run("pragma journal_mode = wal");
    // A power cut may lose the last changes, and then all later ones too: no purge is lost whose position is kept.
    db.run("pragma synchronous = normal");
    db.run(`pragma journal_size_limit = ${JOURNAL_BYTES}`);
    inTransaction(db, () => {
      const version = versionOf(db);
      if (version === 0) db.run(SCHEMA);
      else if (version !== SCHEMA_VERSION) throw new Error(`The index has version ${version}.`);
      db.run("update state set run = run + 1");
    });
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function versionOf(db: Database): number {
  const statement = db.prepare<{ user_version: number }, []>("pragma user_version");
  try {
    return statement.get()?.user_version ?? 0;
  } finally {
    statement.finalize();
  }
}

export function removeIndexDatabase(path: string): void {
  for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(path + suffix, { force: true, recursive: true });
}

export function inTransaction<Result>(db: Database, work: () => Result): Result {
  db.run("begin immediate");
  try {
    const result = work();
    db.run("commit");
    return result;
  } catch (error) {
    // SQLite rolls back by itself when the disk is full.
    if (db.inTransaction) db.run("rollback");
    throw error;
  }
}

/** Whether another process has it. */
export const isBusy = (error: unknown): boolean =>
  error instanceof SQLiteError && error.code?.startsWith("SQLITE_BUSY") === true;

/** Whether the file can no longer be used as an index. */
export const isCorrupt = (error: unknown): boolean =>
  error instanceof SQLiteError && /^SQLITE_(CORRUPT|NOTADB|ERROR)/.test(error.code ?? "");
