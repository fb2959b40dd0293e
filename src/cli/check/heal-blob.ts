import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { contentExtentOf } from "../../adapters/blobs/extent.ts";
import type { BlobFiles } from "../../adapters/blobs/files.ts";
import type { Quarantine } from "../../adapters/blobs/quarantine.ts";
import { stageFile } from "../../adapters/blobs/staging.ts";
import { CatalogOpenError } from "../../adapters/catalog/open-error.ts";
import type { BlobMove } from "../../domain/blob.ts";
import type { BlobRow, Catalog, FoundBlob } from "../../ports.ts";
import { DamagedBytes, findBlob } from "../blob-damage.ts";
import { type RawBytes, readExtent, tryToLookAt } from "./raw-bytes.ts";

export interface HealOptions {
  readonly catalog: Pick<Catalog, "blobs">;
  readonly blobsFolder: string;
  readonly files: Pick<BlobFiles, "place">;
  readonly quarantine: Pick<Quarantine, "newTemporaryPath">;
  /** @throws CatalogOpenError `folder_in_use` while a server runs */
  readonly lockStore: () => Disposable;
  /** @throws StoreError `insufficient_storage` */
  readonly takeSpace: (bytes: number) => Promise<void>;
}

/** `move` is what the catalog has yet to be told, where it has. */
export type Healing =
  | { readonly kind: "placed"; readonly move: BlobMove | undefined }
  | { readonly kind: "impossible"; readonly reason: string };

const EQUAL_BLOBS = 100;

/** Bytes that lie where a blob of that key does, or did. */
export interface FoundBytes extends RawBytes {
  readonly key: string;
}

/**
 * All places where the bytes of a blob may be: its own, where only the header may be damaged, those of its other copies
 * and those of any blob with the same digest. What lies there is read, and believed in nothing.
 */
export async function lookForBytes(
  { catalog, blobsFolder }: Pick<HealOptions, "catalog" | "blobsFolder">,
  row: BlobRow,
  withoutRecord: readonly FoundBlob[],
): Promise<readonly FoundBytes[]> {
  const rows = await catalog.blobs({ afterKey: row.sha256, limit: EQUAL_BLOBS });
  const equal = [...withoutRecord, ...rows].filter(({ key, size }) => size === row.size && key.startsWith(row.sha256));
  const places = new Map([row, ...equal].map(({ key, location }) => [location, key]));
  const found: FoundBytes[] = [];
  for (const [location, key] of places) {
    const extent = contentExtentOf(blobsFolder, location);
    const bytes = extent === undefined ? undefined : await tryToLookAt(extent);
    if (bytes !== undefined) found.push({ key, ...bytes });
  }
  return found;
}

/**
 * Gives the blob a file with those bytes. Nothing else is written to: a segment is the server's alone. A file that
 * stands there already is replaced, if no server runs, which would go on with the one that it opened.
 */
export async function heal(options: HealOptions, row: BlobRow, sound: RawBytes): Promise<Healing> {
  const now = await findBlob(options.catalog, row.key);
  if (now?.location !== row.location) return { kind: "impossible", reason: "it was moved or deleted meanwhile" };
  const to = `file:${row.key}`;
  const path = contentExtentOf(options.blobsFolder, to)?.path ?? "";
  const isMoved = row.location !== to;
  using lock = isMoved || !existsSync(path) ? NO_LOCK : tryToLock(options.lockStore);
  if (lock === undefined)
    return { kind: "impossible", reason: "there are sound bytes, but its file can't be replaced while a server runs" };
  if (!(await copyTo(options, row, sound)))
    return { kind: "impossible", reason: "the sound bytes went while they were copied" };
  return { kind: "placed", move: isMoved ? { key: row.key, from: row.location, to } : undefined };
}

const NO_LOCK: Disposable = { [Symbol.dispose]: () => {} };

function tryToLock(lockStore: () => Disposable): Disposable | undefined {
  try {
    return lockStore();
  } catch (error) {
    if (error instanceof CatalogOpenError && error.reason === "folder_in_use") return undefined;
    throw error;
  }
}

async function copyTo({ files, quarantine, takeSpace }: HealOptions, { key, sha256 }: BlobRow, sound: RawBytes) {
  await takeSpace(sound.size);
  const path = quarantine.newTemporaryPath();
  try {
    const staged = await stageFile(path, readExtent(sound.extent), sound.size);
    await staged.synced;
    if (staged.sha256 !== sha256) return false;
    await files.place(key, path);
    return true;
  } catch (error) {
    if (error instanceof DamagedBytes) return false;
    throw error;
  } finally {
    await rm(path, { force: true });
  }
}
