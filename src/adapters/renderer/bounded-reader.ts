import * as fs from "node:fs";
import type { BlobSource } from "../../ports.ts";

const WINDOW_BYTES = 16 * 1024;

/**
 * Limits on the fields and windows that are read of one file. A hostile file costs a millisecond or two; an animation of
 * a few megabytes stays below them.
 */
const MAX_FIELDS = 50_000;
const MAX_READS = 256;

/** Random access to a file or bytes, for reading headers. A read past the end, or past the limits, throws {@link Unusual}. */
export interface BoundedReader {
  readonly size: number;
  uint8(offset: number): number;
  uint16(offset: number, littleEndian?: boolean): number;
  uint24(offset: number): number;
  uint32(offset: number, littleEndian?: boolean): number;
  ascii(offset: number, length: number): string;
  bytes(offset: number, length: number): Uint8Array;
}

/** The headers are left to the decoder. */
export class Unusual extends Error {}

/**
 * Reads on the event loop: the bytes were just written and come from memory, while a job in the thread pool would wait
 * behind the syncs of uploads.
 */
export function withBoundedReader<Result>(source: BlobSource, use: (file: BoundedReader) => Result): Result {
  if ("bytes" in source) {
    const { buffer, byteOffset, byteLength } = source.bytes;
    return use(createBoundedReader(byteLength, Buffer.from(buffer, byteOffset, byteLength)));
  }
  const fd = fs.openSync(source.path, "r");
  try {
    const { size } = fs.fstatSync(fd);
    const window = Buffer.allocUnsafe(Math.min(size, WINDOW_BYTES));
    return use(
      createBoundedReader(size, window, (position) => fs.readSync(fd, window, 0, window.byteLength, position)),
    );
  } finally {
    fs.closeSync(fd);
  }
}

/** `fill` reads into the window from a position; without it, the window has the whole file. */
function createBoundedReader(size: number, window: Buffer, fill?: (position: number) => number): BoundedReader {
  let start = 0;
  let end = fill === undefined ? size : 0;
  let reads = 0;
  let fields = 0;

  /** Returns where `offset` is in the window, which then has `length` bytes from there on. */
  function locate(offset: number, length: number): number {
    if (++fields > MAX_FIELDS) throw new Unusual();
    if (offset < start || offset + length > end) {
      if (fill === undefined || offset + length > size || length > window.byteLength || ++reads > MAX_READS)
        throw new Unusual();
      start = offset;
      end = offset + fill(offset);
      if (offset + length > end) throw new Unusual();
    }
    return offset - start;
  }

  return {
    size,
    uint8: (offset) => window.readUInt8(locate(offset, 1)),
    uint16(offset, littleEndian = false) {
      const at = locate(offset, 2);
      return littleEndian ? window.readUInt16LE(at) : window.readUInt16BE(at);
    },
    uint24: (offset) => window.readUIntLE(locate(offset, 3), 3),
    uint32(offset, littleEndian = false) {
      const at = locate(offset, 4);
      return littleEndian ? window.readUInt32LE(at) : window.readUInt32BE(at);
    },
    ascii(offset, length) {
      const at = locate(offset, length);
      return window.toString("latin1", at, at + length);
    },
    bytes(offset, length) {
      const at = locate(offset, length);
      return window.subarray(at, at + length);
    },
  };
}
