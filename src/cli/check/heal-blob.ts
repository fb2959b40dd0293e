import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { contentExtentOf } from "../../adapters/blobs/extent.ts";
import type { BlobFiles } from "../../adapters/blobs/files.ts";
import type { Quarantine } from "../../adapters/blobs/quarantine.ts";
import { stageFile } from "../../adapters/blobs/staged-file.ts";
import type { BlobMove } from "../../domain/blob.ts";
import { StoreOpenError } from "../../domain/open-error.ts";
import type { BlobRow, Catalog, FoundBlob } from "../../ports.ts";
import { DamagedBytes } from "../blob-damage.ts";
import { findBlob } from "../store.ts";
import { type RawBytes, readExtent, tryToLookAt } from "./raw-bytes.ts";

export interface HealOptions {
  readonly catalog: Pick<Catalog, "blobs">;
  readonly blobsFolder: string;
  readonly files: Pick<BlobFiles, "place">;
  readonly quarantine: Pick<Quarantine, "newTemporaryPath">;
  /** @throws StoreOpenError `folder_in_use` while a server runs */
  readonly lockStore: () => Disposable;
  /** @throws StoreError `insufficient_storage` */
  readonly takeSpace: (bytes: number) => Promise<void>;
}

/** `move`: a change of location that the catalog must still record. */
export type Healing =
  | { readonly kind: "placed"; readonly move: BlobMove | undefined }
  | { readonly kind: "impossible"; readonly reason: string };

const EQUAL_BLOBS = 100;

/** Bytes found at the present or former place of a blob. */
export interface FoundBytes extends RawBytes {
  readonly key: string;
}

/**
 * Reads every place where the bytes of a blob may be: its own, where perhaps only the header is damaged, its other copies, and all
 * blobs with the same digest. The caller must compare the digests.
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
 * Gives the blob a file with the intact bytes. It never writes to a segment, which belongs to the server. An existing file is
 * replaced only if no server runs, since a server would go on reading the file that it has open.
 */
export async function heal(options: HealOptions, row: BlobRow, intact: RawBytes): Promise<Healing> {
  const now = await findBlob(options.catalog, row.key);
  if (now?.location !== row.location) return { kind: "impossible", reason: "it was moved or deleted meanwhile" };
  const to = `file:${row.key}`;
  const path = contentExtentOf(options.blobsFolder, to)?.path ?? "";
  const isMoved = row.location !== to;
  using lock = isMoved || !existsSync(path) ? NO_LOCK : tryToLock(options.lockStore);
  if (lock === undefined)
    return {
      kind: "impossible",
      reason: "its file cannot be replaced while a server runs; stop the server and repair again",
    };
  if (!(await copyTo(options, row, intact)))
    return { kind: "impossible", reason: "its intact bytes disappeared while they were copied" };
  return { kind: "placed", move: isMoved ? { key: row.key, from: row.location, to } : undefined };
}

const NO_LOCK: Disposable = { [Symbol.dispose]: () => {} };

function tryToLock(lockStore: () => Disposable): Disposable | undefined {
  try {
    return lockStore();
  } catch (error) {
    if (error instanceof StoreOpenError && error.reason === "folder_in_use") return undefined;
    throw error;
  }
}

async function copyTo({ files, quarantine, takeSpace }: HealOptions, { key, sha256 }: BlobRow, intact: RawBytes) {
  await takeSpace(intact.size);
  const path = quarantine.newTemporaryPath();
  try {
    const staged = await stageFile(path, readExtent(intact.extent), intact.size);
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
