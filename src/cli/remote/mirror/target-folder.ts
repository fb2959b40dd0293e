import { mkdir } from "node:fs/promises";
import { type Config, parseConfig } from "../../../config.ts";
import { requireOwnBlobs } from "../../../operations/own-blobs.ts";
import type { BlobStore, Catalog } from "../../../ports.ts";
import { lockFolders, openCatalog, openOwnBlobs, placesOf } from "../../../stores.ts";
import { runAlbumDeletion } from "../../../workers/album-deletion.ts";
import { runRetention } from "../../../workers/retention.ts";
import { runSweep } from "../../../workers/sweep.ts";
import type { CliContext } from "../../context.ts";
import { createBlobWrites, type Staged } from "./folder-blobs.ts";
import { createRecords } from "./folder-records.ts";
import type { MirrorTarget } from "./target.ts";

/** Of the server's settings, those that say how a folder is kept. Others, such as the place of the catalog, are of another store. */
const KEPT = [
  "MIN_FREE",
  "SMALL_IMAGE",
  "SEGMENT_SIZE",
  "GRACE",
  "EVENTS_RETENTION",
  "EVENTS_MAX_BYTES",
  "SWEEP_SHARE",
];

export function configOfFolder(folder: string, { env, readFile }: Pick<CliContext, "env" | "readFile">): Config {
  const names = KEPT.map((name) => `IMAGE_STORE_${name}`);
  const kept = Object.fromEntries(names.map((name) => [name, env[name]]));
  return parseConfig({ env: { ...kept, IMAGE_STORE_DATA: folder }, readFile, isTerminal: false });
}

/**
 * A data folder, which this process opens as a server would. Its records are those of the source, with their ids, revisions, times and
 * descriptions.
 * @throws StoreOpenError `folder_in_use`
 */
export async function openTargetFolder(
  config: Config,
  { onFatal, onFailure }: { onFatal: (error: Error) => void; onFailure: (error: unknown) => void },
): Promise<MirrorTarget<Staged>> {
  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 });
  await using opening = new AsyncDisposableStack();
  const catalog = opening.use(await openCatalog(config, { as: "server", onFatal }));
  opening.use(await lockFolders(config));
  const blobs = opening.use(await openOwnBlobs(config, catalog, "server"));
  opening.use(startWorkers(catalog, blobs, config, onFailure));
  const stack = opening.move();
  return {
    isVerbatim: true,
    // A server locks its folder.
    identity: async () => undefined,
    ...createRecords(catalog),
    ...createBlobWrites(catalog, blobs),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** What a server does besides, as far as it is not for requests: deleted bytes leave the disk. */
function startWorkers(
  catalog: Catalog,
  blobs: BlobStore,
  config: Config,
  onFailure: (error: unknown) => void,
): AsyncDisposable {
  const { grace, tombstone, sweepShare: share, eventsRetention, eventsMaxBytes } = config;
  const stopping = new AbortController();
  const { signal } = stopping;
  const places = placesOf(config);
  const requireOwner = () => requireOwnBlobs({ catalog, blobs }, { places, claim: true });
  const running = Promise.all([
    runSweep({ catalog, blobs }, { grace, tombstone, share, onFailure }, requireOwner, signal),
    runAlbumDeletion({ catalog }, { onFailure }, signal),
    runRetention({ catalog }, { eventsRetention, eventsMaxBytes, onCursorsGivenUp() {}, onFailure }, signal),
  ]);
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      await running;
    },
  };
}
