import { open, readdir, readFile, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { z } from "zod";
import { createFolderSync } from "../../adapters/blobs/folder-sync.ts";

/**
 * The files in the folder of a backup (docs/backup.md). A file with its final name never changes; it is only replaced or removed.
 * The manifest names the catalog, so replacing the manifest replaces the backup.
 */
export interface BackupLayout {
  readonly folder: string;
  readonly manifest: string;
  /** The last epoch that a restore from this backup has begun. */
  readonly lastEpoch: string;
  /** Files that are being written. */
  readonly temporary: string;
  readonly blobs: string;
  /** Named by digest: equal images are stored once, and a restored store, which has other keys, finds the bytes. */
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

/** The names in a folder, except `lost+found`; none if there is no folder. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).filter((name) => name !== "lost+found");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Version of the layout (docs/backup.md). It grows when an older program could not restore a newer backup. */
export const BACKUP_FORMAT = 1;

const Manifest = z.object({
  format: z.literal(BACKUP_FORMAT),
  storeId: z.string(),
  /** Absent until the first backup is complete. */
  backup: z
    .object({
      id: z.uuid(),
      takenAt: z.iso.datetime(),
      /** Epoch and last sequence number of the event log. */
      epoch: z.int(),
      head: z.int(),
      images: z.int(),
      bytes: z.int(),
      /** Number of images whose bytes were damaged in the store. */
      damaged: z.int(),
      catalog: z.object({ sha256: z.string(), size: z.int() }),
    })
    .optional(),
});

export type Manifest = Readonly<z.infer<typeof Manifest>>;
export type CompleteBackup = NonNullable<Manifest["backup"]>;

/** Returns undefined if there is no manifest. */
export async function readManifest(path: string): Promise<Manifest | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  return parseManifest(path, text);
}

function parseManifest(path: string, text: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(`${path} is damaged: it is not JSON.`, { cause });
  }
  const { format } = z.object({ format: z.int() }).catch({ format: 0 }).parse(value);
  if (format > BACKUP_FORMAT)
    throw new Error(`${path} was written by a newer version of Image Store (format ${format}). Use that version.`);
  const { success, data, error } = Manifest.safeParse(value);
  if (!success) throw new Error(`${path} is damaged, or not the manifest of a backup: ${z.prettifyError(error)}`);
  return data;
}

export const formatManifest = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 2)}\n`;

/** Atomically and durably replaces a small file. Only its owner can read it. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const replacement = `${path}.new`;
  await using file = await open(replacement, "w", 0o600);
  await file.writeFile(text);
  await file.datasync();
  await rename(replacement, path);
  using folders = createFolderSync();
  await folders.sync(dirname(path));
}

/** The SHA-256 of a file, in hexadecimal. */
export async function digestOfFile(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const chunk of Bun.file(path).stream()) hasher.update(chunk);
  return hasher.digest("hex");
}
