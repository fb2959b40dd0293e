import {
  openSnapshot,
  type Snapshot,
  type SnapshotBlob,
  writeSnapshot,
} from "../../adapters/catalog/sqlite/snapshot.ts";
import { forEachAtOnce } from "../../concurrency/limit.ts";
import type { BlobStore, Catalog } from "../../ports.ts";
import { DamagedBytes, piecesOf } from "../blob-damage.ts";
import { findBlob, whileHeld } from "../store.ts";
import type { BackupFolder } from "./backup-folder.ts";

export interface BackupOptions {
  readonly catalog: Pick<Catalog, "write" | "blobs">;
  readonly catalogPath: string;
  readonly blobs: Pick<BlobStore, "read">;
  readonly target: BackupFolder;
  /** Also verify the blobs of an earlier backup. */
  readonly verify: boolean;
  /** Bytes done, of the bytes that the backup will have. */
  readonly progress: (done: number, total: number) => void;
  readonly report: (damage: Damage) => void;
}

/** An image whose bytes cannot be read. */
export interface Damage extends SnapshotBlob {
  readonly reason: string;
}

export interface BackupResult {
  readonly images: number;
  readonly bytes: number;
  readonly copied: number;
  readonly copiedBytes: number;
  readonly removed: number;
  readonly damaged: number;
}

/** Keeps a disk busy and lets copies share its syncs. */
const COPIES_AT_ONCE = 16;

/**
 * Copies the store as of one moment, even while a server writes: a hold keeps its bytes until they are copied. If it is interrupted,
 * the earlier backup stays valid, and the next run goes on with what was copied.
 * @throws Error if the folder, the catalog or the store fails
 */
export async function backupStore(options: BackupOptions): Promise<BackupResult> {
  const { catalog, catalogPath, target } = options;
  const temporaryPath = target.newTemporaryPath();
  return whileHeld(catalog, "backup", async () => {
    const takenAt = new Date().toISOString();
    await writeSnapshot(catalogPath, temporaryPath);
    using snapshot = openSnapshot(temporaryPath);
    const copied = await copyBlobs(snapshot, options);
    const { totals, position } = snapshot;
    const about = { takenAt, epoch: position.epoch, head: position.seq, ...totals, damaged: copied.damaged };
    await target.complete(temporaryPath, about);
    const removed = await target.removeUnneeded(
      (prefix) => new Set(snapshot.blobs(prefix).map(({ sha256 }) => sha256)),
    );
    return { ...totals, ...copied, removed };
  });
}

async function copyBlobs(snapshot: Snapshot, options: BackupOptions) {
  const { target, verify, progress, report } = options;
  const result = { copied: 0, copiedBytes: 0, damaged: 0 };
  let done = 0;

  /** Copies one of several equal blobs. */
  const copyOne = async (equal: readonly [SnapshotBlob, ...SnapshotBlob[]]): Promise<void> => {
    const [blob] = equal;
    if (!(await target.has(blob, { verify }))) {
      const damaged: Damage[] = [];
      for (const each of equal) {
        const reason = await copy(each, options);
        if (reason === undefined) break;
        damaged.push({ ...each, reason });
      }
      if (damaged.length < equal.length) {
        result.copied++;
        result.copiedBytes += blob.size;
      } else {
        result.damaged += damaged.length;
        for (const each of damaged) report(each);
      }
    }
    done += blob.size * equal.length;
    progress(done, snapshot.totals.bytes);
  };

  await forEachAtOnce(COPIES_AT_ONCE, byDigest(snapshot), copyOne);
  return result;
}

/** Groups of equal blobs. Keeps the blobs of one prefix in memory. */
function* byDigest(snapshot: Snapshot): Generator<readonly [SnapshotBlob, ...SnapshotBlob[]]> {
  for (let shard = 0; shard < 256; shard++) {
    const blobs = snapshot.blobs(shard.toString(16).padStart(2, "0"));
    const groups = Map.groupBy(blobs, ({ sha256 }) => sha256).values();
    for (const [first, ...others] of groups) if (first !== undefined) yield [first, ...others];
  }
}

/** Returns undefined, or why the blob could not be copied. */
async function copy(blob: SnapshotBlob, { catalog, blobs, target }: BackupOptions): Promise<string | undefined> {
  const copyFrom = async (location: string): Promise<string | undefined> => {
    try {
      await target.put(
        blob,
        piecesOf(() => blobs.read(location, { size: blob.size })),
      );
    } catch (error) {
      if (error instanceof DamagedBytes) return error.message;
      throw error;
    }
    return undefined;
  };

  const reason = await copyFrom(blob.location);
  if (reason === undefined) return undefined;
  const row = await findBlob(catalog, blob.key);
  if (row === undefined || row.state === "deleting")
    throw new Error(
      "The hold on the store expired and bytes were deleted meanwhile, perhaps because this machine slept. " +
        "Run the backup again: it goes on with what was copied.",
    );
  return row.location === blob.location ? reason : copyFrom(row.location);
}
