import type { Change } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import { MAX_WAIT } from "./pool.ts";
import type { Outcome } from "./transaction.ts";

/** Changes in one transaction: each waits for all of it. */
const MAX_BATCH = 64;
/** Of what may wait in all, how much in one lane: an album that somebody holds is not to fill the room of the others. */
const LANE_SHARE = 1 / 2;

/** What would only wait for each other: of all that is in one lane, one transaction runs at a time. */
export interface Lane {
  readonly name: string;
  /** No two changes that share one of these may be in the same transaction, where neither sees what the other does. */
  readonly touches: readonly string[];
}

/**
 * Changes of the images of one album wait for its lock anyway. Undefined for one that has to go alone: under an
 * idempotency key or a lease another row is locked before the album, and of many in one transaction not all could be.
 */
export function laneOf(change: Change): Lane | undefined {
  if (change.fence !== undefined) return undefined;
  switch (change.type) {
    case "reserveBlobs":
      return { name: "reserve", touches: [] };
    case "putImages":
      if (change.albumId === null || change.idempotency !== undefined) return undefined;
      return { name: change.albumId, touches: change.images.map(({ name }) => name) };
    case "updateImage":
      return { name: change.albumId, touches: [change.name, change.patch.name ?? change.name] };
    case "deleteImage":
      return { name: change.albumId, touches: [change.name] };
    default:
      return undefined;
  }
}

export interface LanesOptions {
  /** Does changes of one lane, which it takes once it can begin, and answers in their order. Never rejects. */
  readonly run: (take: () => readonly Change[]) => Promise<readonly Outcome[]>;
  /** Of all lanes together; past it, `busy`. */
  readonly maxWaiting: number;
}

interface Waiting {
  readonly change: Change;
  readonly touches: readonly string[];
  /** It waits no more. */
  readonly leave: () => void;
  readonly settle: (outcome: Outcome) => void;
}

/** While a lane's transaction runs, the changes that come for it gather, and go together in the next. */
export function createLanes({ run, maxWaiting }: LanesOptions) {
  /** Of the lanes that have a transaction. */
  const queues = new Map<string, Waiting[]>();
  let waiting = 0;

  const enter = (queue: Waiting[], change: Change, { touches }: Lane) => {
    const { promise, resolve: settle } = Promise.withResolvers<Outcome>();
    const leave = () => {
      waiting -= 1;
      clearTimeout(timer);
    };
    const entry: Waiting = { change, touches, leave, settle };
    const timer = setTimeout(() => {
      leave();
      queue.splice(queue.indexOf(entry), 1);
      settle({ error: new StoreError("busy", "Others have been writing to the same for long. Try again.") });
    }, MAX_WAIT);
    waiting += 1;
    queue.push(entry);
    return promise;
  };

  const runAll = async (name: string, queue: Waiting[]) => {
    while (queue.length > 0) {
      let batch: readonly Waiting[] = [];
      const outcomes = await run(() => {
        batch = takeBatch(queue);
        for (const { leave } of batch) leave();
        return batch.map(({ change }) => change);
      });
      for (const [index, { settle }] of batch.entries()) settle(outcomes[index] as Outcome);
    }
    queues.delete(name);
  };

  return async (change: Change, lane: Lane): Promise<Outcome> => {
    const running = queues.get(lane.name);
    const isFull = waiting >= maxWaiting || (running?.length ?? 0) >= maxWaiting * LANE_SHARE;
    if (running !== undefined && isFull)
      return { error: new StoreError("busy", "Too much waits for the catalog. Try again.") };
    const queue = running ?? [];
    const outcome = enter(queue, change, lane);
    if (running === undefined) {
      queues.set(lane.name, queue);
      void runAll(lane.name, queue);
    }
    return outcome;
  };
}

/** The first, and of the others those that share nothing with one that is ahead of them. */
function takeBatch(queue: Waiting[]): readonly Waiting[] {
  const touched = new Set<string>();
  const batch: Waiting[] = [];
  for (const entry of queue.splice(0)) {
    const fits = batch.length < MAX_BATCH && !entry.touches.some((one) => touched.has(one));
    for (const one of entry.touches) touched.add(one);
    (fits ? batch : queue).push(entry);
  }
  return batch;
}
