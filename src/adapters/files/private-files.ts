import * as fs from "node:fs";
import { chmod, stat } from "node:fs/promises";
import { isMissing } from "./file-system.ts";

/** Permissions of the group and of all others. */
const OTHERS = 0o077;

/**
 * Opens a database. If that creates its file, only the owner may read it, and the files that SQLite creates beside it: by
 * itself SQLite uses what the process's umask leaves.
 */
export function openPrivately<Database>(path: string, open: () => Database): Database {
  const isNew = path !== ":memory:" && !fs.existsSync(path);
  const db = open();
  if (isNew) fs.chmodSync(path, 0o600);
  return db;
}

/** Returns those of the paths that exist and that other users of this machine may access. */
export async function openToOthers(paths: readonly string[]): Promise<readonly string[]> {
  const modes = await Promise.all(paths.map(modeOf));
  return paths.filter((_, index) => ((modes[index] ?? 0) & OTHERS) !== 0);
}

/** Removes the permissions of other users. Returns the paths that it changed, and those that it cannot change. */
export async function closeToOthers(paths: readonly string[]) {
  const found = await openToOthers(paths);
  const outcomes = await Promise.allSettled(
    found.map(async (path) => chmod(path, ((await modeOf(path)) ?? OTHERS) & ~OTHERS)),
  );
  const isClosed = (_: string, index: number) => outcomes[index]?.status === "fulfilled";
  return { closed: found.filter(isClosed), left: found.filter((path, index) => !isClosed(path, index)) };
}

/** Undefined where nothing exists at that path. */
async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o7777;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
