import { Database } from "bun:sqlite";
import { StoreOpenError } from "../../../domain/open-error.ts";
import { openPrivately } from "../../files/private-files.ts";

/** The first version without a bug by which a reset of the write-ahead log could damage the database (sqlite.org/wal.html). */
const OLDEST_SQLITE = "3.51.3";

const BUSY_TIMEOUT_MS = 5000;
const CACHE_KIB = 16_384;
/** Size of the write-ahead log file that is kept after a large change. */
const JOURNAL_BYTES = 64 * 1024 * 1024;
/**
 * Size of the write-ahead log, in pages, at which a checkpoint runs. A checkpoint delays every write, and copies a page once
 * however often it was written. A start after a crash reads all of them, in 50 ms.
 */
const CHECKPOINT_PAGES = 16_000;

export interface ConnectionOptions {
  readonly readonly: boolean;
  /** Of pages. */
  readonly cacheKiB?: number;
}

/**
 * Opens a connection whose commits survive a power failure.
 * @throws StoreOpenError `unsafe_engine`
 */
export function openConnection(path: string, { readonly, cacheKiB = CACHE_KIB }: ConnectionOptions): Database {
  const options = readonly ? { readonly, strict: true } : { create: true, strict: true };
  const db = openPrivately(path, () => new Database(path, options));
  try {
    requireVersion((db.query("select sqlite_version() as version").get() as { version: string }).version);
    // First, since the next pragmas may wait for a lock.
    setPragma(db, "busy_timeout", BUSY_TIMEOUT_MS, BUSY_TIMEOUT_MS);
    setPragma(db, "journal_mode", "wal", "wal");
    // Many builds default to NORMAL with WAL, which loses commits in a power failure.
    setPragma(db, "synchronous", "full", 2);
    setPragma(db, "foreign_keys", "on", 1);
    setPragma(db, "cache_size", -cacheKiB, -cacheKiB);
    setPragma(db, "journal_size_limit", JOURNAL_BYTES, JOURNAL_BYTES);
    setPragma(db, "wal_autocheckpoint", CHECKPOINT_PAGES, CHECKPOINT_PAGES);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

export function requireVersion(version: string): void {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  const [oldestMajor = 0, oldestMinor = 0, oldestPatch = 0] = OLDEST_SQLITE.split(".").map(Number);
  const newer = major - oldestMajor || minor - oldestMinor || patch - oldestPatch;
  if (newer < 0)
    throw new StoreOpenError("unsafe_engine", `SQLite ${version} can damage data. Use ${OLDEST_SQLITE} or later.`);
}

function setPragma(db: Database, name: string, value: string | number, expected: string | number): void {
  db.run(`pragma ${name} = ${value}`);
  const row = db.query(`pragma ${name}`).get() as Record<string, unknown>;
  const [actual] = Object.values(row);
  if (actual !== expected)
    throw new StoreOpenError(
      "unsafe_engine",
      `SQLite did not set ${name} to ${value} for ${db.filename}; it is ${String(actual)}.`,
    );
}
