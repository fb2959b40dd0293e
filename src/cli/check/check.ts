import { dirname } from "node:path";
import { createBlobFiles } from "../../adapters/blobs/files.ts";
import { createFolderSync } from "../../adapters/blobs/folder-sync.ts";
import { makeFolder } from "../../adapters/blobs/make-folder.ts";
import { measureQuarantine, openQuarantine, quarantineFolderOf } from "../../adapters/blobs/quarantine.ts";
import { CatalogOpenError } from "../../adapters/catalog/open-error.ts";
import { lockFolder } from "../../adapters/catalog/sqlite/lock.ts";
import { createFreeSpace } from "../../adapters/files/free-space.ts";
import type { Config } from "../../config.ts";
import { explainFolderError, explainFullStore } from "../backup/folder-error.ts";
import { type EmbeddedConfig, requireEmbedded } from "../embedded.ts";
import { openStore } from "../open-store.ts";
import { formatBytes, openProgressBar } from "../progress-bar.ts";
import { EXIT, type Surroundings } from "../surroundings.ts";
import { type CheckOptions, type CheckResult, checkStore } from "./check-store.ts";
import { describeFinding, describeRepair } from "./describe-findings.ts";
import { type Repair, type RepairResult, repairStore } from "./repair-store.ts";

/** Checks the store, also beside a server that runs; prints what it finds and answers the exit code. */
export async function check(
  config: Config,
  { repair }: { readonly repair: boolean },
  surroundings: Surroundings,
): Promise<number> {
  await using store = await openStore(config);
  const total = (await store.catalog.totals()).bytes;
  using bar = openProgressBar(surroundings);
  const print = (line: string) => {
    bar.clear();
    surroundings.out(`${line}\n`);
  };
  const options: CheckOptions = {
    ...store,
    grace: config.grace,
    progress: (bytes) => bar.advance(bytes, total),
    report: (finding) => print(describeFinding(finding)),
  };
  const tell = (repaired: Repair) => print(describeRepair(repaired));
  const working = repair
    ? repairWith(requireEmbedded(config, "image-store check --repair"), options, tell)
    : checkStore(options);
  const result = await Promise.race([working, store.failure]);
  print(summarise(result));
  if (config.blobs.kind === "file") {
    const { files, bytes } = await measureQuarantine(config.blobs.path);
    if (files > 0) print(`In quarantine: ${files}, ${formatBytes(bytes)}.`);
  }
  return isFine(result) ? EXIT.ok : EXIT.failed;
}

async function repairWith(
  config: EmbeddedConfig,
  options: CheckOptions,
  tell: (repair: Repair) => void,
): Promise<RepairResult> {
  const blobsFolder = config.blobs.path;
  const freeSpace = createFreeSpace(blobsFolder, config.minFree);
  try {
    using _ = await lockQuarantine(blobsFolder);
    using folders = createFolderSync();
    using files = createBlobFiles(`${blobsFolder}/files`, folders);
    const quarantine = await openQuarantine(blobsFolder, folders);
    return await repairStore({
      ...options,
      blobsFolder,
      files,
      quarantine,
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
    throw cause instanceof CatalogOpenError ? new Error("Another repair of this store runs.", { cause }) : cause;
  }
}

/** After a repair what nobody owns is in quarantine, and the server may take it. */
const isFine = (result: CheckResult | RepairResult): boolean =>
  "unhealed" in result ? result.unhealed + result.lost === 0 : result.damaged + result.unrecorded === 0;

function summarise(result: CheckResult | RepairResult): string {
  const { blobs, bytes, damaged, unrecorded, young } = result;
  const found =
    `${formatBytes(bytes)} read. Images: ${blobs}, damaged: ${damaged}. ` +
    `Blobs without a record: ${unrecorded}, younger than the grace: ${young}.`;
  if (!("unhealed" in result)) return found;
  return `${found}\nHealed: ${result.healed}, not healed: ${result.unhealed}. Added to quarantine: ${result.quarantined}.`;
}
