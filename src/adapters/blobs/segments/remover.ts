import { createEraserThread } from "./eraser-thread.ts";
import type { Gap, RecordAddress } from "./format.ts";
import type { LiveStats } from "./live-stats.ts";

export interface RemoverOptions {
  readonly pathOf: (segment: string) => string;
  /** Called with what was removed. */
  readonly onRemoved: (segment: string, removed: LiveStats) => Promise<void>;
  /** Called when it is unknown what was removed. */
  readonly onFailure: (segment: string) => void;
}

/** Overwrites records with zeros. Concurrent removals from one segment share a sync. */
export interface Remover extends AsyncDisposable {
  /** Idempotent. Durable when it resolves. */
  remove(address: RecordAddress | Gap): Promise<void>;
  /** How many records were removed from the segment since the start; undefined while a removal runs. */
  count(segment: string): number | undefined;
}

interface Group {
  readonly addresses: (RecordAddress | Gap)[];
  readonly done: Promise<void>;
}

export function createRemover({ pathOf, onRemoved, onFailure }: RemoverOptions): Remover {
  const thread = createEraserThread();
  const gathering = new Map<string, Group>();
  const last = new Map<string, Promise<void>>();
  const counts = new Map<string, number>();

  function gather(segment: string): Group {
    const addresses: (RecordAddress | Gap)[] = [];
    const previous = last.get(segment) ?? Promise.resolve();
    const done = previous
      .catch(() => {})
      .then(() => new Promise((resolve) => setImmediate(resolve)))
      .then(() => {
        gathering.delete(segment);
        return removeAll(segment, addresses);
      })
      .finally(() => {
        if (last.get(segment) === done) last.delete(segment);
      });
    const group = { addresses, done };
    gathering.set(segment, group);
    last.set(segment, done);
    return group;
  }

  async function removeAll(segment: string, addresses: readonly (RecordAddress | Gap)[]): Promise<void> {
    let removed: LiveStats;
    try {
      removed = await thread.erase(pathOf(segment), addresses);
    } catch (error) {
      onFailure(segment);
      throw error;
    }
    counts.set(segment, (counts.get(segment) ?? 0) + removed.records);
    await onRemoved(segment, removed);
  }

  return {
    remove(address) {
      const group = gathering.get(address.segment) ?? gather(address.segment);
      group.addresses.push(address);
      return group.done;
    },
    count: (segment) => (last.has(segment) ? undefined : (counts.get(segment) ?? 0)),
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(last.values());
      thread[Symbol.dispose]();
    },
  };
}
