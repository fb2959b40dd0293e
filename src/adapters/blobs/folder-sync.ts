import * as fs from "node:fs";
import { fsync, open } from "../files/file-system.ts";

/** Makes names in folders durable: what was created, renamed or unlinked in a folder before the call. */
export interface FolderSync extends Disposable {
  sync(folder: string): Promise<void>;
}

/**
 * One sync in flight a folder. Who comes while it runs can't know whether it still saw their change, so that they share
 * the next; and where it fails they fail too, since the kernel may have dropped their change with the rest, and would say
 * of the next that all is well.
 */
export function createFolderSync(): FolderSync {
  const descriptors = new Map<string, number>();
  const running = new Map<string, Promise<void>>();
  const waiting = new Map<string, Promise<void>>();

  function sync(folder: string): Promise<void> {
    const current = running.get(folder);
    if (current === undefined) return start(folder);
    let next = waiting.get(folder);
    if (next === undefined) {
      next = current.then(
        () => start(folder),
        (error: unknown) => {
          waiting.delete(folder);
          running.delete(folder);
          throw error;
        },
      );
      waiting.set(folder, next);
    }
    return next;
  }

  function start(folder: string): Promise<void> {
    // From now on it is no longer certain to see what comes.
    waiting.delete(folder);
    const run = syncOnce(folder).finally(() => {
      if (!waiting.has(folder)) running.delete(folder);
    });
    running.set(folder, run);
    return run;
  }

  async function syncOnce(folder: string): Promise<void> {
    let descriptor = descriptors.get(folder);
    if (descriptor === undefined) {
      descriptor = await open(folder, "r");
      descriptors.set(folder, descriptor);
    }
    try {
      await fsync(descriptor);
    } catch (error) {
      // The kernel reports a failed write-back once: another sync of this descriptor could answer that all is well.
      descriptors.delete(folder);
      fs.closeSync(descriptor);
      throw error;
    }
  }

  return {
    sync,
    [Symbol.dispose]() {
      for (const descriptor of descriptors.values()) fs.closeSync(descriptor);
      descriptors.clear();
    },
  };
}
