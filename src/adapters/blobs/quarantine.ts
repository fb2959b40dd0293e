import { readdir, rename, rm, stat } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import type { Extent } from "../../ports.ts";
import { close, fdatasync, isMissing, open, writeAll } from "../files/file-system.ts";
import type { FolderSync } from "./folder-sync.ts";
import { stageFile } from "./staged-file.ts";

/** What a person needs to know about bytes that are not where they belong. */
export interface QuarantineNote {
  readonly reason: string;
  /** The key of the blob, if known. */
  readonly key?: string;
  /** The images, as `album/name`, whose bytes should be there. */
  readonly images?: readonly string[];
}

export interface QuarantineTotals {
  readonly files: number;
  readonly bytes: number;
}

/**
 * Copies of bytes about which nothing is certain, each with a description beside it. Only people remove files from it, and
 * no other part of the store reads it.
 */
export interface Quarantine {
  /** For an unfinished file on the file system of the store, which is removed when the quarantine is opened again. */
  newTemporaryPath(): string;
  /**
   * Adds the bytes and their description; both are durable when it resolves. Returns the size of the bytes, or undefined
   * where the same bytes from the same place are there already.
   * @throws what `source` and the file system throw; then it added nothing
   */
  add(bytes: QuarantinedBytes, note: QuarantineNote): Promise<number | undefined>;
}

export interface QuarantinedBytes {
  readonly extent: Extent;
  /** The digest of the bytes as they were found. */
  readonly sha256: string;
  readonly source: () => AsyncIterable<Uint8Array>;
}

const DESCRIPTION = ".json";
const UNFINISHED = ".unfinished";
export const quarantineFolderOf = (blobsFolder: string): string => join(blobsFolder, "quarantine");

/** For one process at a time, which has created the folder. */
export async function openQuarantine(blobsFolder: string, folders: FolderSync): Promise<Quarantine> {
  const folder = quarantineFolderOf(blobsFolder);
  for (const name of await readdir(folder)) if (name.endsWith(UNFINISHED)) await rm(join(folder, name));

  /** Gives the file its name once it is complete. */
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
      // The description comes last: it states that the bytes are there.
      await folders.sync(folder);
      await place(name + DESCRIPTION, (path) => writeDurably(path, `${JSON.stringify(description, undefined, 2)}\n`));
      await folders.sync(folder);
      return size;
    },
  };
}

/** The bytes are not what they were a moment before: another process writes there. */
export class BytesChanged extends Error {
  constructor() {
    super("The bytes changed while they were copied.");
    this.name = "BytesChanged";
  }
}

/** Counts the copies, without their descriptions. */
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
