import { dlopen, FFIType, ptr } from "bun:ffi";
import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findTool } from "./requirements.ts";
import { makeTemporaryFolder, removeTemporaryFolder } from "./temporary-folder.ts";

const FS_IOC_SHUTDOWN = 0x8004587d;
/** Stops at once and leaves the journal unwritten: on the disk is what was synced, as after a power cut. */
const NO_LOG_FLUSH = 2;

/** A small ext4 of its own in a file. */
export interface LoopFileSystem extends Disposable {
  readonly folder: string;
  /** From now on every write fails, and what was not synced is lost once it was unmounted. */
  cutPower(): void;
  /** Every process must have let go. */
  unmount(): Promise<void>;
  mount(): Promise<void>;
}

export async function createLoopFileSystem(mebibytes: number): Promise<LoopFileSystem> {
  const home = makeTemporaryFolder();
  const disk = join(home, "disk.ext4");
  const folder = join(home, "mounted");
  mkdirSync(folder);
  writeFileSync(disk, "");
  truncateSync(disk, mebibytes * 1024 * 1024);
  await run("mkfs.ext4", "-q", "-F", "-m", "0", disk);
  const fileSystem: LoopFileSystem = {
    folder,
    cutPower() {
      const descriptor = openSync(folder, "r");
      shutDown(descriptor);
      closeSync(descriptor);
    },
    async unmount() {
      await run("umount", folder);
    },
    async mount() {
      // The kernel commits its journal every 5 s by itself. Not here, so that only a sync makes anything durable.
      await run("mount", "-t", "ext4", "-o", "loop,commit=3600", disk, folder);
    },
    [Symbol.dispose]() {
      removeTemporaryFolder(home);
    },
  };
  await fileSystem.mount();
  return fileSystem;
}

function shutDown(descriptor: number): void {
  const libc = dlopen("libc.so.6", {
    ioctl: { args: [FFIType.i32, FFIType.u64, FFIType.ptr], returns: FFIType.i32 },
  });
  const flags = new Uint32Array([NO_LOG_FLUSH]);
  const result = libc.symbols.ioctl(descriptor, FS_IOC_SHUTDOWN, ptr(flags));
  libc.close();
  if (result !== 0) throw new Error("The file system could not be shut down.");
}

async function run(tool: string, ...args: readonly string[]): Promise<void> {
  const child = Bun.spawn([findTool(tool) ?? tool, ...args], { stdio: ["ignore", "ignore", "pipe"] });
  const [exitCode, complaint] = await Promise.all([child.exited, child.stderr.text()]);
  if (exitCode !== 0) throw new Error(`${tool} ${args.join(" ")}: ${complaint}`);
}
