import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import type { Extent } from "../../ports.ts";
import { close, fdatasync, isMissing, open, writeAll } from "../files/file-system.ts";
import type { FolderSync } from "./folder-sync.ts";
import { stageFile } from "./staging.ts";

/** What people need to know of bytes that are not where they belong. */
export interface QuarantineNote {
  readonly reason: string;
  /** Of the blob, where that is known. */
  readonly key?: string;
  /** The images, as `album/name`, whose bytes should stand there. */
  readonly images?: readonly string[];
}

export interface QuarantineTotals {
  readonly files: number;
  readonly bytes: number;
}

/**
 * Copies of bytes that nothing can be told of for sure, each with a description beside it. Nobody but people ever
 * removes anything from it, and no other part of the store looks at it.
 */
export interface Quarantine {
  /** On the file system of the store, for something that is not finished; gone when this is opened the next time. */
  newTemporaryPath(): string;
  /**
   * Durable, both files, when it resolves. Answers the size of what was added; undefined where the same bytes from the
   * same place are there already.
   * @throws what `source` and the file system throw; then nothing was added
   */
  add(bytes: QuarantinedBytes, note: QuarantineNote): Promise<number | undefined>;
}

export interface QuarantinedBytes {
  readonly extent: Extent;
  /** As they were found. */
  readonly sha256: string;
  readonly source: () => AsyncIterable<Uint8Array>;
}

const DESCRIPTION = ".json";
const UNFINISHED = ".unfinished";
export const quarantineFolderOf = (blobsFolder: string): string => join(blobsFolder, "quarantine");

/** For one process at a time, which has made the folder. */
export async function openQuarantine(blobsFolder: string, folders: FolderSync): Promise<Quarantine> {
  const folder = quarantineFolderOf(blobsFolder);
  for (const name of await readdir(folder)) if (name.endsWith(UNFINISHED)) await rm(join(folder, name));

  /** Under its name only when it is whole. */
  async function place(name: string, write: (path: string) => Promise<void>): Promise<void> {
    const path = join(folder, `${name}${UNFINISHED}`);
    try {
      await write(path);
      await rename(path, join(folder, name));
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  return {
    newTemporaryPath: () => join(folder, `${crypto.randomUUID()}${UNFINISHED}`),

    async add({ extent, sha256, source }, note) {
      const name = `${basename(extent.path)}-${extent.offset}-${sha256}`;
      if ((await isThere(join(folder, name + DESCRIPTION))) && (await isThere(join(folder, name)))) return undefined;
      let size = 0;
      await place(name, async (path) => {
        const staged = await stageFile(path, source(), Number.POSITIVE_INFINITY);
        await staged.synced;
        if (staged.sha256 !== sha256) throw new BytesChanged();
        size = staged.size;
      });
      const description = {
        format: 1,
        file: relative(blobsFolder, extent.path),
        offset: extent.offset,
        length: size,
        sha256,
        ...note,
        quarantinedAt: new Date().toISOString(),
      };
      // Last, since it says that the other one is there.
      await folders.sync(folder);
      await place(name + DESCRIPTION, (path) => writeDurably(path, `${JSON.stringify(description, undefined, 2)}\n`));
      await folders.sync(folder);
      return size;
    },
  };
}

/** They are not what they were a moment before: somebody writes there. */
export class BytesChanged extends Error {
  constructor() {
    super("The bytes changed while they were copied.");
    this.name = "BytesChanged";
  }
}

/** What is in it, descriptions not counted. */
export async function measureQuarantine(blobsFolder: string): Promise<QuarantineTotals> {
  const folder = quarantineFolderOf(blobsFolder);
  const names = await readdir(folder).catch((error: unknown) => {
    if (isMissing(error)) return [];
    throw error;
  });
  const copies = names.filter((name) => name.endsWith(DESCRIPTION)).map((name) => name.slice(0, -DESCRIPTION.length));
  let [files, bytes] = [0, 0];
  for (const name of copies) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found === undefined) continue;
    files++;
    bytes += found.size;
  }
  return { files, bytes };
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const fd = await open(path, "wx", 0o600);
  try {
    await writeAll(fd, Buffer.from(text));
    await fdatasync(fd);
  } finally {
    await close(fd);
  }
}
