import { stat } from "node:fs/promises";
import type { RestoredBlob, RestoringCatalog } from "../../adapters/catalog/sqlite/restore.ts";
import type { SnapshotBlob } from "../../adapters/catalog/sqlite/snapshot.ts";
import { forEachAtOnce } from "../../concurrency/limit.ts";
import { StoreError } from "../../domain/errors.ts";
import type { BlobStore } from "../../ports.ts";
import { DamagedBytes, piecesOf } from "../blob-damage.ts";
import type { BackupLayout } from "./backup-files.ts";
import type { Damage } from "./backup-store.ts";

export interface RestoreOptions {
  readonly source: Pick<BackupLayout, "blob">;
  readonly catalog: RestoringCatalog;
  /** Used by this process alone. */
  readonly blobs: Pick<BlobStore, "stage" | "commit" | "discard" | "release" | "list" | "remove">;
  /** Go on without bytes that are damaged or missing in the backup. */
  readonly partial: boolean;
  /** Bytes restored so far. */
  readonly progress: (done: number) => void;
  readonly report: (damage: Damage) => void;
}

export interface RestoreResult {
  /** Number of images without bytes. */
  readonly damaged: number;
}

/** Keeps a disk busy and lets copies share its syncs. */
const COPIES_AT_ONCE = 32;
/** Blobs that one transaction records. */
const BATCH = 256;

/**
 * Fills a blob store and its catalog from a backup and verifies the digest of each blob. Blobs that an earlier run recorded are not
 * copied again; those that it left unrecorded are removed.
 * @throws Error if the store or the catalog fails
 */
export async function restoreBlobs(options: RestoreOptions): Promise<RestoreResult> {
  const restored = options.catalog.restored();
  const there = await removeUnrecorded(options);
  if (there < restored.blobs)
    throw new Error(
      `Of ${restored.blobs} blobs that an earlier run restored, only ${there} exist. ` +
        "Check that their disk is mounted. If they are lost, empty the folders and restore again.",
    );
  let damaged = 0;
  let { bytes } = restored;
  for (let afterKey = ""; ; ) {
    const rows = options.catalog.missing({ afterKey, limit: BATCH });
    const last = rows.at(-1);
    if (last === undefined) return { damaged };
    afterKey = last.key;
    const copied: RestoredBlob[] = [];
    await forEachAtOnce(COPIES_AT_ONCE, rows, async (row) => {
      const blob = await restoreOne(row, options);
      if (blob === undefined) damaged++;
      const kept = blob ?? (await standIn(options));
      if (kept !== undefined) copied.push({ from: row.key, blob: kept });
      bytes += row.size;
      options.progress(bytes);
    });
    options.catalog.record(copied);
    options.blobs.release(copied.map(({ blob }) => blob.key));
  }
}

/** Removes blobs that an interrupted run did not record. Returns the number of recorded blobs. */
async function removeUnrecorded({ catalog, blobs }: RestoreOptions): Promise<number> {
  let recorded = 0;
  for await (const { key, location } of blobs.list())
    if (catalog.has(key)) recorded++;
    else await blobs.remove(location);
  return recorded;
}

/** Returns undefined, after a report, if the blob is damaged. */
async function restoreOne(row: SnapshotBlob, { source, blobs, report }: RestoreOptions) {
  try {
    return await store(blobs, fileContent(source.blob(row.sha256), row), row);
  } catch (error) {
    if (!(error instanceof DamagedBytes)) throw error;
    report({ ...row, reason: error.message });
    return undefined;
  }
}

/**
 * In a partial restore, an image whose bytes are lost gets a blob without bytes: a read responds with `blob_damaged`, and another
 * upload heals it, like any damaged image.
 */
async function standIn({ blobs, partial }: RestoreOptions) {
  return partial ? store(blobs, noBytes()) : undefined;
}

async function store(
  blobs: RestoreOptions["blobs"],
  source: AsyncIterable<Uint8Array>,
  expected?: Pick<SnapshotBlob, "size" | "sha256">,
) {
  const staged = await blobs.stage(source, { maxBytes: expected?.size ?? 0 });
  if (expected !== undefined && staged.sha256 !== expected.sha256) {
    await blobs.discard(staged);
    throw new DamagedBytes(`it has the digest ${staged.sha256}`);
  }
  return { key: staged.key, location: await blobs.commit(staged) };
}

/** @throws DamagedBytes if the file cannot be read or has another length */
async function* fileContent(path: string, { size }: Pick<SnapshotBlob, "size">): AsyncGenerator<Uint8Array> {
  yield* piecesOf(async () => {
    const found = (await stat(path)).size;
    if (found !== size) throw new StoreError("blob_damaged", `it has ${found} bytes, not ${size}`);
    return Bun.file(path).stream();
  });
}

// oxlint-disable-next-line require-yield -- an empty stream
async function* noBytes(): AsyncGenerator<Uint8Array> {}
