import { realpath } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { EmbeddedConfig } from "../embedded.ts";

/**
 * A backup within the store's folders is lost with them, and either would remove what is the other's: the one empties its
 * `tmp`, the other drops its variants.
 * @throws Error
 */
export async function requireApart(backup: string, { dataFolder, catalog, blobs }: EmbeddedConfig): Promise<void> {
  const backupPath = await realPathOf(resolve(backup));
  for (const folder of [dataFolder, dirname(catalog.path), blobs.path]) {
    const path = await realPathOf(resolve(folder));
    if (isWithin(backupPath, path) || isWithin(path, backupPath))
      throw new Error(
        `${backup} and ${folder}, where the store is, have to be apart: neither may lie within the other.`,
      );
  }
}

const isWithin = (inner: string, outer: string): boolean => !/^\.\.(\/|$)/.test(relative(outer, inner));

/** Without symbolic links, also of what is not there yet. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") return path;
    return join(await realPathOf(dirname(path)), basename(path));
  }
}
