import { afterEach, beforeEach, expect } from "bun:test";
import * as fs from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { type DiskBlobsOptions, openDiskBlobs } from "../../../../src/adapters/blobs/disk.ts";
import { parseLocation, segmentFileName } from "../../../../src/adapters/blobs/segments/format.ts";
import type { BlobStore, UnreadableBytes } from "../../../../src/ports.ts";
import { contentBytes } from "../../../blobs.ts";
import { newFolder, removeFolder } from "../../../temporary-folder.ts";

export const KIBIBYTE = 1024;

export const placeOf = (location: string) => {
  const place = parseLocation(location);
  if (place === undefined) throw new Error(`${location} is in no segment.`);
  return place;
};

export const readAll = async (store: BlobStore, location: string, size: number) =>
  contentBytes(await store.read(location, { size }));

export const overwrite = (path: string, position: number, bytes: Uint8Array) => {
  const fd = fs.openSync(path, "r+");
  fs.writeSync(fd, bytes, 0, bytes.length, position);
  fs.closeSync(fd);
};

export const listAll = async (store: BlobStore) => {
  const unreadable: UnreadableBytes[] = [];
  const found = await Array.fromAsync(store.list((bytes) => unreadable.push(bytes)));
  return { found: found.map(({ location }) => location), unreadable };
};

/** An empty folder for each test, and the segments of a store in it. */
export function useSegmentFolder() {
  let folder: string;
  beforeEach(async () => {
    folder = await newFolder("segments");
  });
  afterEach(() => removeFolder(folder));

  const openStore = (options: Partial<DiskBlobsOptions> = {}) =>
    openDiskBlobs({ folder, minFree: 0, recover: true, compactionRate: Number.POSITIVE_INFINITY, ...options });

  const segmentPaths = async () =>
    (await readdir(join(folder, "segments"))).toSorted().map((name) => join(folder, "segments", name));

  const onlySegment = async () => {
    const paths = await segmentPaths();
    expect(paths).toHaveLength(1);
    return paths[0] as string;
  };

  const pathOf = (location: string) => join(folder, "segments", segmentFileName(placeOf(location).segment));

  return { folder: () => folder, openStore, segmentPaths, onlySegment, pathOf };
}
