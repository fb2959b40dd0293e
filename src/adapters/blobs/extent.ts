import { join } from "node:path";
import type { Extent } from "../../ports.ts";
import { parseKeyOfFile, pathOfKey } from "./files.ts";
import { type Place, parseLocation, RECORD_HEADER_BYTES, segmentFileName } from "./segments/format.ts";

/**
 * Where the bytes of a blob lie on the disk, for who looks at them without trusting what stands around them; `folder` is
 * the store's. Undefined for what is no location.
 */
export function contentExtentOf(folder: string, location: string): Extent | undefined {
  const place = parseLocation(location);
  if (place === undefined) return fileExtentOf(folder, location);
  return { path: segmentPath(folder, place), offset: place.offset + RECORD_HEADER_BYTES, length: place.length };
}

/** All that belongs to it: in a segment, the header of its record too. */
export function ownedExtentOf(folder: string, location: string): Extent | undefined {
  const place = parseLocation(location);
  if (place === undefined) return fileExtentOf(folder, location);
  return { path: segmentPath(folder, place), offset: place.offset, length: RECORD_HEADER_BYTES + place.length };
}

function fileExtentOf(folder: string, location: string): Extent | undefined {
  const key = parseKeyOfFile(location);
  if (key === undefined) return undefined;
  return { path: pathOfKey(join(folder, "files"), key), offset: 0, length: Number.MAX_SAFE_INTEGER };
}

const segmentPath = (folder: string, { segment }: Place): string => join(folder, "segments", segmentFileName(segment));

/** What is left of an extent without those parts of the same file, which come in order. */
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
