import type { Config } from "../../config.ts";
import { requireEmbedded } from "../embedded.ts";
import { openStore } from "../open-store.ts";
import { formatBytes, openProgressBar } from "../progress-bar.ts";
import { EXIT, type Surroundings } from "../surroundings.ts";
import { requireApart } from "./apart.ts";
import { type BackupFolder, openBackupFolder } from "./backup-folder.ts";
import { type BackupResult, backupStore, type Damage } from "./backup-store.ts";
import { explainFolderError, explainFullStore } from "./folder-error.ts";

export interface BackupCommand {
  readonly folder: string;
  readonly verify: boolean;
}

/** Backs the store up, also beside a server that runs; prints what is damaged and answers the exit code. */
export async function backup(anyConfig: Config, command: BackupCommand, surroundings: Surroundings): Promise<number> {
  const config = requireEmbedded(anyConfig, "image-store backup");
  const { folder, verify } = command;
  const { out } = surroundings;
  await requireApart(folder, config);
  await using store = await openStore(config);
  await using target = await openTarget(folder, store.catalog.storeId);
  using bar = openProgressBar(surroundings);
  const working = backupStore({
    ...store,
    catalogPath: config.catalog.path,
    target,
    verify,
    progress: (done, total) => bar.advance(done, total),
    report: (damage) => {
      bar.clear();
      out(`${describeDamage(damage)}\n`);
    },
  });
  const result = await Promise.race([working, store.failure]).catch((error: unknown) => {
    throw explainFolderError(folder, explainFullStore(config.dataFolder, error));
  });
  bar.clear();
  out(`${summarise(result)}\n`);
  return result.damaged === 0 ? EXIT.ok : EXIT.failed;
}

async function openTarget(folder: string, storeId: string): Promise<BackupFolder> {
  try {
    return await openBackupFolder(folder, storeId);
  } catch (error) {
    throw explainFolderError(folder, error);
  }
}

/** Names are data: quoted, so that they can't pose as another line. */
export const describeDamage = ({ image, sha256, reason }: Damage): string =>
  `damaged: ${JSON.stringify(image)}, SHA-256 ${sha256}: ${reason}`;

const summarise = ({ images, bytes, copied, copiedBytes, removed, damaged }: BackupResult): string =>
  `${formatBytes(bytes)} backed up. Images: ${images}, damaged: ${damaged}. ` +
  `Blobs copied: ${copied}, ${formatBytes(copiedBytes)}; removed: ${removed}.`;
