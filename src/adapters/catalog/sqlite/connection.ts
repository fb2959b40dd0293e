import { Database } from "bun:sqlite";
import { CatalogOpenError } from "../open-error.ts";

/** The first without a bug by which a restarted write-ahead log could damage the database (sqlite.org/wal.html). */
const OLDEST_SQLITE = "3.51.3";

const BUSY_TIMEOUT_MS = 5000;
const CACHE_KIB = 16_384;
/** What a write-ahead log may keep of the disk after a large change. */
const JOURNAL_BYTES = 64 * 1024 * 1024;
/**
 * As much as the log may keep, in pages: every write waits while they are copied into the database and synced, and a page
 * that is written again before that is copied once. A start after a crash reads them all, in 50 ms.
 */
const CHECKPOINT_PAGES = 16_000;

/**
 * A connection that keeps what it commits, power cut included.
 * @throws CatalogOpenError `unsafe_engine`
 */
export function openConnection(path: string, { readonly }: { readonly: boolean }): Database {
  const db = new Database(path, readonly ? { readonly, strict: true } : { create: true, strict: true });
  try {
    requireVersion((db.query("select sqlite_version() as version").get() as { version: string }).version);
    // First, since the others may have to wait for a lock.
    setPragma(db, "busy_timeout", BUSY_TIMEOUT_MS, BUSY_TIMEOUT_MS);
    setPragma(db, "journal_mode", "wal", "wal");
    // Many builds take NORMAL for WAL, and lose what they acknowledged when the power goes.
    setPragma(db, "synchronous", "full", 2);
    setPragma(db, "foreign_keys", "on", 1);
    setPragma(db, "cache_size", -CACHE_KIB, -CACHE_KIB);
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
    throw new CatalogOpenError(
      "unsafe_engine",
      `SQLite ${version} can damage data; ${OLDEST_SQLITE} or later is needed.`,
    );
}

function setPragma(db: Database, name: string, value: string | number, expected: string | number): void {
  db.run(`pragma ${name} = ${value}`);
  const row = db.query(`pragma ${name}`).get() as Record<string, unknown>;
  const [actual] = Object.values(row);
  if (actual !== expected)
    throw new CatalogOpenError(
      "unsafe_engine",
      `SQLite did not take ${name} = ${value} for ${db.filename}; it is ${String(actual)}.`,
    );
}
