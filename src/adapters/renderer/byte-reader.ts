import * as fs from "node:fs";
import { StoreError } from "../../domain/errors.ts";
import type { BlobSource } from "../../ports.ts";

/** As much metadata as is ever held in memory at once. */
const MAX_READ = 16 * 1024 * 1024;
const WINDOW_BYTES = 256 * 1024;

/** Bounded random access to an image, without a turn of the event loop: for a process that does nothing else. */
export interface ByteReader extends Disposable {
  readonly size: number;
  /** A copy of the bytes from `start` up to `end`, fewer where the file ends before. */
  read(start: number, end: number): Buffer;
  /** A copy of the bytes from `start` up to `end`, however many, with these behind them. */
  copy(start: number, end: number, tail?: Uint8Array): Buffer;
  /** 0 behind the end. */
  uint8(offset: number): number;
  /** Where this byte comes next, from `offset` on; the size of the file where it does not. */
  find(byte: number, offset: number): number;
  /** Hands on the bytes from `start` up to `end` in pieces, which are good only until `use` returns. */
  each(start: number, end: number, use: (piece: Uint8Array) => void): void;
}

/** @throws StoreError `unavailable` when it cannot be read; a read throws `invalid_image` where it asks for too much */
export function openByteReader(source: BlobSource): ByteReader {
  const file = "path" in source ? openFile(source.path) : openBytes(source.bytes);
  const { size } = file;
  const memory = Buffer.alloc(Math.min(size, WINDOW_BYTES));
  let window = memory.subarray(0, 0);
  let windowStart = 0;

  /** What is in memory from `offset` on; empty only at the end. */
  function from(offset: number): Buffer {
    if (offset < windowStart || offset >= windowStart + window.length) {
      window = memory.subarray(0, Math.max(0, Math.min(memory.length, size - offset)));
      windowStart = offset;
      file.fill(window, offset);
    }
    return window.subarray(offset - windowStart);
  }

  return {
    size,
    read(start, end) {
      const length = Math.max(0, Math.min(end, size) - start);
      if (length > MAX_READ) {
        throw new StoreError("invalid_image", "The image has a block of metadata that is too large.");
      }
      const bytes = Buffer.alloc(length);
      file.fill(bytes, start);
      return bytes;
    },
    copy(start, end, tail = new Uint8Array()) {
      const bytes = Buffer.alloc(Math.min(end, size) - start + tail.length);
      file.fill(bytes.subarray(0, bytes.length - tail.length), start);
      bytes.set(tail, bytes.length - tail.length);
      return bytes;
    },
    uint8: (offset) => from(offset)[0] ?? 0,
    find(byte, offset) {
      for (let at = offset; at < size; ) {
        const bytes = from(at);
        const index = bytes.indexOf(byte);
        if (index >= 0) return at + index;
        at += bytes.length;
      }
      return size;
    },
    each(start, end, use) {
      for (let at = start; at < end; ) {
        const piece = from(at).subarray(0, end - at);
        use(piece);
        at += piece.length;
      }
    },
    [Symbol.dispose]: () => file.close(),
  };
}

interface Bytes {
  readonly size: number;
  /** All of `target`, with what is there from `start` on. */
  fill(target: Buffer, start: number): void;
  close(): void;
}

const openBytes = (bytes: Uint8Array): Bytes => ({
  size: bytes.length,
  fill: (target, start) => target.set(bytes.subarray(start, start + target.length)),
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
    fill(target, start) {
      for (let done = 0; done < target.length; ) {
        const read = readSome(fd, target, done, start + done);
        if (read === 0) throw unavailable(new Error(`${path} became shorter`));
        done += read;
      }
    },
    close: () => fs.closeSync(fd),
  };
}

function readSome(fd: number, target: Buffer, done: number, position: number): number {
  try {
    return fs.readSync(fd, target, done, target.length - done, position);
  } catch (cause) {
    throw unavailable(cause);
  }
}

const unavailable = (cause: unknown) =>
  new StoreError("unavailable", "The bytes could not be read. Try again later.", { cause });
