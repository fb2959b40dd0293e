import { type BigIntStats, fstatSync } from "node:fs";
import { open } from "node:fs/promises";
import { recognise, START_BYTES } from "../../adapters/renderer/formats/codecs.ts";

/** Up to this size a file is read once, and sent from memory. Some dozens are in memory at a time. */
const IN_MEMORY = 256 * 1024;
const CHUNK = 1024 * 1024;

/** A file that was read to its end, and did not change meanwhile. */
export interface LocalFile {
  readonly path: string;
  readonly stats: BigIntStats;
  readonly size: number;
  readonly sha256: string;
  readonly isImage: boolean;
  /** Of a small file. */
  readonly bytes: Uint8Array<ArrayBuffer> | undefined;
}

/** A file is sent or compared as it was at one moment. */
const changed = () => new Error("it changed while it was read");

/** @throws Error if it cannot be read, is no file, or changes */
export async function readLocalFile(path: string): Promise<LocalFile> {
  await using file = await open(path, "r");
  // Of an open file, these take less time than it takes to wait for another thread.
  const stats = fstatSync(file.fd, { bigint: true });
  if (stats.isDirectory()) throw new Error("it is a folder");
  if (!stats.isFile()) throw new Error("it is not a regular file");
  const size = Number(stats.size);
  const hash = new Bun.CryptoHasher("sha256");
  const chunk = new Uint8Array(size <= IN_MEMORY ? size : CHUNK);
  let start = "";
  let read = 0;
  while (read < size) {
    const offset = size <= IN_MEMORY ? read : 0;
    const { bytesRead } = await file.read(chunk, offset, Math.min(chunk.length - offset, size - read), read);
    if (bytesRead === 0) throw changed();
    const part = chunk.subarray(offset, offset + bytesRead);
    if (read === 0) start = Buffer.from(part.subarray(0, START_BYTES)).toString("latin1");
    hash.update(part);
    read += bytesRead;
  }
  if (!isSame(stats, fstatSync(file.fd, { bigint: true }))) throw changed();
  return {
    path,
    stats,
    size,
    sha256: hash.digest("hex"),
    isImage: recognise(start) !== undefined,
    bytes: size <= IN_MEMORY ? chunk : undefined,
  };
}

export const isSame = (before: BigIntStats, after: BigIntStats): boolean =>
  before.size === after.size &&
  before.mtimeNs === after.mtimeNs &&
  before.ctimeNs === after.ctimeNs &&
  before.ino === after.ino;
