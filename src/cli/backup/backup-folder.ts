import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { createFolderSync } from "../../adapters/blobs/folder-sync.ts";
import { makeFolder } from "../../adapters/blobs/make-folder.ts";
import { stageFile } from "../../adapters/blobs/staging.ts";
import { CatalogOpenError } from "../../adapters/catalog/open-error.ts";
import { lockFolder } from "../../adapters/catalog/sqlite/lock.ts";
import { DamagedBytes } from "../blob-damage.ts";
import { BLOB, CATALOG, layoutOf, namesIn, SHARD } from "./backup-layout.ts";
import { BACKUP_FORMAT, type CompleteBackup, formatManifest, type Manifest, readManifest } from "./backup-manifest.ts";
import { digestOfFile } from "./file-digest.ts";
import { replaceFile } from "./replace-file.ts";

/** A folder that takes a backup, for as long as the process has it. The backup that it holds stays as it is until `complete`. */
export interface BackupFolder extends AsyncDisposable {
  /** A path for something that is not finished; gone when the folder is opened the next time. */
  newTemporaryPath(): string;
  /** Whether it is there with its whole length; with `verify`, with its digest. */
  has(blob: BlobIdentity, options: { verify: boolean }): Promise<boolean>;
  /**
   * Durable, but for its name, when it resolves.
   * @throws DamagedBytes when they are not the bytes of that digest
   */
  put(blob: BlobIdentity, source: AsyncIterable<Uint8Array>): Promise<void>;
  /** From now on the backup is this one: a catalog, and the blobs that it refers to and that were put. */
  complete(catalogPath: string, about: Omit<CompleteBackup, "id" | "catalog">): Promise<void>;
  /** Removes what belongs to no backup any more; answers how many blobs. `needed` are the digests that begin so. */
  removeUnneeded(needed: (prefix: string) => ReadonlySet<string>): Promise<number>;
}

export interface BlobIdentity {
  readonly sha256: string;
  /** In bytes. */
  readonly size: number;
}

/** What a first backup may leave that was cut off before there was a manifest. */
const BEFORE_MANIFEST = new Set(["backup.json.new", "lock.sqlite", "lock.sqlite-journal"]);

/** @throws Error when the folder is no place for a backup of this store, or another process has it */
export async function openBackupFolder(where: string, storeId: string): Promise<BackupFolder> {
  const layout = layoutOf(resolve(where));
  const { folder } = layout;
  await makeFolder(folder);
  // Before anything is put into a folder that may be somebody's.
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

  // Before there is anything else, so that the folder is known as ours however early this is cut off.
  if (manifest === undefined) await writeManifest({ format: BACKUP_FORMAT, storeId });
  const emptyTemporary = () => rm(layout.temporary, { recursive: true, force: true });
  await emptyTemporary();
  await mkdir(layout.temporary, { mode: 0o700 });
  await mkdir(layout.blobs, { recursive: true, mode: 0o700 });
  // At the next opening, where it fails now.
  opening.defer(() => emptyTemporary().catch(() => {}));
  const stack = opening.move();

  return {
    newTemporaryPath,

    async has({ sha256, size }, { verify }) {
      const found = await stat(layout.blob(sha256)).catch(() => undefined);
      if (found?.size !== size) return false;
      if (!verify) return true;
      const digest = await digestOfFile(layout.blob(sha256)).catch(() => undefined);
      // Or the next run would take it for what it is not, should the store not have the bytes any more either.
      if (digest !== undefined && digest !== sha256) await rm(layout.blob(sha256));
      return digest === sha256;
    },

    async put({ sha256, size }, source) {
      const path = newTemporaryPath();
      const staged = await stageFile(path, source, Number.POSITIVE_INFINITY);
      await staged.synced;
      if (staged.size !== size || staged.sha256 !== sha256) {
        await rm(path);
        throw new DamagedBytes(`they are ${staged.size} bytes with the digest ${staged.sha256}`);
      }
      await mkdir(dirname(layout.blob(sha256)), { recursive: true, mode: 0o700 });
      await rename(path, layout.blob(sha256));
    },

    async complete(catalogPath, about) {
      const id = crypto.randomUUID();
      const size = await syncFile(catalogPath);
      const sha256 = await digestOfFile(catalogPath);
      // All of them: an interrupted run may have put blobs whose names are not durable yet.
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

/** Its manifest; undefined for an empty folder. */
async function inspect(folder: string, storeId: string): Promise<Manifest | undefined> {
  const manifest = await readManifest(layoutOf(folder).manifest);
  if (manifest === undefined) {
    const foreign = (await namesIn(folder)).find((name) => !BEFORE_MANIFEST.has(name));
    if (foreign !== undefined)
      throw new Error(`${folder} is not empty and holds no backup: ${JSON.stringify(foreign)} is in it.`);
  } else if (manifest.storeId !== storeId)
    throw new Error(`${folder} holds the backup of another store, ${manifest.storeId}; this one is ${storeId}.`);
  return manifest;
}

export class BackupInUse extends Error {
  constructor(folder: string, options: ErrorOptions) {
    super(`Another process uses the backup in ${folder}.`, options);
    this.name = "BackupInUse";
  }
}

/** @throws BackupInUse when another backup or restore has it */
export function lockBackup(folder: string): Disposable {
  try {
    return lockFolder(folder);
  } catch (cause) {
    throw cause instanceof CatalogOpenError ? new BackupInUse(folder, { cause }) : cause;
  }
}

/** Answers its size. */
async function syncFile(path: string): Promise<number> {
  await using file = await open(path, "r+");
  await file.datasync();
  return (await file.stat()).size;
}
