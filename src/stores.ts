import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { dirname, join } from "node:path";
import { openDiskBlobs } from "./adapters/blobs/disk.ts";
import { makeFolder } from "./adapters/blobs/make-folder.ts";
import type { OriginalsCache, OriginalsCacheObserver } from "./adapters/blobs/originals-cache.ts";
import { lockFolder } from "./adapters/catalog/sqlite/lock.ts";
import { openSqliteCatalog } from "./adapters/catalog/sqlite.ts";
import type { Config } from "./config.ts";
import type { BlobStore, Catalog } from "./ports.ts";

export interface CatalogOptions {
  /**
   * `server`: makes what is missing, and nobody else may serve what is on this machine's disk. `beside`: for a subcommand,
   * which looks at what a server may be using and makes nothing.
   */
  readonly as: "server" | "beside";
  /** What was written last is in doubt: the process should end. */
  readonly onFatal: (error: Error) => void;
  readonly observe?: (batch: { readonly batchSize: number }) => void;
}

/**
 * The catalog that the configuration names.
 * @throws CatalogOpenError; Error `beside` where there is none
 */
export async function openCatalog(
  { catalog, catalogPool }: Config,
  { as, onFatal, observe }: CatalogOptions,
): Promise<Catalog> {
  if (catalog.kind === "postgres") {
    // Loaded only here: most stores have no PostgreSQL, and its client costs time and memory.
    const { openPostgresCatalog } = await import("./adapters/catalog/postgres.ts");
    return openPostgresCatalog({ url: catalog.url, poolSize: catalogPool, as, ...(observe && { observe }) });
  }
  const { path } = catalog;
  if (as === "server") {
    await makeFolder(dirname(path));
    return openSqliteCatalog({ path, exclusive: true, onFatal, ...(observe && { observe }) });
  }
  if (!existsSync(path)) throw new Error(`There is no store: ${path} does not exist.`);
  return openSqliteCatalog({ path, exclusive: false, writer: "inline", onFatal });
}

/** The blob store that the configuration names. */
export async function openBlobs(config: Config, as: CatalogOptions["as"]): Promise<BlobStore> {
  const { blobs, dataFolder, minFree, grace } = config;
  if (blobs.kind === "file") return openDisk(config, blobs, as);
  // Loaded only here: most stores have no S3, and its client costs time and memory.
  const { openS3Blobs } = await import("./adapters/blobs/s3.ts");
  const spoolFolder = join(dataFolder, "tmp");
  return openS3Blobs({ ...blobs, spoolFolder, minFree, commitWithin: grace / 2, recover: as === "server" });
}

/** The same with a cache on this node in front, where they are elsewhere and the configuration wants it. */
export async function openOriginals(
  { originalsCache, minFree, imageCache }: Config,
  blobs: BlobStore,
  observer: OriginalsCacheObserver,
): Promise<OriginalsCache | undefined> {
  if (!blobs.shared || originalsCache.maxBytes === 0) return undefined;
  const { openOriginalsCache } = await import("./adapters/blobs/originals-cache.ts");
  return openOriginalsCache(blobs, { ...originalsCache, minFree, memoryBytes: imageCache, observer });
}

async function openDisk(
  config: Config,
  { path }: Extract<Config["blobs"], { kind: "file" }>,
  as: CatalogOptions["as"],
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
 * One server has what is in these folders, beside the catalog's own, which the catalog locks when it is opened: with
 * another catalog, a server would sweep the bytes as nobody's; and what is on its way to other places, and the caches, are
 * each node's.
 * @throws CatalogOpenError `folder_in_use`
 */
export async function lockFolders({ catalog, blobs, dataFolder }: Config): Promise<Disposable> {
  using locking = new DisposableStack();
  const locked = new Set(catalog.kind === "sqlite" ? [await realpath(dirname(catalog.path))] : []);
  for (const folder of [dataFolder, ...(blobs.kind === "file" ? [blobs.path] : [])]) {
    await makeFolder(folder);
    const real = await realpath(folder);
    if (!locked.has(real)) locking.use(lockFolder(real));
    locked.add(real);
  }
  return locking.move();
}
