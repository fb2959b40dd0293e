import { join, resolve } from "node:path";
import { freeMemory } from "../../domain/free-memory.ts";
import type { BlobContent, BlobStore, ByteRange, CompactableBlobs, FoundBlob, LocalBlob } from "../../ports.ts";
import { createBlobCache } from "../files/blob-cache.ts";
import { damaged } from "../files/file-reader.ts";
import {
  close,
  fdatasync,
  open,
  translateFileError,
  translatingFileErrors,
  unlinkIfThere,
  writeAll,
} from "../files/file-system.ts";
import { createFreeSpace, type FreeSpace } from "../files/free-space.ts";
import { type BlobFiles, createBlobFiles } from "./files.ts";
import { createFolderSync } from "./folder-sync.ts";
import { makeFolder } from "./make-folder.ts";
import { createFolderOwner } from "./owner-file.ts";
import { createSegments, type Segments } from "./segments/segments.ts";
import { chunksOf } from "./small-source.ts";
import { emptyTemporary, newTemporaryPath, stageFile } from "./staged-file.ts";
import { createStaging } from "./staging.ts";

export interface DiskBlobsOptions {
  readonly folder: string;
  /** Uploads are refused below this much free space; undefined: 1 % of the file system, at least 256 MiB. */
  readonly minFree: number | undefined;
  /**
   * Create the folders and empty the temporary one: only for the process that holds the lock of the folder. Without it,
   * opening touches nothing.
   */
  readonly recover: boolean;
  /** Blobs up to this many bytes go into segments; 0: each has a file of its own. At most, and by default, 1 MiB. */
  readonly smallBytes?: number;
  /** Memory for blobs that are read often, in bytes; default: none. */
  readonly cacheBytes?: number;
  /** A segment is full at this many bytes; default: 128 MiB. */
  readonly segmentBytes?: number;
  /** Bytes that compaction copies per second; default: 32 MiB. */
  readonly compactionRate?: number;
}

type ReadOptions = Parameters<BlobStore["read"]>[1];

const MEBIBYTE = 1024 * 1024;

/**
 * Blobs in a folder of this node: small ones stay in memory until they go to `segments/`, others are written to `tmp/` and
 * moved to `files/`.
 */
export async function openDiskBlobs(options: DiskBlobsOptions): Promise<BlobStore & CompactableBlobs> {
  const folder = resolve(options.folder);
  const temporaryFolder = join(folder, "tmp");
  const folders = createFolderSync();
  const files = createBlobFiles(join(folder, "files"), folders);
  const freeSpace = createFreeSpace(folder, options.minFree);
  const owner = createFolderOwner(folder, folders);
  const staging = createStaging({
    folder: temporaryFolder,
    smallBytes: Math.min(options.smallBytes ?? MEBIBYTE, MEBIBYTE),
    writeFile: stageFile,
    onUnused: freeMemory,
  });
  const segments = createSegments({
    folder: join(folder, "segments"),
    folders,
    segmentBytes: options.segmentBytes ?? 128 * MEBIBYTE,
    compactionRate: options.compactionRate ?? 32 * MEBIBYTE,
    unreleased: staging.unreleased,
  });
  const placed = createPlacedBlobs(segments, files, options.cacheBytes ?? 0);

  if (options.recover) {
    await makeFolder(folder);
    await emptyTemporary(temporaryFolder);
    await files.prepare();
    await segments.recover();
    await folders.sync(folder);
  }

  const list: BlobStore["list"] = async function* (tell = () => {}): AsyncGenerator<FoundBlob> {
    // The listing read the name before this looks at the uploads on their way, and the caller asks the catalog after.
    try {
      for await (const blob of files.list()) if (!staging.unreleased.has(blob.key)) yield blob;
      yield* segments.list(tell);
    } catch (error) {
      throw translateFileError(error);
    }
  };

  return {
    shared: false,
    stage: (source, limit) =>
      translatingFileErrors(freeSpace.take(0).then(() => staging.stage(freeSpace.takeFor(source), limit))),
    /** It reads the bytes and verifies them: damage to a disk must not spread. */
    stageCopy: (location, { size, sha256 }) =>
      translatingFileErrors(
        freeSpace.take(size).then(async () => {
          const bytes = chunksOf(await placed.read(location, { size }));
          const staged = await staging.stage(bytes, { maxBytes: size, size });
          if (staged.sha256 === sha256) return staged;
          await staging.discard(staged.key);
          throw damaged(`Its bytes have the digest ${staged.sha256}.`);
        }),
      ),
    commit: ({ key }) =>
      translatingFileErrors(
        staging.commit(key, async ({ source }, synced) => {
          if ("bytes" in source) return segments.append({ key, bytes: source.bytes });
          await synced;
          return files.place(key, source.path);
        }),
      ),
    discard: ({ key }) => staging.discard(key),
    release: (keys) => staging.release(keys),
    read: (location, what) => translatingFileErrors(placed.read(location, what)),
    openLocal: (location, what) => translatingFileErrors(placed.openLocal(location, what)),
    remove: (location) => translatingFileErrors(placed.remove(location)),
    list,
    owner: () => translatingFileErrors(owner.owner()),
    claim: (storeId) => translatingFileErrors(owner.claim(storeId)),
    compact: (move, signal) => translatingFileErrors(segments.compact(move, signal)),
    probe: () =>
      translatingFileErrors(
        freeSpace
          .take(0)
          .then(() => segments.probe())
          .then(() => probeFolder(temporaryFolder, freeSpace)),
      ),
    async [Symbol.asyncDispose]() {
      await segments[Symbol.asyncDispose]();
      files[Symbol.dispose]();
      folders[Symbol.dispose]();
    },
  };
}

/** Committed blobs, in whichever of both places their location names. */
function createPlacedBlobs(segments: Segments, files: BlobFiles, cacheBytes: number) {
  const cache = createBlobCache(cacheBytes);
  return {
    async read(location: string, what: ReadOptions): Promise<BlobContent> {
      if (!isInSegment(location)) return files.read(location, what);
      const cached = cache.get(location);
      if (cached?.size === what.size) return partOf(cached, what.range);
      const bytes = await segments.read(location, what.size);
      // Of a part no copy is kept: an archive, which reads everything once, empties no cache and pays for none.
      if (what.range !== undefined) return partOf(bytes, what.range);
      return cache.offer(location, bytes) ?? bytes;
    },
    /** A file stays where it is: the sweeper leaves it alone for longer than any reader takes. */
    async openLocal(location: string, what: { size: number }): Promise<LocalBlob> {
      const source = isInSegment(location)
        ? { bytes: await segments.read(location, what.size) }
        : { path: await files.locate(location, what) };
      return { source, async [Symbol.asyncDispose]() {} };
    },
    async remove(location: string): Promise<void> {
      if (!isInSegment(location)) return files.remove(location);
      await segments.remove(location);
      // Not before: a concurrent read would put the bytes into the cache again.
      cache.delete(location);
    },
  };
}

/** Writes and syncs a file. @throws what the disk says */
async function probeFolder(folder: string, freeSpace: FreeSpace): Promise<{ freeBytes: number }> {
  const path = newTemporaryPath(folder);
  const fd = await open(path, "wx", 0o600);
  try {
    await writeAll(fd, Buffer.from("probe"));
    await fdatasync(fd);
  } finally {
    await close(fd);
    await unlinkIfThere(path);
  }
  return { freeBytes: await freeSpace.measure() };
}

const isInSegment = (location: string): boolean => location.startsWith("segment:");

function partOf(content: Blob | Uint8Array<ArrayBuffer>, range: ByteRange | undefined): BlobContent {
  if (range === undefined) return content;
  const { start, end } = range;
  return content instanceof Blob ? content.slice(start, end) : content.subarray(start, end);
}
