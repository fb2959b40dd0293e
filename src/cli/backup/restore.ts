import { resolve } from "node:path";
import { openDiskBlobs } from "../../adapters/blobs/disk.ts";
import { openRestoringCatalog } from "../../adapters/catalog/sqlite/restore.ts";
import type { Config } from "../../config.ts";
import { type EmbeddedConfig, requireEmbedded } from "../embedded.ts";
import { formatBytes, openProgressBar } from "../progress-bar.ts";
import { EXIT, type Surroundings } from "../surroundings.ts";
import { requireApart } from "./apart.ts";
import { describeDamage } from "./backup.ts";
import { BackupInUse, lockBackup } from "./backup-folder.ts";
import { type BackupLayout, layoutOf } from "./backup-layout.ts";
import { type CompleteBackup, readManifest } from "./backup-manifest.ts";
import { digestOfFile } from "./file-digest.ts";
import { explainFolderError, explainFullStore } from "./folder-error.ts";
import { takeEpoch } from "./restore-epoch.ts";
import { claimDataFolders, finishRestore, placeCatalog } from "./restore-folder.ts";
import { type RestoreResult, restoreBlobs } from "./restore-store.ts";

export interface RestoreCommand {
  readonly folder: string;
  readonly partial: boolean;
}

/** Makes a store of a backup, in an empty data folder; prints what is damaged and answers the exit code. */
export async function restore(anyConfig: Config, command: RestoreCommand, surroundings: Surroundings): Promise<number> {
  const config = requireEmbedded(anyConfig, "image-store restore");
  const { out, err } = surroundings;
  const source = layoutOf(resolve(command.folder));
  await requireApart(source.folder, config);
  // Before its lock is made: the folder may be anything.
  await requireBackup(source);
  using _ = lockSource(source);
  const backup = await requireBackup(source);
  await requireCatalog(source, backup);
  const result = await fill(config, source, backup, command, surroundings).catch((error: unknown) => {
    throw explainFolderError(config.dataFolder, explainFullStore(config.dataFolder, error));
  });
  if (result.damaged > 0 && !command.partial) {
    err(
      `The backup lacks the bytes of ${result.damaged} images, so that nothing was restored yet. Mend it and run this ` +
        "again, or run it again with --partial: those images then answer 503 until they are uploaded again.\n",
    );
    return EXIT.failed;
  }
  out(
    `Restored as of ${backup.takenAt}: ${backup.images} images, ${formatBytes(backup.bytes)}` +
      `${result.damaged > 0 ? `, ${result.damaged} of them damaged` : ""}.\n`,
  );
  return result.damaged === 0 ? EXIT.ok : EXIT.failed;
}

/** So that no backup removes what is being read. Where the lock can't be made, on a full or a read-only disk, none could run. */
function lockSource({ folder }: BackupLayout): Disposable {
  try {
    return lockBackup(folder);
  } catch (error) {
    if (error instanceof BackupInUse) throw error;
    return { [Symbol.dispose]() {} };
  }
}

async function requireBackup({ folder, manifest }: BackupLayout): Promise<CompleteBackup> {
  const found = await readManifest(manifest);
  if (found === undefined) throw new Error(`There is no backup: ${manifest} does not exist.`);
  if (found.backup === undefined)
    throw new Error(`The first backup into ${folder} was cut off: there is nothing to restore.`);
  return found.backup;
}

/** Before anything is put into the data folder. */
async function requireCatalog(source: BackupLayout, { id, catalog }: CompleteBackup): Promise<void> {
  const path = source.catalog(id);
  const found = await digestOfFile(path).catch((error: unknown) => String(error));
  if (found !== catalog.sha256) throw new Error(`The catalog of the backup is damaged: ${path}: ${found}.`);
}

async function fill(
  config: EmbeddedConfig,
  source: BackupLayout,
  backup: CompleteBackup,
  { partial }: RestoreCommand,
  surroundings: Surroundings,
): Promise<RestoreResult> {
  const places = { catalogPath: resolve(config.catalog.path), blobsFolder: resolve(config.blobs.path) };
  using _ = await claimDataFolders(places);
  using catalog = openRestoringCatalog(await placeCatalog(source, backup, places));
  await using blobs = await openDiskBlobs({ folder: places.blobsFolder, minFree: config.minFree, recover: true });
  using bar = openProgressBar(surroundings);
  const result = await restoreBlobs({
    source,
    catalog,
    blobs,
    partial,
    progress: (done) => bar.advance(done, backup.bytes),
    report: (damage) => {
      bar.clear();
      surroundings.out(`${describeDamage(damage)}\n`);
    },
  });
  if (result.damaged > 0 && !partial) return result;
  catalog.finish(await takeEpoch(source, backup.epoch, Date.now()));
  await finishRestore(places.catalogPath);
  return result;
}
