import { Database, SQLiteError } from "bun:sqlite";
import { join } from "node:path";
import { StoreOpenError } from "../../../domain/open-error.ts";
import { openPrivately } from "../../files/private-files.ts";

/**
 * Locks the folder until the lock is disposed of or the process ends. The kernel releases it however the process ends; a file with
 * a process id would be stale after `kill -9`.
 * @throws StoreOpenError `folder_in_use`
 */
export function lockFolder(folder: string): Disposable {
  const path = join(folder, "lock.sqlite");
  const db = openPrivately(path, () => new Database(path, { create: true }));
  try {
    db.run("pragma busy_timeout = 0");
    db.run("begin exclusive");
  } catch (cause) {
    db.close();
    if (!(cause instanceof SQLiteError) || cause.code?.startsWith("SQLITE_BUSY") !== true) throw cause;
    throw new StoreOpenError("folder_in_use", `Another server uses this folder: ${folder}`, { cause });
  }
  return { [Symbol.dispose]: () => db.close() };
}
