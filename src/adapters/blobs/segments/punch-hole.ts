import { dlopen, FFIType } from "bun:ffi";
import * as fs from "node:fs";

const ZEROS = Buffer.alloc(1024 * 1024);

/** FALLOC_FL_KEEP_SIZE and FALLOC_FL_PUNCH_HOLE. */
const KEEP_SIZE_AND_PUNCH_HOLE = 3;

/**
 * Overwrites these bytes with zeros, and frees their blocks where the system can. Durable with the next sync. It may wait for
 * the disk.
 */
export type HolePuncher = (fd: number, offset: number, length: number) => void;

/** As the system call. */
type Fallocate = (fd: number, mode: number, offset: number, length: number) => number;

export function openHolePuncher(fallocate: Fallocate | undefined = loadFallocate()): HolePuncher {
  return (fd, offset, length) => {
    if (fallocate?.(fd, KEEP_SIZE_AND_PUNCH_HOLE, offset, length) === 0) return;
    // Another system, or a file system without holes: compaction reclaims the space.
    const end = Math.min(offset + length, fs.fstatSync(fd).size);
    for (let at = offset; at < end; ) at += fs.writeSync(fd, ZEROS, 0, Math.min(end - at, ZEROS.byteLength), at);
  };
}

function loadFallocate(): Fallocate | undefined {
  if (process.platform !== "linux") return undefined;
  try {
    const library = dlopen("libc.so.6", {
      fallocate: {
        args: [FFIType.i32, FFIType.i32, FFIType.i64_fast, FFIType.i64_fast],
        returns: FFIType.i32,
      },
    });
    return library.symbols.fallocate;
  } catch {
    // A C library of another name.
    return undefined;
  }
}
