import { mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join, relative, resolve } from "node:path";
import { createFolderSync } from "../../adapters/blobs/folder-sync.ts";
import { makeFolder } from "../../adapters/blobs/make-folder.ts";
import { stageFile } from "../../adapters/blobs/staged-file.ts";
import { lockFolder } from "../../adapters/catalog/sqlite/lock.ts";
import { StoreOpenError } from "../../domain/open-error.ts";
import { DamagedBytes } from "../blob-damage.ts";
import type { EmbeddedConfig } from "../store.ts";
import {
  BACKUP_FORMAT,
  BLOB,
  CATALOG,
  type CompleteBackup,
  digestOfFile,
  formatManifest,
  layoutOf,
  type Manifest,
  namesIn,
  readManifest,
  replaceFile,
  SHARD,
} from "./backup-files.ts";

/** A folder that a backup is written to. Its earlier backup stays valid until `complete`. */
export interface BackupFolder extends AsyncDisposable {
  /** Path for an unfinished file, which the next opening of the folder removes. */
  newTemporaryPath(): string;
  /** Whether the folder has the blob with its size and, with `verify`, its digest. */
  has(blob: BlobIdentity, options: { verify: boolean }): Promise<boolean>;
  /**
   * Stores a blob. When it resolves, the bytes are durable, but their name is not.
   * @throws DamagedBytes if the source has another size or digest
   */
  put(blob: BlobIdentity, source: AsyncIterable<Uint8Array>): Promise<void>;
  /** Makes this catalog, and the blobs that it refers to, the backup. */
  complete(catalogPath: string, about: Omit<CompleteBackup, "id" | "catalog">): Promise<void>;
  /**
   * Removes files that the backup does not need, and returns the number of removed blobs.
   * @param needed returns the needed digests that begin with the prefix
   */
  removeUnneeded(needed: (prefix: string) => ReadonlySet<string>): Promise<number>;
}

export interface BlobIdentity {
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

/** Files that an interrupted first backup may leave before it has a manifest. */
const BEFORE_MANIFEST = new Set(["backup.json.new", "lock.sqlite", "lock.sqlite-journal"]);

/** @throws Error if the folder cannot take a backup of this store, or another process uses it */
export async function openBackupFolder(where: string, storeId: string): Promise<BackupFolder> {
  const layout = layoutOf(resolve(where));
  const { folder } = layout;
  await makeFolder(folder);
  // Before any file is created, since the folder may have another purpose.
  await inspect(folder, storeId);
  await using opening = new AsyncDisposableStack();
  opening.use(lockBackup(folder));
  const folders = opening.use(createFolderSync());
  let manifest = await inspect(folder, storeId);

  const newTemporaryPath = () => join(layout.temporary, crypto.randomUUID());
  const writeManifest = async (next: Manifest) => {
    await replaceFile(layout.manifest, formatManifest(next));
    manifest = next;
  };

  // Before any other file, so the next run recognizes the folder however early this one is interrupted.
  if (manifest === undefined) await writeManifest({ format: BACKUP_FORMAT, storeId });
  const emptyTemporary = () => rm(layout.temporary, { recursive: true, force: true });
  await emptyTemporary();
  await mkdir(layout.temporary, { mode: 0o700 });
  await mkdir(layout.blobs, { recursive: true, mode: 0o700 });
  // If it fails, the next opening does it.
  opening.defer(() => emptyTemporary().catch(() => {}));
  const stack = opening.move();

  return {
    newTemporaryPath,

    async has({ sha256, size }, { verify }) {
      const found = await stat(layout.blob(sha256)).catch(() => undefined);
      if (found?.size !== size) return false;
      if (!verify) return true;
      const digest = await digestOfFile(layout.blob(sha256)).catch(() => undefined);
      // Otherwise a run without `verify` would take it for intact.
      if (digest !== undefined && digest !== sha256) await rm(layout.blob(sha256));
      return digest === sha256;
    },

    async put({ sha256, size }, source) {
      const path = newTemporaryPath();
      const staged = await stageFile(path, source, Number.POSITIVE_INFINITY);
      await staged.synced;
      if (staged.size !== size || staged.sha256 !== sha256) {
        await rm(path);
        throw new DamagedBytes(`it has ${staged.size} bytes with the digest ${staged.sha256}`);
      }
      await mkdir(dirname(layout.blob(sha256)), { recursive: true, mode: 0o700 });
      await rename(path, layout.blob(sha256));
    },

    async complete(catalogPath, about) {
      const id = crypto.randomUUID();
      const size = await syncFile(catalogPath);
      const sha256 = await digestOfFile(catalogPath);
      // All folders: an interrupted run may have put blobs whose names are not durable yet.
      for (const shard of await namesIn(layout.blobs)) await folders.sync(join(layout.blobs, shard));
      await folders.sync(layout.blobs);
      await rename(catalogPath, layout.catalog(id));
      await folders.sync(folder);
      await writeManifest({ format: BACKUP_FORMAT, storeId, backup: { id, ...about, catalog: { sha256, size } } });
    },

    async removeUnneeded(needed) {
      const current = manifest?.backup?.id;
      let removed = 0;
      for (const shard of (await namesIn(layout.blobs)).filter((name) => SHARD.test(name))) {
        const keep = needed(shard);
        for (const name of await namesIn(join(layout.blobs, shard))) {
          if (!BLOB.test(name) || keep.has(name)) continue;
          await rm(layout.blob(name), { force: true });
          removed++;
        }
      }
      for (const name of await namesIn(folder)) {
        const id = CATALOG.exec(name)?.[1];
        if (id !== undefined && id !== current) await rm(layout.catalog(id), { force: true });
      }
      return removed;
    },

    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Returns the manifest; undefined for an empty folder. */
async function inspect(folder: string, storeId: string): Promise<Manifest | undefined> {
  const manifest = await readManifest(layoutOf(folder).manifest);
  if (manifest === undefined) {
    const foreign = (await namesIn(folder)).find((name) => !BEFORE_MANIFEST.has(name));
    if (foreign !== undefined)
      throw new Error(`${folder} is not empty and not a backup: it contains ${JSON.stringify(foreign)}.`);
  } else if (manifest.storeId !== storeId)
    throw new Error(`${folder} is the backup of another store, ${manifest.storeId}. This store is ${storeId}.`);
  return manifest;
}

export class BackupInUse extends Error {
  constructor(folder: string, options: ErrorOptions) {
    super(`Another process uses the backup in ${folder}.`, options);
    this.name = "BackupInUse";
  }
}

/** @throws BackupInUse if another backup or restore uses the folder */
export function lockBackup(folder: string): Disposable {
  try {
    return lockFolder(folder);
  } catch (cause) {
    throw cause instanceof StoreOpenError ? new BackupInUse(folder, { cause }) : cause;
  }
}

/** Returns its size. */
async function syncFile(path: string): Promise<number> {
  await using file = await open(path, "r+");
  await file.datasync();
  return (await file.stat()).size;
}

/**
 * Neither may lie within the other: a backup inside the store is lost with it, and each removes files that it does not know.
 * @throws Error
 */
export async function requireApart(backup: string, { dataFolder, catalog, blobs }: EmbeddedConfig): Promise<void> {
  const backupPath = await realPathOf(resolve(backup));
  for (const folder of [dataFolder, dirname(catalog.path), blobs.path]) {
    const path = await realPathOf(resolve(folder));
    if (isWithin(backupPath, path) || isWithin(path, backupPath))
      throw new Error(`${backup} and ${folder}, a folder of the store, overlap. Choose a folder outside the store.`);
  }
}

const isWithin = (inner: string, outer: string): boolean => !/^\.\.(\/|$)/.test(relative(outer, inner));

/** The path without symbolic links, even if it does not exist yet. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") return path;
    return join(await realPathOf(dirname(path)), basename(path));
  }
}
