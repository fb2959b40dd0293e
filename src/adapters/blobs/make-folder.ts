import { mkdir } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { close, fsync, isForbidden, open } from "../files/file-system.ts";

/**
 * Makes a folder, and those above it that are missing, for the store's own user: these are people's pictures. They are
 * durable when it resolves, or a power cut could take them away with all that was acknowledged in them.
 */
export async function makeFolder(path: string, sync = syncFolder): Promise<void> {
  const folder = resolve(path);
  // Of one that is there too, since the start that made it may have been cut off before this.
  const firstMade = (await mkdir(folder, { recursive: true, mode: 0o700 })) ?? folder;
  for (let made = folder; made.length >= firstMade.length && made !== dirname(made); made = dirname(made))
    await sync(dirname(made));
}

async function syncFolder(folder: string): Promise<void> {
  let fd: number;
  try {
    fd = await open(folder, "r");
  } catch (error) {
    // Somebody else made what is in there, and lets us pass but not look.
    if (isForbidden(error)) return;
    throw error;
  }
  try {
    await fsync(fd);
  } finally {
    await close(fd);
  }
}
