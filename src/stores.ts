import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { openDiskBlobs } from "./adapters/blobs/disk.ts";
import { makeFolder } from "./adapters/blobs/make-folder.ts";
import type { OriginalsCache } from "./adapters/blobs/originals-cache.ts";
import { readOwnerFile } from "./adapters/blobs/owner-file.ts";
import type { LogObserver } from "./adapters/catalog/postgres/log-connection.ts";
import { lockFolder } from "./adapters/catalog/sqlite/lock.ts";
import { refuseHalfRestored } from "./adapters/catalog/sqlite/restore.ts";
import { openSqliteCatalog } from "./adapters/catalog/sqlite.ts";
import type { CacheObserver } from "./adapters/disk-cache/cache-index.ts";
import { explainOpenFailure } from "./adapters/files/folder-error.ts";
import { closeToOthers, openToOthers } from "./adapters/files/private-files.ts";
import type { Config } from "./config.ts";
import { StoreOpenError } from "./domain/open-error.ts";
import type { Logger } from "./observe/logger.ts";
import { requireOwnBlobs, type StorePlaces } from "./operations/own-blobs.ts";
import type { BlobStore, Catalog } from "./ports.ts";

type BlobsAs = Exclude<CatalogOptions["as"], "first">;

export interface CatalogOptions {
  /**
   * `server`: creates what is missing, and locks the folders on this machine. `beside`: for a subcommand, which may run beside a
   * server and creates nothing. `first`: for one that may also come before the first server: it creates a catalog that is not
   * there.
   */
  readonly as: "server" | "beside" | "first";
  /** Called when the outcome of the last write is unknown. The process should end. */
  readonly onFatal: (error: Error) => void;
  readonly observe?: (batch: { readonly batchSize: number }) => void;
  /** Observes the numbering of events in PostgreSQL. */
  readonly observeLog?: LogObserver;
}

/**
 * Opens the catalog of the configuration.
 * @throws StoreOpenError; Error if `beside` and there is none; StoreError `unavailable` while PostgreSQL is unreachable
 */
export async function openCatalog(
  config: Config,
  { as: wanted, onFatal, observe, observeLog }: CatalogOptions,
): Promise<Catalog> {
  const { catalog, catalogPool } = config;
  if (catalog.kind === "postgres") {
    // Imported on demand: most stores have no PostgreSQL, and its client takes time and memory.
    const { openPostgresCatalog } = await import("./adapters/catalog/postgres.ts");
    return openPostgresCatalog({
      url: catalog.url,
      poolSize: catalogPool,
      as: wanted,
      observeLog,
      ...(observe && { observe }),
    });
  }
  const { path } = catalog;
  const exists = existsSync(path);
  const as = wanted !== "first" ? wanted : exists ? "beside" : "server";
  if (as === "beside" && !exists) throw new Error(`There is no store: ${path} does not exist.`);
  if (as === "server") {
    refuseHalfRestored(path);
    if (!exists) await requireNoBlobs(config, path);
    await atPath(dirname(path), () => makeFolder(dirname(path)));
  }
  const options = as === "server" ? { exclusive: true } : { exclusive: false, writer: "inline" as const };
  return atPath(path, () => openSqliteCatalog({ path, ...options, onFatal, ...(observe && { observe }) }));
}

/** Refuses to create a catalog beside the blobs of another store: then a setting is wrong. */
async function requireNoBlobs({ blobs }: Config, path: string): Promise<void> {
  const owner = blobs.kind === "file" ? await atPath(blobs.path, () => readOwnerFile(blobs.path)) : undefined;
  if (blobs.kind === "file" && owner !== undefined)
    throw new StoreOpenError(
      "foreign_blobs",
      `There is no catalog at ${resolve(path)}, and ${resolve(blobs.path)} has the bytes of store ${owner}. Set ` +
        "IMAGE_STORE_CATALOG_URL (or IMAGE_STORE_DATA) to that store's catalog, or IMAGE_STORE_BLOBS_URL to an empty folder.",
    );
}

/** Opens the blob store of the configuration. */
export async function openBlobs(config: Config, as: BlobsAs): Promise<BlobStore> {
  const { blobs, dataFolder, minFree, grace } = config;
  if (blobs.kind === "file") return atPath(blobs.path, () => openDisk(config, blobs, as));
  // Imported on demand: most stores have no S3, and its client takes time and memory.
  const { openS3Blobs } = await import("./adapters/blobs/s3.ts");
  const spoolFolder = join(dataFolder, "tmp");
  return atPath(spoolFolder, () =>
    openS3Blobs({ ...blobs, spoolFolder, minFree, commitWithin: grace / 2, recover: as === "server" }),
  );
}

/**
 * Opens the blob store and checks that it belongs to this catalog. A server marks an unmarked one as its own.
 * @throws StoreOpenError `foreign_blobs`
 */
export async function openOwnBlobs(
  config: Config,
  catalog: Catalog,
  as: BlobsAs,
  { mayBeEmpty = false }: { readonly mayBeEmpty?: boolean } = {},
): Promise<BlobStore> {
  const places = placesOf(config);
  if (config.blobs.kind === "file" && as === "server") {
    // Before anything in the folder is recovered or created.
    await using beside = await openBlobs(config, "beside");
    await atPath(config.blobs.path, () => requireOwnBlobs({ catalog, blobs: beside }, { places, claim: false }));
  }
  await using opening = new AsyncDisposableStack();
  const blobs = opening.use(await openBlobs(config, as));
  const checking = () => requireOwnBlobs({ catalog, blobs }, { places, claim: as === "server", mayBeEmpty });
  await (config.blobs.kind === "file" ? atPath(config.blobs.path, checking) : checking());
  opening.move();
  return blobs;
}

/**
 * Removes the access of other users to files and folders that the store created, since the catalog contains the key of signed links.
 * Returns the folders that it leaves open because they may serve others on purpose.
 */
export async function closeStoreToOthers({ catalog, blobs, dataFolder }: Config) {
  const paths = within(dataFolder, ["blobs", "originals", "variants", "tmp", ...LOCK]);
  const folders = [dataFolder];
  if (catalog.kind === "sqlite") {
    folders.push(dirname(catalog.path));
    paths.push(...["", "-wal", "-shm"].map((suffix) => catalog.path + suffix), ...within(dirname(catalog.path), LOCK));
  }
  if (blobs.kind === "file") {
    folders.push(blobs.path);
    paths.push(...within(blobs.path, ["files", "segments", "tmp", "quarantine", "store-id", ...LOCK]));
  }
  const { closed, left } = await closeToOthers(unique(paths));
  return { closed, open: [...left, ...(await openToOthers(unique(folders)))] };
}

const LOCK = ["lock.sqlite", "lock.sqlite-journal"];
const within = (folder: string, names: readonly string[]) => names.map((name) => join(folder, name));
const unique = (paths: readonly string[]) => [...new Set(paths.map((path) => resolve(path)))];

/** Locations for messages, without user, password and parameters. */
export function placesOf({ catalog, blobs }: Config): StorePlaces {
  const { host = "", pathname = "" } = catalog.kind === "postgres" ? new URL(catalog.url) : {};
  return {
    catalog: catalog.kind === "postgres" ? `postgres://${host}${pathname}` : resolve(catalog.path),
    blobs: blobs.kind === "file" ? resolve(blobs.path) : `s3://${blobs.bucket}/${blobs.prefix}`,
  };
}

/** Adds the path to an error that opening it throws. */
export async function atPath<Value>(path: string, open: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await open();
  } catch (error) {
    throw explainOpenFailure(resolve(path), error);
  }
}

/** Opens the cache of originals in front of a shared blob store, unless the configuration disables it. */
export async function openOriginals(
  { originalsCache, minFree, imageCache }: Config,
  blobs: BlobStore,
  observer: CacheObserver,
): Promise<OriginalsCache | undefined> {
  if (!blobs.shared || originalsCache.maxBytes === 0) return undefined;
  const { openOriginalsCache } = await import("./adapters/blobs/originals-cache.ts");
  return atPath(originalsCache.folder, () =>
    openOriginalsCache(blobs, { ...originalsCache, minFree, memoryBytes: imageCache, observer }),
  );
}

async function openDisk(
  config: Config,
  { path }: Extract<Config["blobs"], { kind: "file" }>,
  as: BlobsAs,
): Promise<BlobStore> {
  if (as === "beside") return openDiskBlobs({ folder: path, minFree: config.minFree, recover: false });
  await makeFolder(path);
  return openDiskBlobs({
    folder: path,
    minFree: config.minFree,
    recover: true,
    smallBytes: config.smallImage,
    segmentBytes: config.segmentSize,
    cacheBytes: config.imageCache,
  });
}

/**
 * Locks the data folder and the blobs' folder; the catalog locks its own. A server with another catalog would sweep these blobs, and
 * caches and temporary files belong to one node.
 * @throws StoreOpenError `folder_in_use`
 */
export async function lockFolders({ catalog, blobs, dataFolder }: Config): Promise<Disposable> {
  using locking = new DisposableStack();
  const locked = new Set(catalog.kind === "sqlite" ? [await realpath(dirname(catalog.path))] : []);
  for (const folder of [dataFolder, ...(blobs.kind === "file" ? [blobs.path] : [])]) {
    await atPath(folder, () => makeFolder(folder));
    const real = await realpath(folder);
    if (!locked.has(real)) locking.use(await atPath(join(real, "lock.sqlite"), () => lockFolder(real)));
    locked.add(real);
  }
  return locking.move();
}

export async function tellWhatOthersMaySee(config: Config, logger: Logger): Promise<void> {
  const { closed, open } = await closeStoreToOthers(config);
  if (closed.length > 0) logger.warn({ closed }, "files of the store were accessible to other users: access removed");
  if (open.length > 0)
    logger.warn(
      { open },
      "folders of the store are accessible to other users: run chmod 700 on them, unless that is intended",
    );
}
