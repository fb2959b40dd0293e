import { createReadStream, existsSync } from "node:fs";
import { open, realpath, rename, rm } from "node:fs/promises";
import { basename, dirname, resolve } from "node:path";
import { createFolderSync } from "../../adapters/blobs/folder-sync.ts";
import { makeFolder } from "../../adapters/blobs/make-folder.ts";
import { lockFolder } from "../../adapters/catalog/sqlite/lock.ts";
import {
  beginRestoration,
  newRestoringPath,
  type Restoration,
  restorationIn,
  restoringPath,
} from "../../adapters/catalog/sqlite/restore.ts";
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
  await requireSameBlobs(catalogPath, blobsFolder);
  return claiming.move();
}

/** Or bytes that are somebody's would be taken for those of a restore, and bytes of this restore be missing in the end. */
async function requireSameBlobs(catalogPath: string, blobsFolder: string): Promise<void> {
  const begun = restorationIn(restoringPath(catalogPath));
  if (begun !== undefined && begun.blobsFolder !== (await realpath(blobsFolder)))
    throw new Error(
      `The restore that was cut off put its bytes into ${begun.blobsFolder}, not ${blobsFolder}: ` +
        `run it with the settings that it had, or empty that folder and ${dirname(resolve(catalogPath))}.`,
    );
}

const LOCK = ["lock.sqlite", "lock.sqlite-journal"];

async function requireEmpty(catalogPath: string, blobsFolder: string): Promise<void> {
  if (existsSync(catalogPath))
    throw new Error(`There is a store already: ${catalogPath}. A restore wants an empty folder.`);
  // Then all that is in there is of a restore.
  if (existsSync(restoringPath(catalogPath))) return;
  const folder = dirname(resolve(catalogPath));
  const inside = dirname(resolve(blobsFolder)) === folder ? [basename(resolve(blobsFolder))] : [];
  const copy = basename(newRestoringPath(catalogPath));
  const known = new Set([...LOCK, copy, `${copy}-journal`]);
  await refuseOthers(folder, new Set([...known, ...inside]));
  await refuseOthers(blobsFolder, known);
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
export async function placeCatalog(source: BackupLayout, backup: CompleteBackup, places: DataPlaces): Promise<string> {
  const restoration: Restoration = { backupId: backup.id, blobsFolder: await realpath(places.blobsFolder) };
  const target = restoringPath(places.catalogPath);
  if (restorationIn(target)?.backupId === backup.id) return target;
  const copy = newRestoringPath(places.catalogPath);
  await copyCatalog(source.catalog(backup.id), copy);
  beginRestoration(copy, restoration);
  // Half a transaction of what was there before is not this file's.
  await rm(`${target}-journal`, { force: true });
  await rename(copy, target);
  await sync(dirname(target));
  return target;
}

async function copyCatalog(from: string, to: string): Promise<void> {
  await rm(`${to}-journal`, { force: true });
  await using file = await open(to, "w", 0o600);
  await sync(dirname(to));
  await file.writeFile(createReadStream(from));
  await file.datasync();
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
