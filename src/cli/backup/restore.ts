import { resolve } from "node:path";
import { openDiskBlobs } from "../../adapters/blobs/disk.ts";
import { createFolderSync } from "../../adapters/blobs/folder-sync.ts";
import { writeOwnerFile } from "../../adapters/blobs/owner-file.ts";
import { openRestoringCatalog } from "../../adapters/catalog/sqlite/restore.ts";
import { explainFolderError, explainFullStore } from "../../adapters/files/folder-error.ts";
import type { Config } from "../../config.ts";
import { type CliContext, EXIT } from "../context.ts";
import { formatBytes, openProgressBar } from "../progress-bar.ts";
import { type EmbeddedConfig, requireEmbedded } from "../store.ts";
import { damageLine } from "./backup.ts";
import { type BackupLayout, type CompleteBackup, digestOfFile, layoutOf, readManifest } from "./backup-files.ts";
import { BackupInUse, lockBackup, requireApart } from "./backup-folder.ts";
import { claimDataFolders, finishRestore, placeCatalog, takeEpoch } from "./restore-folder.ts";
import { type RestoreResult, restoreBlobs } from "./restore-store.ts";

export interface RestoreCommand {
  readonly folder: string;
  readonly partial: boolean;
  /** Webhooks go on sending. Otherwise they are paused. */
  readonly keepWebhooks: boolean;
  readonly json: boolean;
}

/** Makes a store from a backup in an empty data folder; prints damaged images and returns the exit code. */
export async function restore(anyConfig: Config, command: RestoreCommand, context: CliContext): Promise<number> {
  const config = requireEmbedded(anyConfig, "image-store restore");
  const { out, err } = context;
  const source = layoutOf(resolve(command.folder));
  await requireApart(source.folder, config);
  // Before the lock file is created: the folder may not be a backup.
  await requireBackup(source);
  using _ = lockSource(source);
  const backup = await requireBackup(source);
  await requireCatalog(source, backup);
  const result = await fill(config, source, backup, command, context).catch((error: unknown) => {
    throw explainFolderError(config.dataFolder, explainFullStore(config.dataFolder, error));
  });
  if (result.damaged > 0 && !command.partial) {
    err(
      `The backup lacks the bytes of ${result.damaged} images, so the restore is not complete. Repair the backup and run ` +
        "this again, or add --partial: those images then respond with 503 until they are uploaded again.\n",
    );
    return EXIT.failed;
  }
  const { takenAt, images, bytes } = backup;
  const { damaged, pausedWebhooks } = result;
  if (command.json) out(`${JSON.stringify({ kind: "finished", takenAt, images, bytes, damaged, pausedWebhooks })}\n`);
  else
    out(
      `Restored as of ${takenAt}: ${images} images, ${formatBytes(bytes)}` +
        `${damaged > 0 ? `, ${damaged} of them damaged` : ""}.\n`,
    );
  if (!command.json && pausedWebhooks > 0)
    out(
      `Paused webhooks: ${pausedWebhooks}. They send nothing until you resume each: image-store webhook resume WEBHOOK.\n`,
    );
  return result.damaged === 0 ? EXIT.ok : EXIT.failed;
}

/** Keeps a backup from removing files that are read. On a full or read-only disk the lock cannot be made, but no backup can run. */
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
    throw new Error(`The first backup into ${folder} was interrupted. There is nothing to restore.`);
  return found.backup;
}

/** Checked before the data folder is touched. */
async function requireCatalog(source: BackupLayout, { id, catalog }: CompleteBackup): Promise<void> {
  const path = source.catalog(id);
  const found = await digestOfFile(path).catch((error: unknown) => String(error));
  if (found !== catalog.sha256) throw new Error(`The catalog of the backup is damaged: ${path}: ${found}.`);
}

async function fill(
  config: EmbeddedConfig,
  source: BackupLayout,
  backup: CompleteBackup,
  { partial, keepWebhooks, json }: RestoreCommand,
  context: CliContext,
): Promise<RestoreResult & { readonly pausedWebhooks: number }> {
  const places = { catalogPath: resolve(config.catalog.path), blobsFolder: resolve(config.blobs.path) };
  using _ = await claimDataFolders(places);
  using catalog = openRestoringCatalog(await placeCatalog(source, backup, places));
  await using blobs = await openDiskBlobs({ folder: places.blobsFolder, minFree: config.minFree, recover: true });
  using folders = createFolderSync();
  // Before any bytes, and over the file of an interrupted restore of another backup.
  await writeOwnerFile(places.blobsFolder, catalog.storeId, folders);
  using bar = openProgressBar(context);
  const result = await restoreBlobs({
    source,
    catalog,
    blobs,
    partial,
    progress: (done) => bar.advance(done, backup.bytes),
    report: (damage) => {
      bar.clear();
      context.out(damageLine(damage, json));
    },
  });
  if (result.damaged > 0 && !partial) return { ...result, pausedWebhooks: 0 };
  const epoch = await takeEpoch(source, backup.epoch, Date.now());
  const pausedWebhooks = catalog.finish(epoch, { pauseWebhooks: !keepWebhooks });
  await finishRestore(places.catalogPath);
  return { ...result, pausedWebhooks };
}
