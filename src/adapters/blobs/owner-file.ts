import { readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { OwnedBlobs } from "../../domain/owned-blobs.ts";
import { close, fdatasync, isMissing, open, writeAll } from "../files/file-system.ts";
import type { FolderSync } from "./folder-sync.ts";

/** In the folder of the blobs, and under the prefix of a bucket: a line with the id of the store that they belong to. */
export const OWNER_NAME = "store-id";

const STORE_ID = /^[\w-]{1,64}$/;

export const formatOwner = (storeId: string): string => `${storeId}\n`;

/** @throws Error when the text is no id of a store; `where` names the file or object in the message */
export function parseOwner(text: string, where: string): string {
  const storeId = text.trim();
  if (!STORE_ID.test(storeId)) throw new Error(`${where} does not hold the id of a store. Restore it from a backup.`);
  return storeId;
}

/** Undefined where there is no file. */
export async function readOwnerFile(folder: string): Promise<string | undefined> {
  const path = join(folder, OWNER_NAME);
  try {
    return parseOwner(await readFile(path, "utf8"), path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Creates or replaces the file; durable when it resolves. Only for the process that holds the lock of the folder. */
export async function writeOwnerFile(folder: string, storeId: string, folders: FolderSync): Promise<void> {
  const path = join(folder, OWNER_NAME);
  const fd = await open(`${path}.new`, "w", 0o600);
  try {
    await writeAll(fd, Buffer.from(formatOwner(storeId)));
    await fdatasync(fd);
  } finally {
    await close(fd);
  }
  await rename(`${path}.new`, path);
  await folders.sync(folder);
}

/** Claims run one after the other; the folder's lock keeps out those of other processes. */
export function createFolderOwner(folder: string, folders: FolderSync): OwnedBlobs {
  let claiming: Promise<unknown> = Promise.resolve();

  async function claimNow(storeId: string): Promise<string> {
    const owner = await readOwnerFile(folder);
    if (owner !== undefined) return owner;
    await writeOwnerFile(folder, storeId, folders);
    return storeId;
  }

  return {
    owner: () => readOwnerFile(folder),
    claim(storeId) {
      const claimed = claiming.then(() => claimNow(storeId));
      claiming = claimed.catch(() => undefined);
      return claimed;
    },
  };
}
