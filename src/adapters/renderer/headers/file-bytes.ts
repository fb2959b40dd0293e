import * as fs from "node:fs";
import type { BlobSource } from "../../../ports.ts";

const WINDOW_BYTES = 16 * 1024;

/**
 * How much a hostile file may cost, a millisecond or two: fields that are looked at, and windows that are read for them.
 * An animation of a few megabytes stays below.
 */
const MAX_FIELDS = 50_000;
const MAX_READS = 256;

/** Bounded random access to a file, or to bytes, for readers of headers. A read past the end, or one too many, is {@link Unusual}. */
export interface FileBytes {
  readonly size: number;
  uint8(offset: number): number;
  uint16(offset: number, littleEndian?: boolean): number;
  uint24(offset: number): number;
  uint32(offset: number, littleEndian?: boolean): number;
  ascii(offset: number, length: number): string;
  bytes(offset: number, length: number): Uint8Array;
}

/** These headers are for the decoder's own reader to judge. */
export class Unusual extends Error {}

/**
 * Reads without leaving the event loop: the bytes were written a moment ago, so that they come from memory, while a turn
 * in the pool would wait behind the syncs of uploads.
 */
export function withFileBytes<Result>(source: BlobSource, use: (file: FileBytes) => Result): Result {
  if ("bytes" in source) {
    const { buffer, byteOffset, byteLength } = source.bytes;
    return use(createFileBytes(byteLength, Buffer.from(buffer, byteOffset, byteLength)));
  }
  const fd = fs.openSync(source.path, "r");
  try {
    const { size } = fs.fstatSync(fd);
    const window = Buffer.allocUnsafe(Math.min(size, WINDOW_BYTES));
    return use(createFileBytes(size, window, (position) => fs.readSync(fd, window, 0, window.byteLength, position)));
  } finally {
    fs.closeSync(fd);
  }
}

/** `fill` reads into the window from a position; without it, everything is there already. */
function createFileBytes(size: number, window: Buffer, fill?: (position: number) => number): FileBytes {
  let start = 0;
  let end = fill === undefined ? size : 0;
  let reads = 0;
  let fields = 0;

  /** Where in the window `offset` is, with `length` bytes behind it. */
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
