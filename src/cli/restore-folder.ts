import { createReadStream, existsSync } from "node:fs";
import { open, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { createFolderSync } from "../adapters/blobs/folder-sync.ts";
import { makeFolder } from "../adapters/blobs/make-folder.ts";
import { lockFolder } from "../adapters/catalog/lock.ts";
import { backupBeingRestored, restoringPath } from "../adapters/catalog/sqlite-restore.ts";
import { type BackupLayout, namesIn } from "./backup-layout.ts";
import type { CompleteBackup } from "./backup-manifest.ts";

/** Where a store is to be. */
export interface DataPlaces {
  readonly catalogPath: string;
  readonly blobsFolder: string;
}

/**
 * Takes the folders of a store that is to be restored, as a server would.
 * @throws Error when there is anything in them but what a restore that was cut off has left
 */
export async function claimDataFolders({ catalogPath, blobsFolder }: DataPlaces): Promise<Disposable> {
  const catalogFolder = dirname(resolve(catalogPath));
  await requireEmpty(catalogPath, blobsFolder);
  await makeFolder(catalogFolder);
  await makeFolder(blobsFolder);
  using claiming = new DisposableStack();
  claiming.use(lockFolder(catalogFolder));
  if ((await realpath(blobsFolder)) !== (await realpath(catalogFolder))) claiming.use(lockFolder(blobsFolder));
  await requireEmpty(catalogPath, blobsFolder);
  return claiming.move();
}

const LOCK = ["lock.sqlite", "lock.sqlite-journal"];

async function requireEmpty(catalogPath: string, blobsFolder: string): Promise<void> {
  if (existsSync(catalogPath))
    throw new Error(`There is a store already: ${catalogPath}. A restore wants an empty folder.`);
  const folder = dirname(resolve(catalogPath));
  const restoring = basename(restoringPath(catalogPath));
  const isBegun = existsSync(restoringPath(catalogPath));
  const ours = new Set([...LOCK, restoring, `${restoring}-journal`]);
  const inside = dirname(resolve(blobsFolder)) === folder ? [basename(resolve(blobsFolder))] : [];
  await refuseOthers(folder, new Set([...ours, ...inside]));
  // Then what is in there is the restore's.
  if (!isBegun)
    await refuseOthers(blobsFolder, resolve(blobsFolder) === folder ? new Set([...ours, ...inside]) : new Set(LOCK));
}

async function refuseOthers(folder: string, known: ReadonlySet<string>): Promise<void> {
  const other = (await namesIn(folder)).find((name) => !known.has(name));
  if (other !== undefined)
    throw new Error(`${folder} is not empty: ${JSON.stringify(other)} is in it. A restore wants an empty folder.`);
}

/**
 * Puts the backup's catalog where it is to be filled, unless it is there already; answers where that is. From then on
 * nothing serves this folder until {@link finishRestore}.
 */
export async function placeCatalog(source: BackupLayout, backup: CompleteBackup, catalogPath: string): Promise<string> {
  const target = restoringPath(catalogPath);
  if (backupBeingRestored(target) === backup.id) return target;
  // Half a transaction of what was there before is not this file's.
  await rm(`${target}-journal`, { force: true });
  await using file = await open(target, "w", 0o600);
  await sync(dirname(target));
  await file.writeFile(createReadStream(source.catalog(backup.id)));
  await file.datasync();
  return target;
}

/** One rename makes a store of it. */
export async function finishRestore(catalogPath: string): Promise<void> {
  await rename(restoringPath(catalogPath), catalogPath);
  await sync(dirname(catalogPath));
}

async function sync(folder: string): Promise<void> {
  using folders = createFolderSync();
  await folders.sync(folder);
}
