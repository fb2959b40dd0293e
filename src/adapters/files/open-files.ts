import * as fs from "node:fs";
import { open } from "./file-system.ts";

export interface OpenFile {
  readonly fd: number;
  /** In bytes, when it was opened. Files of the store never change. */
  readonly size: number;
}

/** Keeps the descriptors of the files that were read last: opening one costs a third of a small read. */
export interface OpenFiles extends Disposable {
  /** The file stays open until `work` is done. */
  use<Result>(path: string, work: (file: OpenFile) => Result | Promise<Result>): Promise<Result>;
  /** Closes the file once its last user is done: a descriptor would keep the space of an unlinked file. */
  forget(path: string): void;
}

interface Entry {
  readonly opened: Promise<OpenFile>;
  users: number;
  dropped: boolean;
}

export function createOpenFiles(capacity: number): OpenFiles {
  // Least recently used first.
  const kept = new Map<string, Entry>();

  function acquire(path: string): Entry {
    let entry = kept.get(path);
    if (entry === undefined) {
      entry = { opened: openFile(path), users: 0, dropped: false };
      for (const oldest of kept.keys()) {
        if (kept.size < capacity) break;
        forget(oldest);
      }
    } else kept.delete(path);
    kept.set(path, entry);
    entry.users++;
    return entry;
  }

  function forget(path: string): void {
    const entry = kept.get(path);
    if (entry === undefined) return;
    kept.delete(path);
    entry.dropped = true;
    closeIfUnused(entry);
  }

  return {
    async use(path, work) {
      const entry = acquire(path);
      try {
        return await work(await entry.opened);
      } catch (error) {
        // Also when it could not be opened: the next user tries again.
        if (kept.get(path) === entry) forget(path);
        throw error;
      } finally {
        entry.users--;
        closeIfUnused(entry);
      }
    },
    forget,
    [Symbol.dispose]() {
      for (const path of kept.keys()) forget(path);
    },
  };
}

function closeIfUnused(entry: Entry): void {
  if (!entry.dropped || entry.users > 0) return;
  entry.opened.then(
    ({ fd }) => fs.closeSync(fd),
    () => {},
  );
}

/** Only opening may wait for the disk: afterwards, `fstat` finds everything in memory. */
async function openFile(path: string): Promise<OpenFile> {
  const fd = await open(path, "r");
  try {
    return { fd, size: fs.fstatSync(fd).size };
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}
