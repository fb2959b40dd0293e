import { readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * What lies where in the folder of a backup (docs/backup.md). Files are never changed once they have their name, only
 * replaced or removed, and the manifest names the catalog, so that replacing the manifest is what makes a backup the one
 * that counts.
 */
export interface BackupLayout {
  readonly folder: string;
  readonly manifest: string;
  /** The last epoch that a restore from here has taken. */
  readonly lastEpoch: string;
  /** What is being written. */
  readonly temporary: string;
  readonly blobs: string;
  /** Under its digest: equal images are stored once, and a restored store, whose keys are others, finds its bytes again. */
  blob(sha256: string): string;
  catalog(backupId: string): string;
}

export const SHARD = /^[0-9a-f]{2}$/;
export const BLOB = /^[0-9a-f]{64}$/;
export const CATALOG = /^catalog-([0-9a-f-]{36})\.sqlite$/;

export const layoutOf = (folder: string): BackupLayout => ({
  folder,
  manifest: join(folder, "backup.json"),
  lastEpoch: join(folder, "last-epoch"),
  temporary: join(folder, "tmp"),
  blobs: join(folder, "blobs"),
  blob: (sha256) => join(folder, "blobs", sha256.slice(0, 2), sha256),
  catalog: (backupId) => join(folder, `catalog-${backupId}.sqlite`),
});

/** The names in a folder, but for what a file system keeps at its root; none where there is no folder. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => name !== "lost+found");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
