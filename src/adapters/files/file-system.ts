import * as fs from "node:fs";
import { promisify } from "node:util";
import { StoreError } from "../../domain/errors.ts";

/**
 * Plain descriptors, since a FileHandle that is collected before it is closed throws an error at the process. All of these
 * wait for the disk on a thread of the pool.
 */
export const open = promisify(fs.open);
export const close = promisify(fs.close);
export const fdatasync = promisify(fs.fdatasync);
export const fsync = promisify(fs.fsync);
const write = promisify(fs.write);
const read = promisify(fs.read);

export async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const { bytesWritten } = await write(fd, bytes, done, bytes.byteLength - done, null);
    done += bytesWritten;
  }
}

/** Returns how many bytes it read: fewer than asked for at the end of the file. */
export async function readFully(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.byteLength) {
    const { bytesRead } = await read(fd, buffer, done, buffer.byteLength - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

export async function unlinkIfThere(path: string): Promise<void> {
  try {
    await fs.promises.unlink(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

export const isMissing = (error: unknown): boolean => codeOf(error) === "ENOENT";
/** The error of a bad sector. */
export const isDiskFailure = (error: unknown): boolean => codeOf(error) === "EIO";
export const isForbidden = (error: unknown): boolean => codeOf(error) === "EACCES";

const NO_SPACE = new Set(["ENOSPC", "EDQUOT"]);

/** An error of the file system as a StoreError. Other errors are returned as they are. */
export function translateFileError(error: unknown): unknown {
  const code = codeOf(error);
  if (error instanceof StoreError || code === undefined) return error;
  if (NO_SPACE.has(code)) return new StoreError("insufficient_storage", "The disk is full.", { cause: error });
  return new StoreError("unavailable", "The disk did not take or give the bytes. Try again later.", { cause: error });
}

/** The result of `work`; @throws what {@link translateFileError} makes of its error */
export function translatingFileErrors<Result>(work: Promise<Result>): Promise<Result> {
  // What was in memory is there already.
  if (Bun.peek.status(work) === "fulfilled") return work;
  return work.catch((error: unknown) => {
    throw translateFileError(error);
  });
}

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && "syscall" in error && "code" in error && typeof error.code === "string"
    ? error.code
    : undefined;
