import { resolve } from "node:path";
import type { BlobRow, Extent } from "../../ports.ts";
import { layoutOf, readManifest } from "../backup/backup-files.ts";
import { lockBackup } from "../backup/backup-folder.ts";
import { DamagedBytes, piecesOf } from "../blob-damage.ts";

/** Bytes of a file, not yet compared with any record. */
export interface RawBytes {
  readonly extent: Extent;
  readonly size: number;
  readonly sha256: string;
  /** Whether there are no bytes, or only zeros, which removed bytes leave. */
  readonly isEmpty: boolean;
}

/** @throws DamagedBytes if they cannot be read */
export const readExtent = ({ path, offset, length }: Extent): AsyncIterable<Uint8Array<ArrayBuffer>> =>
  piecesOf(() =>
    Promise.resolve(
      Bun.file(path)
        .slice(offset, offset + length)
        .stream(),
    ),
  );

/** @throws DamagedBytes if they cannot be read */
export async function lookAt(extent: Extent): Promise<RawBytes> {
  const hasher = new Bun.CryptoHasher("sha256");
  let [size, isEmpty] = [0, true];
  for await (const piece of readExtent(extent)) {
    hasher.update(piece);
    size += piece.byteLength;
    isEmpty &&= isZero(piece);
  }
  return { extent, size, sha256: hasher.digest("hex"), isEmpty };
}

/** Returns undefined if there are no such bytes or they cannot be read. */
export async function tryToLookAt(extent: Extent): Promise<RawBytes | undefined> {
  try {
    return await lookAt(extent);
  } catch (error) {
    if (error instanceof DamagedBytes) return undefined;
    throw error;
  }
}

/** The first byte is zero, and each byte equals the next one. */
const isZero = (bytes: Uint8Array): boolean =>
  bytes.byteLength === 0 || (bytes[0] === 0 && Buffer.compare(bytes.subarray(1), bytes.subarray(0, -1)) === 0);

/** A backup from which a repair takes lost bytes. */
export interface BackupBytes extends Disposable {
  /** The bytes of a blob in the backup, whose digest the caller must compare. Undefined if there are none or they cannot be read. */
  find(row: BlobRow): Promise<RawBytes | undefined>;
}

/**
 * Opens a backup of this store or of another: bytes with a blob's digest are that blob. No backup can run in the folder until this is
 * disposed of.
 * @throws Error if the folder is no backup, or another process uses it
 */
export async function openBackupBytes(folder: string): Promise<BackupBytes> {
  const layout = layoutOf(resolve(folder));
  // Before the lock file is created: the folder may not be a backup.
  if ((await readManifest(layout.manifest)) === undefined)
    throw new Error(`There is no backup: ${layout.manifest} does not exist.`);
  const lock = lockBackup(layout.folder);
  return {
    find: ({ sha256, size }) => tryToLookAt({ path: layout.blob(sha256), offset: 0, length: size + 1 }),
    [Symbol.dispose]: () => lock[Symbol.dispose](),
  };
}
