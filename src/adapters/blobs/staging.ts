import { close, fdatasync } from "../files/file-system.ts";
import { writeNewFile } from "../files/write-new-file.ts";

export interface StagedFile {
  readonly size: number;
  readonly sha256: string;
  /** Runs already. Whoever uses the file awaits it; the descriptor is closed when it settles. */
  readonly synced: Promise<void>;
}

/** {@link writeNewFile}, and has the disk take it. */
export async function stageFile(
  path: string,
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<StagedFile> {
  const { size, sha256, fd } = await writeNewFile(path, source, maxBytes);
  const synced = syncAndClose(fd);
  // It is awaited later or, when the bytes turn out to be no image, never.
  synced.catch(() => {});
  return { size, sha256, synced };
}

async function syncAndClose(fd: number): Promise<void> {
  try {
    // Once, whatever it says: after a failure the kernel may have dropped the pages, and a second sync would succeed.
    await fdatasync(fd);
  } finally {
    await close(fd);
  }
}
