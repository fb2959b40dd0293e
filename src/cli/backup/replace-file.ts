import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { createFolderSync } from "../../adapters/blobs/folder-sync.ts";

/** Gives a small file this text for good, or leaves it as it was; for its owner's eyes only. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const replacement = `${path}.new`;
  await using file = await open(replacement, "w", 0o600);
  await file.writeFile(text);
  await file.datasync();
  await rename(replacement, path);
  using folders = createFolderSync();
  await folders.sync(dirname(path));
}
