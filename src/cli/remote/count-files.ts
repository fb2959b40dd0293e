import { stat } from "node:fs/promises";
import { join } from "node:path";
import { foldersIn, namesIn, processOfTemporary } from "./folder-entries.ts";
import type { Progress } from "./progress.ts";

/** Files are told to the progress in groups of so many. */
const GROUP = 100;

/**
 * Tells the progress how many files the folder has, while they are worked on. It reads no file, and ends without an error where
 * the folder cannot be read, which the work itself finds.
 */
export async function countFiles(
  root: string,
  progress: Pick<Progress, "expect" | "expectNoMore">,
  { isDeep, signal }: { readonly isDeep: boolean; readonly signal: AbortSignal },
): Promise<void> {
  try {
    for await (const folder of isDeep ? foldersIn(root) : ["."])
      if (folder !== undefined) await countIn(join(root, folder), progress, signal);
    progress.expectNoMore();
  } catch {
    // The total stays unknown.
  }
}

/** Takes the files of a folder back that is left out. */
export const discountFiles = (folder: string, progress: Pick<Progress, "expect">, signal: AbortSignal): Promise<void> =>
  countIn(folder, { expect: ({ files, bytes }) => progress.expect({ files: -files, bytes: -bytes }) }, signal);

export async function countPaths(paths: readonly string[], progress: Pick<Progress, "expect" | "expectNoMore">) {
  for (const path of paths) {
    const bytes = await sizeOf(path);
    if (bytes !== undefined) progress.expect({ files: 1, bytes });
  }
  progress.expectNoMore();
}

async function countIn(folder: string, progress: Pick<Progress, "expect">, signal: AbortSignal): Promise<void> {
  let found = { files: 0, bytes: 0 };
  for await (const name of namesIn(folder)) {
    signal.throwIfAborted();
    if (name === undefined || processOfTemporary(name) !== undefined) continue;
    const bytes = await sizeOf(join(folder, name));
    if (bytes === undefined) continue;
    found = { files: found.files + 1, bytes: found.bytes + bytes };
    if (found.files < GROUP) continue;
    progress.expect(found);
    found = { files: 0, bytes: 0 };
  }
  progress.expect(found);
}

/** undefined for what is no file that a command looks at. */
async function sizeOf(path: string): Promise<number | undefined> {
  const stats = await stat(path).catch(() => undefined);
  return stats?.isFile() === true ? stats.size : undefined;
}
