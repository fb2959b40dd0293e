import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Where programs of others are kept that tests fetch once; not in git. */
export const CACHE = join(import.meta.dir, "../../.cache");

/**
 * Filled once, by whoever comes first; of several at a time the first to end wins, and nobody sees a half-filled one.
 * @param fill writes into the empty folder that it is given
 * @returns `folder`
 */
export async function cachedFolder(folder: string, fill: (empty: string) => Promise<void>): Promise<string> {
  if (existsSync(folder)) return folder;
  await mkdir(dirname(folder), { recursive: true });
  const temporary = await mkdtemp(join(dirname(folder), "fetch-"));
  try {
    const content = join(temporary, "content");
    await mkdir(content);
    await fill(content);
    await rename(content, folder).catch((error: unknown) => {
      if (!existsSync(folder)) throw error;
    });
  } finally {
    await rm(temporary, { recursive: true, force: true });
  }
  return folder;
}
