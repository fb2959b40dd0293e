import { StoreError } from "../../domain/errors.ts";
import { close, fdatasync, open, unlinkIfThere, writeAll } from "./file-system.ts";

/** The collector lags behind a fast upload, whose chunks are up to 1.5 MiB: measured 60 MB against 20 for 200 MB. */
const COLLECT_EVERY_BYTES = 8 * 1024 * 1024;

export interface StagedFile {
  readonly size: number;
  readonly sha256: string;
  /** Runs already. Whoever uses the file awaits it; the descriptor is closed when it settles. */
  readonly synced: Promise<void>;
}

/**
 * Writes a new file in one pass, hashing and counting. On any failure, of the source too, the file is gone.
 * @throws StoreError `too_large` past `maxBytes`; what the source or the file system throws
 */
export async function stageFile(
  path: string,
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<StagedFile> {
  const fd = await open(path, "wx", 0o600);
  try {
    const hasher = new Bun.CryptoHasher("sha256");
    let size = 0;
    let uncollected = 0;
    for await (const chunk of source) {
      size += chunk.byteLength;
      if (size > maxBytes) throw new StoreError("too_large", `At most ${maxBytes} bytes are accepted.`);
      hasher.update(chunk);
      await writeAll(fd, chunk);
      uncollected += chunk.byteLength;
      if (uncollected > COLLECT_EVERY_BYTES) {
        uncollected = 0;
        Bun.gc(false);
      }
    }
    const synced = syncAndClose(fd);
    // It is awaited later or, when the bytes turn out to be no image, never.
    synced.catch(() => {});
    return { size, sha256: hasher.digest("hex"), synced };
  } catch (error) {
    await Promise.allSettled([close(fd), unlinkIfThere(path)]);
    throw error;
  }
}

async function syncAndClose(fd: number): Promise<void> {
  try {
    // Once, whatever it says: after a failure the kernel may have dropped the pages, and a second sync would succeed.
    await fdatasync(fd);
  } finally {
    await close(fd);
  }
}
