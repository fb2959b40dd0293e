import * as fs from "node:fs";
import { StoreError } from "../../domain/errors.ts";
import type { BlobSource } from "../../ports.ts";

/** As much as is ever held in memory at once. */
const MAX_READ = 16 * 1024 * 1024;
const WINDOW_BYTES = 64 * 1024;

/** Bounded random access to an image, without a turn of the event loop: for a process that does nothing else. */
export interface Original extends Disposable {
  readonly size: number;
  /** The bytes from `start` up to `end`, fewer where the file ends before: a copy. */
  read(start: number, end: number): Buffer;
  /** 0 behind the end. */
  uint8(offset: number): number;
}

/** @throws StoreError `unavailable` when it cannot be read; a read throws `invalid_image` where it asks for too much */
export function openOriginal(source: BlobSource): Original {
  const file = "path" in source ? openFile(source.path) : openBytes(Buffer.from(source.bytes));
  let window: Buffer = Buffer.alloc(0);
  let windowStart = 0;
  return {
    size: file.size,
    read(start, end) {
      const length = Math.min(end, file.size) - start;
      if (length > MAX_READ)
        throw new StoreError("invalid_image", "The image has a block of metadata that is too large.");
      return file.read(start, Math.max(0, length));
    },
    uint8(offset) {
      if (offset < windowStart || offset >= windowStart + window.length) {
        window = file.read(offset, Math.max(0, Math.min(WINDOW_BYTES, file.size - offset)));
        windowStart = offset;
      }
      return window[offset - windowStart] ?? 0;
    },
    [Symbol.dispose]: () => file.close(),
  };
}

interface Bytes {
  readonly size: number;
  read(start: number, length: number): Buffer;
  close(): void;
}

const openBytes = (bytes: Buffer): Bytes => ({
  size: bytes.length,
  read: (start, length) => Buffer.from(bytes.subarray(start, start + length)),
  close() {},
});

function openFile(path: string): Bytes {
  let fd: number;
  try {
    fd = fs.openSync(path, "r");
  } catch (cause) {
    throw unavailable(cause);
  }
  return {
    size: fs.fstatSync(fd).size,
    read(start, length) {
      const bytes = Buffer.alloc(length);
      for (let done = 0; done < length; ) {
        const read = fs.readSync(fd, bytes, done, length - done, start + done);
        if (read === 0) throw unavailable(new Error(`${path} became shorter`));
        done += read;
      }
      return bytes;
    },
    close: () => fs.closeSync(fd),
  };
}

const unavailable = (cause: unknown) =>
  new StoreError("unavailable", "The bytes could not be read. Try again later.", { cause });
