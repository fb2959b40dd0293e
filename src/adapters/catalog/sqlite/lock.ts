import { Database, SQLiteError } from "bun:sqlite";
import { join } from "node:path";
import { CatalogOpenError } from "../open-error.ts";

/**
 * One server per folder, for as long as the process lives or until it is disposed of. The kernel lets go of the lock
 * however the process ends; a file with a process id in it would be wrong after `kill -9`.
 * @throws CatalogOpenError `folder_in_use`
 */
export function lockFolder(folder: string): Disposable {
  const db = new Database(join(folder, "lock.sqlite"), { create: true });
  try {
    db.run("pragma busy_timeout = 0");
    db.run("begin exclusive");
  } catch (cause) {
    db.close();
    if (!(cause instanceof SQLiteError) || cause.code?.startsWith("SQLITE_BUSY") !== true) throw cause;
    throw new CatalogOpenError("folder_in_use", `Another server uses this folder: ${folder}`, { cause });
  }
  return { [Symbol.dispose]: () => db.close() };
}
