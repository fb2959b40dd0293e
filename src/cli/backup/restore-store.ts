import { stat } from "node:fs/promises";
import type { RestoredBlob, RestoringCatalog } from "../../adapters/catalog/sqlite/restore.ts";
import type { SnapshotBlob } from "../../adapters/catalog/sqlite/snapshot.ts";
import { StoreError } from "../../domain/errors.ts";
import type { BlobStore } from "../../ports.ts";
import { atOnce } from "../at-once.ts";
import { DamagedBytes, piecesOf } from "../blob-damage.ts";
import type { BackupLayout } from "./backup-layout.ts";
import type { Damage } from "./backup-store.ts";

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
  /** Images that got no bytes. */
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
  const restored = options.catalog.restored();
  const there = await removeUnrecorded(options);
  if (there < restored.blobs)
    throw new Error(
      `Of ${restored.blobs} blobs that were restored before, ${there} are there. ` +
        "Is their disk mounted? If they are gone for good, empty the folders and restore anew.",
    );
  let damaged = 0;
  let { bytes } = restored;
  for (let afterKey = ""; ; ) {
    const rows = options.catalog.missing({ afterKey, limit: BATCH });
    const last = rows.at(-1);
    if (last === undefined) return { damaged };
    afterKey = last.key;
    const copied: RestoredBlob[] = [];
    await atOnce(COPIES_AT_ONCE, rows, async (row) => {
      const blob = await restoreOne(row, options);
      if (blob === undefined) damaged++;
      const kept = blob ?? (await standIn(options));
      if (kept !== undefined) copied.push({ from: row.key, blob: kept });
      bytes += row.size;
      options.progress(bytes);
    });
    options.catalog.record(copied);
    options.blobs.settle(copied.map(({ blob }) => blob.key));
  }
}

/** Bytes whose row a run that was cut off had no time for. Answers how many others there are. */
async function removeUnrecorded({ catalog, blobs }: RestoreOptions): Promise<number> {
  let recorded = 0;
  for await (const { key, location } of blobs.list())
    if (catalog.has(key)) recorded++;
    else await blobs.remove(location);
  return recorded;
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
