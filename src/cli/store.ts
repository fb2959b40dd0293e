import type { Config } from "../config.ts";
import type { BlobRow, BlobStore, Catalog } from "../ports.ts";
import { openCatalog, openOwnBlobs } from "../stores.ts";

/** The configuration of a store that keeps everything on this machine's disk. */
export interface EmbeddedConfig extends Config {
  readonly catalog: Extract<Config["catalog"], { kind: "sqlite" }>;
  readonly blobs: Extract<Config["blobs"], { kind: "file" }>;
}

/** @throws Error if the store uses PostgreSQL or S3, which `command` does not support */
export function requireEmbedded(config: Config, command: string): EmbeddedConfig {
  const { catalog, blobs } = config;
  if (catalog.kind === "sqlite" && blobs.kind === "file") return { ...config, catalog, blobs };
  throw new Error(
    `${command} needs a store with SQLite and files. For PostgreSQL and S3, use their own tools: see docs/nodes.md.`,
  );
}

export interface OpenCatalog extends AsyncDisposable {
  readonly catalog: Catalog;
  /** Rejects when the catalog fails beyond repair. Race the work against it. */
  readonly failure: Promise<never>;
}

/** A store that a subcommand uses, possibly beside a server. */
export interface OpenStore extends OpenCatalog {
  readonly blobs: BlobStore;
}

/**
 * Opens the catalog beside a server. Creates and migrates nothing, unless `as` is `first` and there is none.
 * @throws Error if there is none
 */
export async function openCatalogBeside(config: Config, as: "beside" | "first" = "beside"): Promise<OpenCatalog> {
  const failure = Promise.withResolvers<never>();
  // It may reject when nothing awaits it any more.
  failure.promise.catch(() => {});
  const catalog = await openCatalog(config, { as, onFatal: failure.reject });
  return { catalog, failure: failure.promise, [Symbol.asyncDispose]: () => catalog[Symbol.asyncDispose]() };
}

/**
 * Opens the store beside a server. Creates nothing.
 * @param options.mayBeEmpty the blobs' folder may have lost everything, with the file that names its store
 * @throws Error if there is no store; StoreOpenError if catalog and blobs belong to different stores
 */
export async function openStore(config: Config, options: { readonly mayBeEmpty?: boolean } = {}): Promise<OpenStore> {
  await using opening = new AsyncDisposableStack();
  const { catalog, failure } = opening.use(await openCatalogBeside(config));
  const blobs = opening.use(await openOwnBlobs(config, catalog, "beside", options));
  const stack = opening.move();
  return { catalog, blobs, failure, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const HOLD_SECONDS = 60;
const RENEW_EVERY_MS = 20_000;

/** Runs `work` while a hold keeps every process from removing bytes. The hold of a process that dies expires by itself. */
export async function whileHeld<Result>(
  catalog: Pick<Catalog, "write">,
  holder: string,
  work: () => Promise<Result>,
): Promise<Result> {
  const id = `${holder}-${crypto.randomUUID()}`;
  const hold = async () => void (await catalog.write({ type: "hold", id, seconds: HOLD_SECONDS }));
  await hold();
  // A renewal may fail: the hold lasts for three intervals.
  const renewal = setInterval(() => void hold().catch(() => {}), RENEW_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(renewal);
    // If it fails, the hold expires. The caller gets the result or the error of the work.
    await catalog.write({ type: "releaseHold", id }).catch(() => {});
  }
}

/** Returns the blob's current row, in any state. */
export async function findBlob(catalog: Pick<Catalog, "blobs">, key: string): Promise<BlobRow | undefined> {
  // At most 16 keys differ only in the last hex digit.
  const rows = await catalog.blobs({ afterKey: key.slice(0, -1), limit: 16 });
  return rows.find((row) => row.key === key);
}
