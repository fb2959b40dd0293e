import { crc32 } from "node:zlib";
import { StoreError } from "../../domain/errors.ts";
import { freeMemory } from "../../domain/free-memory.ts";
import { close, open, unlinkIfThere, writeAll } from "./file-system.ts";

/** Up to this size, the chunks of an upload are left to the garbage collector. */
const COLLECTED_BYTES = 1024 * 1024;

export interface NewFile {
  readonly size: number;
  readonly sha256: string;
  readonly crc32: number;
  /** The caller syncs and closes it. */
  readonly fd: number;
}

/**
 * Writes a new file in one pass, hashing and counting. On any failure, of the source too, it removes the file. It owns each
 * chunk and may free its memory: nothing else may use a chunk after the source has yielded it.
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
    let checksum = 0;
    for await (const chunk of source) {
      size += chunk.byteLength;
      if (size > maxBytes) throw new StoreError("too_large", `At most ${maxBytes} bytes are accepted.`);
      hasher.update(chunk);
      checksum = crc32(chunk, checksum);
      await writeAll(fd, chunk);
      if (size > COLLECTED_BYTES) freeMemory(chunk);
    }
    return { size, sha256: hasher.digest("hex"), crc32: checksum, fd };
  } catch (error) {
    await Promise.allSettled([close(fd), unlinkIfThere(path)]);
    throw error;
  }
}
