import * as fs from "node:fs";
import { createCoalescer } from "../../concurrency/coalescer.ts";
import { fsync, open } from "../files/file-system.ts";

/** Makes names durable: what was created, renamed or unlinked in a folder before the call. */
export interface FolderSync extends Disposable {
  sync(folder: string): Promise<void>;
}

/**
 * Runs one sync of a folder at a time. A call during a sync shares the next one, since the running one may have missed its
 * change. Where a sync fails, the calls waiting for the next fail too: the kernel may have dropped their changes with the
 * rest, and would report the next sync as a success.
 */
export function createFolderSync(): FolderSync {
  const descriptors = new Map<string, number>();
  const { coalesce } = createCoalescer({ failsQueued: true });

  async function syncOnce(folder: string): Promise<void> {
    let descriptor = descriptors.get(folder);
    if (descriptor === undefined) {
      descriptor = await open(folder, "r");
      descriptors.set(folder, descriptor);
    }
    try {
      await fsync(descriptor);
    } catch (error) {
      // The kernel reports a failed write-back once: another sync of this descriptor could succeed.
      descriptors.delete(folder);
      fs.closeSync(descriptor);
      throw error;
    }
  }

  return {
    sync: (folder) => coalesce(folder, () => syncOnce(folder)),
    [Symbol.dispose]() {
      for (const descriptor of descriptors.values()) fs.closeSync(descriptor);
      descriptors.clear();
    },
  };
}
