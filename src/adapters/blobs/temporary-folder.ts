import { mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import { unlinkIfThere } from "../files/file-system.ts";

const TEMPORARY_NAME = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export const newTemporaryPath = (folder: string): string => join(folder, crypto.randomUUID());

/** Removes what was on its way when the process ended. Only that: where people put the store, a `tmp` may be theirs. */
export async function emptyTemporary(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  for (const name of await readdir(folder)) if (TEMPORARY_NAME.test(name)) await unlinkIfThere(join(folder, name));
}
