import { explainFolderError, explainFullStore } from "../../adapters/files/folder-error.ts";
import type { Config } from "../../config.ts";
import { type CliContext, EXIT } from "../context.ts";
import { formatBytes, openProgressBar } from "../progress-bar.ts";
import { openStore, requireEmbedded } from "../store.ts";
import { type BackupFolder, openBackupFolder, requireApart } from "./backup-folder.ts";
import { type BackupResult, backupStore, type Damage } from "./backup-store.ts";

export interface BackupCommand {
  readonly folder: string;
  readonly verify: boolean;
  readonly json: boolean;
}

/** Backs up the store, possibly beside a server; prints damaged images and returns the exit code. */
export async function backup(anyConfig: Config, command: BackupCommand, context: CliContext): Promise<number> {
  const config = requireEmbedded(anyConfig, "image-store backup");
  const { folder, verify, json } = command;
  const { out } = context;
  await requireApart(folder, config);
  await using store = await openStore(config);
  await using target = await openTarget(folder, store.catalog.storeId);
  using bar = openProgressBar(context);
  const working = backupStore({
    ...store,
    catalogPath: config.catalog.path,
    target,
    verify,
    progress: (done, total) => bar.advance(done, total),
    report: (damage) => {
      bar.clear();
      out(damageLine(damage, json));
    },
  });
  const result = await Promise.race([working, store.failure]).catch((error: unknown) => {
    throw explainFolderError(folder, explainFullStore(config.dataFolder, error));
  });
  bar.clear();
  out(json ? `${JSON.stringify({ kind: "finished", ...result })}\n` : `${summarise(result)}\n`);
  return result.damaged === 0 ? EXIT.ok : EXIT.failed;
}

async function openTarget(folder: string, storeId: string): Promise<BackupFolder> {
  try {
    return await openBackupFolder(folder, storeId);
  } catch (error) {
    throw explainFolderError(folder, error);
  }
}

export const damageLine = (damage: Damage, json: boolean): string =>
  json
    ? `${JSON.stringify({ kind: "damaged", image: damage.image, sha256: damage.sha256, reason: damage.reason })}\n`
    : `${describeDamage(damage)}\n`;

/** Names are quoted, so a name cannot imitate a line of output. */
const describeDamage = ({ image, sha256, reason }: Damage): string =>
  `damaged: ${JSON.stringify(image)}, SHA-256 ${sha256}: ${reason}`;

const summarise = ({ images, bytes, copied, copiedBytes, removed, damaged }: BackupResult): string =>
  `${formatBytes(bytes)} backed up. Images: ${images}, damaged: ${damaged}. ` +
  `Blobs copied: ${copied}, ${formatBytes(copiedBytes)}; removed: ${removed}.`;
