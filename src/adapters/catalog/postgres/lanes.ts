import type { Change } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import { MAX_WAIT } from "./pool.ts";
import type { Outcome } from "./transaction.ts";

/** Changes in one transaction: each of them waits for the whole transaction. */
const MAX_BATCH = 64;
/** Share of `maxWaiting` that one lane may fill, so that a locked album leaves room for the others. */
const LANE_SHARE = 1 / 2;

/** Where a change queues. Changes of one lane would wait for the same lock, so they share transactions. */
export interface LaneKey {
  readonly name: string;
  /** Changes that share one of these must not be in the same transaction: neither sees what the other writes. */
  readonly touches: readonly string[];
}

/**
 * Changes to the images of an album wait for the album's lock. Undefined for a change that needs a transaction of its own:
 * with an idempotency key or a lease it locks another row before the album, and a batch could not lock all of those.
 */
export function laneOf(change: Change): LaneKey | undefined {
  if (change.fence !== undefined) return undefined;
  switch (change.type) {
    case "reserveBlobs":
      return { name: "reserve", touches: [] };
    case "putImages":
      if (change.albumId === null || change.idempotency !== undefined) return undefined;
      return {
        name: change.albumId,
        touches: [...change.images.map(({ name }) => name), ...(change.ticket === undefined ? [] : [change.ticket])],
      };
    case "updateImage":
      return { name: change.albumId, touches: [change.name, change.patch.name ?? change.name] };
    case "deleteImage":
      return { name: change.albumId, touches: [change.name] };
    default:
      return undefined;
  }
}

export interface QueuedChange {
  readonly change: Change;
  readonly settle: (outcome: Outcome) => void;
}

interface Entry extends QueuedChange {
  readonly touches: readonly string[];
  readonly timer: ReturnType<typeof setTimeout>;
}

/** A queue of changes, of which one transaction at a time is committed. */
export interface Lane {
  isEmpty(): boolean;
  /** Takes the next batch out of the queue: its first change, and those behind it that share nothing with an earlier one. */
  take(): readonly QueuedChange[];
  /** The lane is empty, and no transaction of it runs. */
  close(): void;
}

export interface Lanes {
  /** `opened`: the lane was idle, and the caller has to commit its changes until it is empty, then close it. */
  enter(change: Change, key: LaneKey): { readonly outcome: Promise<Outcome>; readonly opened: Lane | undefined };
}

/** @param maxWaiting changes of all lanes together; above it, the outcome of a change is `busy` */
export function createLanes(maxWaiting: number): Lanes {
  /** The queues of the lanes that are open. */
  const queues = new Map<string, Entry[]>();
  let waiting = 0;

  const push = (queue: Entry[], change: Change, { touches }: LaneKey): Promise<Outcome> => {
    const { promise, resolve: settle } = Promise.withResolvers<Outcome>();
    const timer = setTimeout(() => {
      waiting -= 1;
      queue.splice(queue.indexOf(entry), 1);
      settle({ error: new StoreError("busy", "Concurrent changes took too long. Try again.") });
    }, MAX_WAIT);
    const entry: Entry = { change, touches, timer, settle };
    waiting += 1;
    queue.push(entry);
    return promise;
  };

  const take = (queue: Entry[]): readonly QueuedChange[] => {
    const touched = new Set<string>();
    const batch: Entry[] = [];
    for (const entry of queue.splice(0)) {
      const fits = batch.length < MAX_BATCH && !entry.touches.some((one) => touched.has(one));
      for (const one of entry.touches) touched.add(one);
      (fits ? batch : queue).push(entry);
    }
    for (const { timer } of batch) clearTimeout(timer);
    waiting -= batch.length;
    return batch;
  };

  return {
    enter(change, key) {
      const running = queues.get(key.name);
      const isFull = waiting >= maxWaiting || (running?.length ?? 0) >= maxWaiting * LANE_SHARE;
      if (running !== undefined && isFull) {
        const error = new StoreError("busy", "Too many changes are waiting. Try again.");
        return { outcome: Promise.resolve({ error }), opened: undefined };
      }
      const queue = running ?? [];
      const outcome = push(queue, change, key);
      if (running !== undefined) return { outcome, opened: undefined };
      queues.set(key.name, queue);
      const opened: Lane = {
        isEmpty: () => queue.length === 0,
        take: () => take(queue),
        close: () => queues.delete(key.name),
      };
      return { outcome, opened };
    },
  };
}
