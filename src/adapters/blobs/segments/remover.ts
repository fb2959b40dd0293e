import { createEraserThread } from "./eraser-thread.ts";
import type { Gap, Place } from "./format.ts";
import type { Living } from "./segments.ts";

export interface RemoverOptions {
  readonly pathOf: (segment: string) => string;
  /** What was there until now, and is gone. */
  readonly onRemoved: (segment: string, removed: Living) => Promise<void>;
  /** It is not known what is still there. */
  readonly onFailure: (segment: string) => void;
}

/** Makes records zeros. Those of one segment that come together share a sync. */
export interface Remover extends AsyncDisposable {
  /** Idempotent. Durable when it resolves. */
  remove(place: Place | Gap): Promise<void>;
  /** How many were removed from the segment since the start; undefined while some are being removed. */
  count(segment: string): number | undefined;
}

interface Group {
  readonly places: (Place | Gap)[];
  readonly done: Promise<void>;
}

export function createRemover({ pathOf, onRemoved, onFailure }: RemoverOptions): Remover {
  const thread = createEraserThread();
  const gathering = new Map<string, Group>();
  const last = new Map<string, Promise<void>>();
  const counts = new Map<string, number>();

  function gather(segment: string): Group {
    const places: (Place | Gap)[] = [];
    const previous = last.get(segment) ?? Promise.resolve();
    const done = previous
      .catch(() => {})
      .then(() => new Promise((resolve) => setImmediate(resolve)))
      .then(() => {
        gathering.delete(segment);
        return removeAll(segment, places);
      })
      .finally(() => {
        if (last.get(segment) === done) last.delete(segment);
      });
    const group = { places, done };
    gathering.set(segment, group);
    last.set(segment, done);
    return group;
  }

  async function removeAll(segment: string, places: readonly (Place | Gap)[]): Promise<void> {
    let removed: Living;
    try {
      removed = await thread.erase(pathOf(segment), places);
    } catch (error) {
      onFailure(segment);
      throw error;
    }
    counts.set(segment, (counts.get(segment) ?? 0) + removed.records);
    await onRemoved(segment, removed);
  }

  return {
    remove(place) {
      const group = gathering.get(place.segment) ?? gather(place.segment);
      group.places.push(place);
      return group.done;
    },
    count: (segment) => (last.has(segment) ? undefined : (counts.get(segment) ?? 0)),
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(last.values());
      thread[Symbol.dispose]();
    },
  };
}
