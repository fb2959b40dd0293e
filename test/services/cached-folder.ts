import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

/** Where programs of others are kept that tests fetch once; not in git. */
export const CACHE = join(import.meta.dir, "../../.cache");

type Fill = (empty: string) => Promise<void>;

const underWay = new Map<string, Promise<string>>();

/**
 * Filled once, by the first process; of several at a time the first to end wins, and none sees a half-filled one.
 * @param fill writes into the empty folder that it is given
 * @returns `folder`
 */
export async function cachedFolder(folder: string, fill: Fill): Promise<string> {
  if (existsSync(folder)) return folder;
  const filling = underWay.get(folder) ?? fillFolder(folder, fill).finally(() => underWay.delete(folder));
  underWay.set(folder, filling);
  return filling;
}

async function fillFolder(folder: string, fill: Fill): Promise<string> {
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
