import { Database } from "bun:sqlite";

const BUSY_TIMEOUT_MS = 60_000;

/** A database whose store may be running: statements wait while the store holds a lock. */
export function openDatabaseFile(path: string, options?: { readonly?: true; create?: true }): Database {
  const database = new Database(path, options);
  database.run(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
  return database;
}
