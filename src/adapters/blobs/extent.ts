import { join } from "node:path";
import type { Extent } from "../../ports.ts";
import { parseKeyOfFile, pathOfKey } from "./files.ts";
import { parseLocation, RECORD_HEADER_BYTES, type RecordAddress, segmentFileName } from "./segments/format.ts";

/**
 * Where the bytes of a blob are on the disk, for a repair that does not trust what is around them. `folder` is the store's.
 * Undefined where the location is invalid.
 */
export function contentExtentOf(folder: string, location: string): Extent | undefined {
  const address = parseLocation(location);
  if (address === undefined) return fileExtentOf(folder, location);
  return { path: segmentPath(folder, address), offset: address.offset + RECORD_HEADER_BYTES, length: address.length };
}

/** All bytes of a blob: in a segment, with the header of its record. */
export function ownedExtentOf(folder: string, location: string): Extent | undefined {
  const address = parseLocation(location);
  if (address === undefined) return fileExtentOf(folder, location);
  return { path: segmentPath(folder, address), offset: address.offset, length: RECORD_HEADER_BYTES + address.length };
}

function fileExtentOf(folder: string, location: string): Extent | undefined {
  const key = parseKeyOfFile(location);
  if (key === undefined) return undefined;
  return { path: pathOfKey(join(folder, "files"), key), offset: 0, length: Number.MAX_SAFE_INTEGER };
}

const segmentPath = (folder: string, { segment }: RecordAddress): string =>
  join(folder, "segments", segmentFileName(segment));

/** The extent without these parts of the same file, which are in order. */
export function without(extent: Extent, parts: readonly Extent[]): readonly Extent[] {
  const end = extent.offset + extent.length;
  const left: Extent[] = [];
  let at = extent.offset;
  for (const part of parts) {
    if (part.offset >= end) break;
    if (part.offset > at) left.push({ ...extent, offset: at, length: part.offset - at });
    at = Math.max(at, part.offset + part.length);
  }
  if (at < end) left.push({ ...extent, offset: at, length: end - at });
  return left;
}
