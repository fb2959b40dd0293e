import { type BigIntStats, closeSync, open as openByCallback, read as readByCallback, statSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import { recognise, START_BYTES } from "../../adapters/renderer/formats/codecs.ts";

/** Up to this size a file is read once, and sent from memory. Some dozens are in memory at a time. */
const IN_MEMORY = 256 * 1024;
const CHUNK = 1024 * 1024;

/** A file that was read to its end, and did not change meanwhile. Once it is disposed, other files are read into its memory. */
export interface LocalFile extends Disposable {
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

/**
 * Other threads look at the file and read it, so that a slow file system delays this file only.
 * @param known what a caller has just found out about the file
 * @throws Error if it cannot be read, is no file, or changes
 */
export async function readLocalFile(path: string, known?: BigIntStats): Promise<LocalFile> {
  const stats = known ?? (await stat(path, { bigint: true }));
  if (stats.isDirectory()) throw new Error("it is a folder");
  if (!stats.isFile()) throw new Error("it is not a regular file");
  const size = Number(stats.size);
  const { bytes, start, sha256 } = size <= IN_MEMORY ? await readWhole(path, size) : await readChunks(path, size);
  // Of a file that was just read, this takes less time than it takes to wait for another thread.
  const after = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (after === undefined || !isSame(stats, after)) throw changed();
  let isSpare = false;
  return {
    path,
    stats,
    size,
    sha256,
    isImage: recognise(start) !== undefined,
    bytes,
    [Symbol.dispose]() {
      if (bytes !== undefined && !isSpare) spare.push(bytes.buffer);
      isSpare = true;
    },
  };
}

type Read = Pick<LocalFile, "bytes" | "sha256"> & { readonly start: string };

/** Of files that are disposed. The system clears each page of new memory, which takes longer than to read a file into it. */
const spare: ArrayBuffer[] = [];

const startOf = (bytes: Uint8Array<ArrayBuffer>): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, START_BYTES)).toString("latin1");

async function readWhole(path: string, size: number): Promise<Read> {
  const file = await openToRead(path);
  const bytes = new Uint8Array(spare.pop() ?? new ArrayBuffer(IN_MEMORY), 0, size);
  try {
    for (let read = 0; read < size; ) {
      const more = await readFrom(file, bytes, read);
      if (more === 0) throw changed();
      read += more;
    }
  } finally {
    // It was only read, so no file system has anything to write.
    closeSync(file);
  }
  return { bytes, start: startOf(bytes), sha256: new Bun.CryptoHasher("sha256").update(bytes).digest("hex") };
}

// A file handle, or promisify, takes several microseconds more for each file.
const openToRead = (path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    openByCallback(path, "r", (error, file) => (error === null ? resolve(file) : reject(error)));
  });
const readFrom = (file: number, bytes: Uint8Array, start: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const settle = (error: Error | null, read: number) => (error === null ? resolve(read) : reject(error));
    readByCallback(file, bytes, start, bytes.length - start, start, settle);
  });

async function readChunks(path: string, size: number): Promise<Read> {
  await using file = await open(path, "r");
  const hash = new Bun.CryptoHasher("sha256");
  const chunk = new Uint8Array(CHUNK);
  let start = "";
  for (let read = 0; read < size; ) {
    const { bytesRead } = await file.read(chunk, 0, Math.min(CHUNK, size - read), read);
    if (bytesRead === 0) throw changed();
    const part = chunk.subarray(0, bytesRead);
    if (read === 0) start = startOf(part);
    hash.update(part);
    read += bytesRead;
  }
  return { bytes: undefined, start, sha256: hash.digest("hex") };
}

const isSame = (before: BigIntStats, after: BigIntStats): boolean =>
  before.size === after.size &&
  before.mtimeNs === after.mtimeNs &&
  before.ctimeNs === after.ctimeNs &&
  before.ino === after.ino;
