import { readFile } from "node:fs/promises";
import type { BackupLayout } from "./backup-layout.ts";
import { replaceFile } from "./replace-file.ts";

/**
 * The epoch of a store that is restored now: a backup remembers the last that was taken, so that of two restores the later
 * has the higher, whatever the clock says. Where that can't be written, on a full or a read-only disk, the minute has to do.
 */
export async function takeEpoch({ lastEpoch }: BackupLayout, ofBackup: number, now: number): Promise<number> {
  const last = await readEpoch(lastEpoch);
  const epoch = Math.max(Math.floor(now / 60_000), ofBackup + 1, last + 1);
  await replaceFile(lastEpoch, `${epoch}\n`).catch(() => {});
  return epoch;
}

async function readEpoch(path: string): Promise<number> {
  const text = await readFile(path, "utf8").catch(() => "");
  return /^\d{1,8}\n$/.test(text) ? Number(text) : 0;
}
