import type { LocalBlob } from "../../ports.ts";
import { damaged } from "../files/file-reader.ts";
import { close, unlinkIfThere } from "../files/file-system.ts";
import { writeNewFile } from "../files/write-new-file.ts";

export const inMemory = (bytes: Uint8Array): LocalBlob => ({ source: { bytes }, async [Symbol.asyncDispose]() {} });

/** A file that is removed when the blob is disposed of. */
export const temporaryBlob = (path: string): LocalBlob => ({
  source: { path },
  [Symbol.asyncDispose]: () => unlinkIfThere(path).catch(() => {}),
});

/**
 * Writes the bytes of a blob to a temporary file.
 * @throws StoreError `blob_damaged` when they do not have the digest of the key
 */
export async function fetchLocal(
  path: string,
  key: string,
  source: AsyncIterable<Uint8Array>,
  size: number,
): Promise<LocalBlob> {
  const { fd, sha256 } = await writeNewFile(path, source, size);
  await close(fd);
  const blob = temporaryBlob(path);
  if (key.startsWith(sha256)) return blob;
  await blob[Symbol.asyncDispose]();
  throw damaged(`Its bytes have the digest ${sha256}.`);
}
