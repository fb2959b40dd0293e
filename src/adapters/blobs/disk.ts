import { join, resolve } from "node:path";
import type { BlobContent, BlobStore, ByteRange, FoundBlob, StagedBlob } from "../../ports.ts";
import { createBlobCache } from "../files/blob-cache.ts";
import { close, fdatasync, open, translateFileError, unlinkIfThere, writeAll } from "../files/file-system.ts";
import { freeMemory } from "../files/free-memory.ts";
import { createFreeSpace } from "../files/free-space.ts";
import { createBlobFiles, newKey } from "./files.ts";
import { createFolderSync } from "./folder-sync.ts";
import { makeFolder } from "./make-folder.ts";
import { createSegments } from "./segments/segments.ts";
import { createMemoryBudget, gatherSmall } from "./small-source.ts";
import { type StagedFile, stageFile } from "./staging.ts";
import { emptyTemporary, newTemporaryPath } from "./temporary-folder.ts";

export interface DiskBlobsOptions {
  readonly folder: string;
  /** Uploads are refused below this much free space; undefined: 1 % of the file system, at least 256 MiB. */
  readonly minFree: number | undefined;
  /**
   * Make the folders and empty the temporary one: only for who holds the lock of the folder. Without it nothing is
   * touched until something is asked for.
   */
  readonly recover: boolean;
  /** Blobs up to so many bytes go into segments; 0: each has a file of its own. At most, and by default, 1 MiB. */
  readonly smallBytes?: number;
  /** Memory for blobs that are read often, in bytes; default: none. */
  readonly cacheBytes?: number;
  /** A segment is full at this many bytes; default: 128 MiB. */
  readonly segmentBytes?: number;
  /** Bytes that compaction copies a second; default: 32 MiB. */
  readonly compactionRate?: number;
}

const MEBIBYTE = 1024 * 1024;
/** Of all uploads together. Past it, small ones take the way of the large ones, through a file each. */
const STAGED_BYTES = 64 * MEBIBYTE;

/** Staged, neither committed nor discarded. */
type Staged = { readonly file: StagedFile; readonly path: string } | { readonly bytes: Uint8Array };

/** Bytes in a folder of this node: small ones in memory while they come in, then in `segments/`; others in `tmp/`, then in `files/`. */
export async function openDiskBlobs(options: DiskBlobsOptions): Promise<BlobStore> {
  const folder = resolve(options.folder);
  const temporaryFolder = join(folder, "tmp");
  const folders = createFolderSync();
  const files = createBlobFiles(join(folder, "files"), folders);
  const freeSpace = createFreeSpace(folder, options.minFree);
  const memory = createMemoryBudget(STAGED_BYTES);
  const cache = createBlobCache(options.cacheBytes ?? 0);
  const smallBytes = Math.min(options.smallBytes ?? MEBIBYTE, MEBIBYTE);
  const staging = new Map<string, Staged>();
  /** From the moment they have a key until their change was answered: nothing that the sweeper may look at. */
  const unsettled = new Set<string>();
  const segments = createSegments({
    folder: join(folder, "segments"),
    folders,
    segmentBytes: options.segmentBytes ?? 128 * MEBIBYTE,
    compactionRate: options.compactionRate ?? 32 * MEBIBYTE,
    unsettled,
  });

  if (options.recover) {
    await makeFolder(folder);
    await emptyTemporary(temporaryFolder);
    await files.prepare();
    await segments.recover();
    await folders.sync(folder);
  }

  async function stage(source: AsyncIterable<Uint8Array>, { maxBytes }: { maxBytes: number }): Promise<StagedBlob> {
    await freeSpace.take(0);
    if (smallBytes === 0) return stageLarge(withRoom(source), maxBytes);
    const { bytes, source: large } = await gatherSmall(withRoom(source), Math.min(smallBytes, maxBytes), memory);
    if (bytes === undefined) return stageLarge(large, maxBytes);
    const sha256 = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
    return keep({ bytes }, { sha256, size: bytes.byteLength, source: { bytes } });
  }

  async function stageLarge(source: AsyncIterable<Uint8Array>, maxBytes: number): Promise<StagedBlob> {
    const path = newTemporaryPath(temporaryFolder);
    const file = await stageFile(path, source, maxBytes);
    return keep({ file, path }, { sha256: file.sha256, size: file.size, source: { path } });
  }

  function keep(staged: Staged, blob: Omit<StagedBlob, "key">): StagedBlob {
    const key = newKey(blob.sha256);
    staging.set(key, staged);
    unsettled.add(key);
    return { key, ...blob };
  }

  async function* withRoom(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      await freeSpace.take(chunk.byteLength);
      yield chunk;
    }
  }

  async function commit({ key }: StagedBlob): Promise<string> {
    const staged = staging.get(key);
    if (staged === undefined) throw new Error(`${key} is not staged.`);
    staging.delete(key);
    try {
      if ("bytes" in staged) return await segments.append({ key, bytes: staged.bytes });
      await staged.file.synced;
      return await files.place(key, staged.path);
    } catch (error) {
      unsettled.delete(key);
      throw error;
    } finally {
      await letGo(staged);
    }
  }

  async function discard({ key }: StagedBlob): Promise<void> {
    const staged = staging.get(key);
    if (staged === undefined) return;
    staging.delete(key);
    unsettled.delete(key);
    await letGo(staged);
    if ("file" in staged) await staged.file.synced.catch(() => {});
  }

  /** Best effort: what is left in the temporary folder goes at the next start. */
  async function letGo(staged: Staged): Promise<void> {
    if ("bytes" in staged) {
      memory.give(staged.bytes.byteLength);
      freeMemory(staged.bytes);
    } else await unlinkIfThere(staged.path).catch(() => {});
  }

  async function read(location: string, what: { size: number; range?: ByteRange }): Promise<BlobContent> {
    if (!isInSegment(location)) return files.read(location, what);
    const cached = cache.get(location);
    if (cached?.size === what.size) return partOf(cached, what.range);
    const bytes = await segments.read(location, what.size);
    return partOf(cache.offer(location, bytes) ?? bytes, what.range);
  }

  async function remove(location: string): Promise<void> {
    if (!isInSegment(location)) return files.remove(location);
    await segments.remove(location);
    // Not before: whoever reads it meanwhile would put it there once more.
    cache.delete(location);
  }

  const list: BlobStore["list"] = async function* (tell = () => {}): AsyncGenerator<FoundBlob> {
    // The name was read before this looks at the registry, and whoever asks the catalog does so after.
    try {
      for await (const blob of files.list()) if (!unsettled.has(blob.key)) yield blob;
      yield* segments.list(tell);
    } catch (error) {
      throw translateFileError(error);
    }
  };

  async function probe(): Promise<{ freeBytes: number }> {
    await freeSpace.take(0);
    await segments.probe();
    const path = newTemporaryPath(temporaryFolder);
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

  return {
    shared: false,
    stage: (source, limit) => translated(stage(source, limit)),
    commit: (staged) => translated(commit(staged)),
    discard,
    settle(keys) {
      for (const key of keys) unsettled.delete(key);
    },
    read: (location, what) => translated(read(location, what)),
    async lend(location, what, work) {
      if (isInSegment(location)) return work({ bytes: await translated(segments.read(location, what.size)) });
      return work({ path: await translated(files.locate(location, what)) });
    },
    remove: (location) => translated(remove(location)),
    list,
    compact: (move, signal) => translated(segments.compact(move, signal)),
    probe: () => translated(probe()),
    async [Symbol.asyncDispose]() {
      await segments[Symbol.asyncDispose]();
      files[Symbol.dispose]();
      folders[Symbol.dispose]();
    },
  };
}

const isInSegment = (location: string): boolean => location.startsWith("segment:");

function partOf(content: Blob | Uint8Array<ArrayBuffer>, range: ByteRange | undefined): BlobContent {
  if (range === undefined) return content;
  const { start, end } = range;
  return content instanceof Blob ? content.slice(start, end) : content.subarray(start, end);
}

async function translated<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw translateFileError(error);
  }
}
