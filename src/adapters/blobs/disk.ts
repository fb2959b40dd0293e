import { mkdir, readdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { BlobStore, FoundBlob, StagedBlob } from "../../ports.ts";
import { close, open, translateFileError, unlinkIfThere, writeAll } from "../files/file-system.ts";
import { createFreeSpace } from "../files/free-space.ts";
import { createBlobFiles, newKey } from "./files.ts";
import { createFolderSync } from "./folder-sync.ts";
import { makeFolder } from "./make-folder.ts";
import { type StagedFile, stageFile } from "./staging.ts";

export interface DiskBlobsOptions {
  readonly folder: string;
  /** Uploads are refused below this much free space; undefined: 1 % of the file system, at least 256 MiB. */
  readonly minFree: number | undefined;
  /**
   * Make the folders and empty the temporary one: only for who holds the lock of the folder. Without it nothing is
   * touched until something is asked for.
   */
  readonly recover: boolean;
}

const TEMPORARY_NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Bytes in a folder of this node: `tmp/` while they come in, then a file each in `files/`. */
export async function openDiskBlobs(options: DiskBlobsOptions): Promise<BlobStore> {
  const folder = resolve(options.folder);
  const temporaryFolder = join(folder, "tmp");
  const folders = createFolderSync();
  const files = createBlobFiles(join(folder, "files"), folders);
  const freeSpace = createFreeSpace(folder, options.minFree);
  /** Staged, neither committed nor discarded. */
  const staging = new Map<string, StagedFile>();
  /** From the moment they have a key until their change was answered: nothing that the sweeper may look at. */
  const unsettled = new Set<string>();

  const newTemporaryPath = () => join(temporaryFolder, crypto.randomUUID());

  if (options.recover) {
    await makeFolder(folder);
    await emptyTemporary(temporaryFolder);
    await files.prepare();
    await folders.sync(folder);
  }

  async function stage(source: AsyncIterable<Uint8Array>, { maxBytes }: { maxBytes: number }): Promise<StagedBlob> {
    await freeSpace.take(0);
    const temporaryPath = newTemporaryPath();
    const file = await stageFile(temporaryPath, withRoom(source), maxBytes);
    const key = newKey(file.sha256);
    staging.set(key, file);
    unsettled.add(key);
    return { key, size: file.size, sha256: file.sha256, path: temporaryPath };
  }

  async function* withRoom(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      await freeSpace.take(chunk.byteLength);
      yield chunk;
    }
  }

  async function commit({ key, path }: StagedBlob): Promise<string> {
    const file = staging.get(key);
    if (file === undefined) throw new Error(`${key} is not staged.`);
    staging.delete(key);
    try {
      await file.synced;
      return await files.place(key, path);
    } catch (error) {
      await drop(key, path);
      throw error;
    }
  }

  async function discard({ key, path }: StagedBlob): Promise<void> {
    const file = staging.get(key);
    if (file === undefined) return;
    staging.delete(key);
    await drop(key, path);
    await file.synced.catch(() => {});
  }

  async function drop(key: string, path: string): Promise<void> {
    unsettled.delete(key);
    // Best effort: what is left in the temporary folder goes at the next start.
    await unlinkIfThere(path).catch(() => {});
  }

  async function* list(): AsyncGenerator<FoundBlob> {
    // The name was read before this looks at the registry, and whoever asks the catalog does so after.
    try {
      for await (const blob of files.list()) if (!unsettled.has(blob.key)) yield blob;
    } catch (error) {
      throw translateFileError(error);
    }
  }

  async function probe(): Promise<{ freeBytes: number }> {
    await freeSpace.take(0);
    const path = newTemporaryPath();
    const fd = await open(path, "wx", 0o600);
    try {
      await writeAll(fd, Buffer.from("probe"));
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
    read: (location, what) => translated(files.read(location, what)),
    lend: async (location, what, work) => work({ path: await translated(files.locate(location, what)) }),
    remove: (location) => translated(files.remove(location)),
    list,
    probe: () => translated(probe()),
    async [Symbol.asyncDispose]() {
      files[Symbol.dispose]();
      folders[Symbol.dispose]();
    },
  };
}

/** Removes what was on its way when the process ended. Only that: where people put the store, a `tmp` may be theirs. */
async function emptyTemporary(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(folder)) if (TEMPORARY_NAME.test(name)) await unlinkIfThere(join(folder, name));
}

async function translated<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw translateFileError(error);
  }
}
