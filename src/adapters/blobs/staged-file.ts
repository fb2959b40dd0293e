import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { close, fdatasync, unlinkIfThere } from "../files/file-system.ts";
import { writeNewFile } from "../files/write-new-file.ts";

export interface StagedFile {
  readonly size: number;
  readonly sha256: string;
  readonly crc32: number;
  /** Settles with the sync, which runs already, and the closing of the file. Await it before the file is used. */
  readonly synced: Promise<void>;
}

/** Writes a new file as {@link writeNewFile} does, and starts its sync. */
export async function stageFile(
  path: string,
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<StagedFile> {
  const { fd, ...file } = await writeNewFile(path, source, maxBytes);
  const synced = syncAndClose(fd);
  // It is awaited later or, when the bytes turn out to be no image, never.
  synced.catch(() => {});
  return { ...file, synced };
}

async function syncAndClose(fd: number): Promise<void> {
  try {
    // Once, whatever it says: after a failure the kernel may have dropped the pages, and a second sync would succeed.
    await fdatasync(fd);
  } finally {
    await close(fd);
  }
}

const TEMPORARY_NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const newTemporaryPath = (folder: string): string => join(folder, crypto.randomUUID());

/** Removes what an earlier process left. Only files of our names: the operator may keep others in a folder `tmp`. */
export async function emptyTemporary(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of await readdir(folder)) if (TEMPORARY_NAME.test(name)) await unlinkIfThere(join(folder, name));
}
