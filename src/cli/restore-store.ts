import { stat } from "node:fs/promises";
import type { RestoredBlob, RestoringCatalog } from "../adapters/catalog/sqlite-restore.ts";
import type { SnapshotBlob } from "../adapters/catalog/sqlite-snapshot.ts";
import { StoreError } from "../domain/errors.ts";
import type { BlobStore } from "../ports.ts";
import { atOnce } from "./at-once.ts";
import type { BackupLayout } from "./backup-layout.ts";
import type { Damage } from "./backup-store.ts";
import { DamagedBytes, piecesOf } from "./blob-damage.ts";

export interface RestoreOptions {
  readonly source: Pick<BackupLayout, "blob">;
  readonly catalog: RestoringCatalog;
  /** Nobody else writes to it. */
  readonly blobs: Pick<BlobStore, "stage" | "commit" | "discard" | "settle" | "list" | "remove">;
  /** Go on without the bytes that are damaged or missing in the backup. */
  readonly partial: boolean;
  /** In bytes. */
  readonly progress: (done: number) => void;
  readonly report: (damage: Damage) => void;
}

export interface RestoreResult {
  readonly images: number;
  readonly bytes: number;
  readonly damaged: number;
}

/** Enough to keep a disk busy, and to share its syncs. */
const COPIES_AT_ONCE = 32;
/** Blobs that one transaction records. */
const BATCH = 256;

/**
 * Fills a blob store and its catalog from a backup, each blob verified by its digest. What an earlier run recorded is not
 * copied again, and what it left unrecorded is removed.
 * @throws Error when the store or the catalog fails
 */
export async function restoreBlobs(options: RestoreOptions): Promise<RestoreResult> {
  await removeUnrecorded(options);
  const result = { images: 0, bytes: 0, damaged: 0 };
  for (let afterKey = ""; ; ) {
    const rows = options.catalog.missing({ afterKey, limit: BATCH });
    const last = rows.at(-1);
    if (last === undefined) return result;
    afterKey = last.key;
    const restored: RestoredBlob[] = [];
    await atOnce(COPIES_AT_ONCE, rows, async (row) => {
      const blob = (await restoreOne(row, options)) ?? (result.damaged++, await standIn(options));
      if (blob !== undefined) restored.push({ from: row.key, blob });
      result.images++;
      result.bytes += row.size;
      options.progress(result.bytes);
    });
    options.catalog.record(restored);
    options.blobs.settle(restored.map(({ blob }) => blob.key));
  }
}

/** Bytes whose row a run that was cut off had no time for. */
async function removeUnrecorded({ catalog, blobs }: RestoreOptions): Promise<void> {
  for await (const { key, location } of blobs.list())
    if (!catalog.recorded([key]).has(key)) await blobs.remove(location);
}

/** Undefined when it is damaged, which was reported. */
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
 * Where bytes are lost and the rest is wanted, a record gets a blob without bytes: reading it is `blob_damaged`, and
 * uploading the image again heals it, as with any other that is damaged.
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

/** @throws DamagedBytes also when the file has another length */
async function* fileContent(path: string, { size }: Pick<SnapshotBlob, "size">): AsyncGenerator<Uint8Array> {
  yield* piecesOf(async () => {
    const found = (await stat(path)).size;
    if (found !== size) throw new StoreError("blob_damaged", `it has ${found} bytes, not ${size}`);
    return Bun.file(path).stream();
  });
}

// oxlint-disable-next-line require-yield -- that is the point
async function* noBytes(): AsyncGenerator<Uint8Array> {}
