import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRunning } from "../waiting.ts";

const PREFIX = "image-store-fault-";

/** A folder whose name tells which process made it, so that what a killed run left can be told from a running one. */
export function makeTemporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
}

/** Unmounts and removes what is in the folder, then the folder. */
export function removeTemporaryFolder(folder: string): void {
  for (const mountPoint of mountPointsBelow(folder)) Bun.spawnSync(["umount", "--lazy", mountPoint]);
  rmSync(folder, { recursive: true, force: true });
}

/** What earlier runs left behind: folders of processes that are no more. */
export const removeLeftovers = (): void => removeFolders((owner) => !isRunning(owner));

/** All that this process made, also where a test ran out of time and could not clean up. */
export const removeTemporaryFolders = (): void => removeFolders((owner) => owner === process.pid);

function removeFolders(isToGo: (owner: number) => boolean): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && isToGo(Number(owner))) removeTemporaryFolder(join(tmpdir(), name));
  }
}

function mountPointsBelow(folder: string): string[] {
  if (!existsSync("/proc/mounts")) return [];
  const mountPoints = readFileSync("/proc/mounts", "utf8").split("\n");
  return mountPoints.map((line) => line.split(" ")[1] ?? "").filter((path) => path.startsWith(`${folder}/`));
}
