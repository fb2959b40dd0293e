import { readFile } from "node:fs/promises";
import { z } from "zod";

/** Of the folder's layout (docs/backup.md). Grows when an older program could not restore what a newer one writes. */
export const BACKUP_FORMAT = 1;

const Manifest = z.object({
  format: z.literal(BACKUP_FORMAT),
  storeId: z.string(),
  /** Absent until the first backup is complete. */
  backup: z
    .object({
      id: z.uuid(),
      takenAt: z.iso.datetime(),
      /** The log's, as it was. */
      epoch: z.int(),
      head: z.int(),
      images: z.int(),
      bytes: z.int(),
      /** Images whose bytes were damaged in the store. */
      damaged: z.int(),
      catalog: z.object({ sha256: z.string(), size: z.int() }),
    })
    .optional(),
});

export type Manifest = Readonly<z.infer<typeof Manifest>>;
export type CompleteBackup = NonNullable<Manifest["backup"]>;

/** Undefined where there is none. */
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
    throw new Error(`${path} is damaged: it is no JSON.`, { cause });
  }
  const { format } = z.object({ format: z.int() }).catch({ format: 0 }).parse(value);
  if (format > BACKUP_FORMAT)
    throw new Error(`${path} was written by a newer version of Image Store (format ${format}). Use that version.`);
  const { success, data, error } = Manifest.safeParse(value);
  if (!success) throw new Error(`${path} is no manifest of a backup, or damaged: ${z.prettifyError(error)}`);
  return data;
}

export const formatManifest = (manifest: Manifest): string => `${JSON.stringify(manifest, null, 2)}\n`;
