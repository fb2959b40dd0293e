import { StoreError } from "../../domain/errors.ts";
import { close, open, unlinkIfThere, writeAll } from "./file-system.ts";
import { freeMemory } from "./free-memory.ts";

/** Up to here an upload may leave its chunks to the collector. */
const COLLECTED_BYTES = 1024 * 1024;

export interface NewFile {
  readonly size: number;
  readonly sha256: string;
  /** For whoever wrote it, to sync it and to close it. */
  readonly fd: number;
}

/**
 * Writes a new file in one pass, hashing and counting. On any failure, of the source too, the file is gone.
 * @throws StoreError `too_large` past `maxBytes`; what the source or the file system throws
 */
export async function writeNewFile(
  path: string,
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<NewFile> {
  const fd = await open(path, "wx", 0o600);
  try {
    const hasher = new Bun.CryptoHasher("sha256");
    let size = 0;
    for await (const chunk of source) {
      size += chunk.byteLength;
      if (size > maxBytes) throw new StoreError("too_large", `At most ${maxBytes} bytes are accepted.`);
      hasher.update(chunk);
      await writeAll(fd, chunk);
      if (size > COLLECTED_BYTES) freeMemory(chunk);
    }
    return { size, sha256: hasher.digest("hex"), fd };
  } catch (error) {
    await Promise.allSettled([close(fd), unlinkIfThere(path)]);
    throw error;
  }
}
