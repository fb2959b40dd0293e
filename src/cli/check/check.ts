import { dirname } from "node:path";
import { createBlobFiles } from "../../adapters/blobs/files.ts";
import { createFolderSync } from "../../adapters/blobs/folder-sync.ts";
import { makeFolder } from "../../adapters/blobs/make-folder.ts";
import { measureQuarantine, openQuarantine, quarantineFolderOf } from "../../adapters/blobs/quarantine.ts";
import { lockFolder } from "../../adapters/catalog/sqlite/lock.ts";
import { explainFolderError, explainFullStore } from "../../adapters/files/folder-error.ts";
import { createFreeSpace } from "../../adapters/files/free-space.ts";
import type { Config } from "../../config.ts";
import { StoreOpenError } from "../../domain/open-error.ts";
import { requireApart } from "../backup/backup-folder.ts";
import { type CliContext, EXIT } from "../context.ts";
import { formatBytes, openProgressBar } from "../progress-bar.ts";
import { type EmbeddedConfig, openStore, requireEmbedded } from "../store.ts";
import { type CheckOptions, type CheckResult, checkStore } from "./check-store.ts";
import { describeFinding, describeRepair, documentOf } from "./describe-findings.ts";
import { type BackupBytes, openBackupBytes } from "./raw-bytes.ts";
import { type Repair, type RepairResult, repairStore } from "./repair-store.ts";

/** Checks the store, possibly beside a server; prints the findings and returns the exit code. */
export async function check(
  config: Config,
  { repair, from, json }: { readonly repair: boolean; readonly from: string | undefined; readonly json: boolean },
  context: CliContext,
): Promise<number> {
  if (from !== undefined) await requireApart(from, requireEmbedded(config, "image-store check --repair --from"));
  using backup = from === undefined ? undefined : await openBackupBytes(from);
  await using store = await openStore(config, { mayBeEmpty: from !== undefined });
  const total = (await store.catalog.totals()).bytes;
  using bar = openProgressBar(context);
  const print = (line: string, document: object) => {
    bar.clear();
    context.out(json ? `${JSON.stringify(document)}\n` : `${line}\n`);
  };
  const options: CheckOptions = {
    ...store,
    grace: config.grace,
    progress: (bytes) => bar.advance(bytes, total),
    report: (finding) => print(describeFinding(finding), documentOf(finding)),
  };
  const tell = (repaired: Repair) => print(describeRepair(repaired), documentOf(repaired));
  const working = repair
    ? repairWith(requireEmbedded(config, "image-store check --repair"), options, backup, tell)
    : checkStore(options);
  const result = await Promise.race([working, store.failure]);
  const quarantine = config.blobs.kind === "file" ? await measureQuarantine(config.blobs.path) : { files: 0, bytes: 0 };
  const { files, bytes } = quarantine;
  const kept = files > 0 ? `\nIn quarantine: ${files}, ${formatBytes(bytes)}.` : "";
  print(summarise(result) + kept, { kind: "finished", ...result, quarantine: { files, bytes } });
  return isFine(result) ? EXIT.ok : EXIT.failed;
}

async function repairWith(
  config: EmbeddedConfig,
  options: CheckOptions,
  backup: BackupBytes | undefined,
  tell: (repair: Repair) => void,
): Promise<RepairResult> {
  const blobsFolder = config.blobs.path;
  const freeSpace = createFreeSpace(blobsFolder, config.minFree);
  try {
    using _ = await lockQuarantine(blobsFolder);
    using folders = createFolderSync();
    using files = createBlobFiles(`${blobsFolder}/files`, folders);
    // If all bytes were lost, so were their folders.
    if (backup !== undefined) await files.prepare();
    const quarantine = await openQuarantine(blobsFolder, folders);
    return await repairStore({
      ...options,
      blobsFolder,
      files,
      quarantine,
      backup,
      lockStore: () => lockFolder(dirname(config.catalog.path)),
      takeSpace: (bytes) => freeSpace.take(bytes),
      tell,
    });
  } catch (error) {
    throw explainFolderError(config.dataFolder, explainFullStore(config.dataFolder, error));
  }
}

async function lockQuarantine(blobsFolder: string): Promise<Disposable> {
  const folder = quarantineFolderOf(blobsFolder);
  await makeFolder(folder);
  try {
    return lockFolder(folder);
  } catch (cause) {
    throw cause instanceof StoreOpenError ? new Error("Another repair of this store is running.", { cause }) : cause;
  }
}

/** After a repair, bytes without a record are in quarantine, so they are no problem. */
const isFine = (result: CheckResult | RepairResult): boolean =>
  "unhealed" in result
    ? result.unhealed + result.lost === 0
    : result.damaged + result.checksums + result.unrecorded + result.miscounted === 0;

function summarise(result: CheckResult | RepairResult): string {
  const { blobs, bytes, damaged, checksums, unrecorded, young, miscounted } = result;
  const found =
    `${formatBytes(bytes)} read. Images: ${blobs}, damaged: ${damaged}. ` +
    `Blobs without a record: ${unrecorded}, younger than the grace: ${young}.${counted("Wrong counters", miscounted)}${counted("Wrong checksums", checksums)}`;
  if (!("unhealed" in result)) return found;
  return `${found}\nHealed: ${result.healed}, not healed: ${result.unhealed}. Added to quarantine: ${result.quarantined}.${counted("Counters corrected", result.recounted)}${counted("Checksums corrected", result.checksummed)}`;
}

const counted = (what: string, count: number): string => (count === 0 ? "" : ` ${what}: ${count}.`);
