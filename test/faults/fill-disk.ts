import { closeSync, openSync, writeSync } from "node:fs";

const MEBIBYTE = 1024 * 1024;

/** Writes a file that takes all there is, to the last kibibyte. */
export function fillDisk(path: string): void {
  const descriptor = openSync(path, "w");
  try {
    for (let size = MEBIBYTE; size >= 1024; ) {
      try {
        writeSync(descriptor, Buffer.alloc(size));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        size /= 2;
      }
    }
  } finally {
    closeSync(descriptor);
  }
}
