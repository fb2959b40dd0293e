import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { close, fsync, isForbidden, open } from "../files/file-system.ts";

/**
 * Creates a folder and its missing parents, for the store's own user only: they hold people's pictures. They are durable
 * when it resolves: otherwise a power cut could remove them with everything that was acknowledged in them.
 */
export async function makeFolder(path: string, sync = syncFolder): Promise<void> {
  const folder = resolve(path);
  // Also for a folder that exists: the start that created it may have been cut off before its sync.
  const firstMade = (await mkdir(folder, { recursive: true, mode: 0o700 })) ?? folder;
  for (let made = folder; made.length >= firstMade.length && made !== dirname(made); made = dirname(made))
    await sync(dirname(made));
}

async function syncFolder(folder: string): Promise<void> {
  let fd: number;
  try {
    fd = await open(folder, "r");
  } catch (error) {
    // Another user created it, and allows to pass but not to list.
    if (isForbidden(error)) return;
    throw error;
  }
  try {
    await fsync(fd);
  } finally {
    await close(fd);
  }
}
