import { createReadStream, existsSync } from "node:fs";
import { open, readFile, realpath, rename, rm } from "node:fs/promises";
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
import { type BackupLayout, type CompleteBackup, namesIn, replaceFile } from "./backup-files.ts";

/** Paths of the store that is restored. */
export interface DataPlaces {
  readonly catalogPath: string;
  readonly blobsFolder: string;
}

/**
 * Locks the folders of the store that is restored, as a server would.
 * @throws Error if they contain anything but the files of an interrupted restore
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

/** An interrupted restore must go on with the same blobs folder, or it would mix up the bytes of two stores. */
async function requireSameBlobs(catalogPath: string, blobsFolder: string): Promise<void> {
  const begun = restorationIn(restoringPath(catalogPath));
  if (begun !== undefined && begun.blobsFolder !== (await realpath(blobsFolder)))
    throw new Error(
      `The interrupted restore put its bytes into ${begun.blobsFolder}, not ${blobsFolder}. ` +
        `Run it with its earlier settings, or empty that folder and ${dirname(resolve(catalogPath))}.`,
    );
}

const LOCK = ["lock.sqlite", "lock.sqlite-journal"];

async function requireEmpty(catalogPath: string, blobsFolder: string): Promise<void> {
  if (existsSync(catalogPath))
    throw new Error(`There is a store already: ${catalogPath}. A restore needs an empty folder.`);
  // Then all files belong to a restore.
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
    throw new Error(`${folder} is not empty: it contains ${JSON.stringify(other)}. A restore needs an empty folder.`);
}

/**
 * Copies the backup's catalog to the path at which it is filled, unless it is there already; returns that path. Until
 * {@link finishRestore}, no server serves the folder.
 */
export async function placeCatalog(source: BackupLayout, backup: CompleteBackup, places: DataPlaces): Promise<string> {
  const restoration: Restoration = { backupId: backup.id, blobsFolder: await realpath(places.blobsFolder) };
  const target = restoringPath(places.catalogPath);
  if (restorationIn(target)?.backupId === backup.id) return target;
  const copy = newRestoringPath(places.catalogPath);
  await copyCatalog(source.catalog(backup.id), copy);
  beginRestoration(copy, restoration);
  // The journal of an earlier file must not be applied to this one.
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

/**
 * Returns the epoch of the restored store. The backup records it, so a later restore gets a higher one, whatever the clock says. On a
 * full or read-only disk it cannot be recorded, and the current minute must do.
 */
export async function takeEpoch({ lastEpoch }: BackupLayout, ofBackup: number, now: number): Promise<number> {
  const last = await readEpoch(lastEpoch);
  const epoch = Math.max(Math.floor(now / 60_000), ofBackup + 1, last + 1);
  await replaceFile(lastEpoch, `${epoch}\n`).catch(() => {});
  return epoch;
}

async function readEpoch(path: string): Promise<number> {
  const text = await readFile(path, "utf8").catch(() => "");
  return /^\d{1,8}\n$/.test(text) ? Number(text) : 0;
}

/** One rename turns the folder into a store. */
export async function finishRestore(catalogPath: string): Promise<void> {
  await rename(restoringPath(catalogPath), catalogPath);
  await sync(dirname(catalogPath));
}

async function sync(folder: string): Promise<void> {
  using folders = createFolderSync();
  await folders.sync(folder);
}
