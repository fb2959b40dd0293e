import type { Change, ChangeResult } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import { isConnectionLost, isRaced, toStoreError } from "./errors.ts";
import { createLanes, laneOf } from "./lanes.ts";
import type { ConnectionPool, PoolUse } from "./pool.ts";
import { type Outcome, rollBack, Spoiled, transact } from "./transaction.ts";

const MAX_RACES = 8;
/** In milliseconds; doubled from race to race. */
const MIN_PAUSE = 2;

export interface WriterOptions {
  /** Changes that wait for others of their lane. */
  readonly maxWaiting: number;
  /** Changes with events were committed. */
  readonly onAppended: () => void;
  readonly observe?: ((batch: { readonly batchSize: number; readonly seconds: number }) => void) | undefined;
}

/** One change, one transaction; but those that would wait for each other go together. */
export function createPostgresWriter(pool: ConnectionPool, { maxWaiting, onAppended, observe }: WriterOptions) {
  const attempt = async (changes: readonly Change[]): Promise<readonly Outcome[]> => {
    const { client, release } = await pool.acquire(useOf(changes));
    const started = performance.now();
    try {
      const { outcomes, appended } = await transact(client, changes);
      release(false);
      observe?.({ batchSize: changes.length, seconds: (performance.now() - started) / 1000 });
      if (appended) onAppended();
      return outcomes;
    } catch (error) {
      release(isConnectionLost(causeOf(error)) || !(await rollBack(client)));
      throw error;
    }
  };

  /** Ids are the change's own: where nothing was committed, the same again is the same. */
  const runAlone = async (change: Change): Promise<Outcome> => {
    let races = 0;
    let lost = 0;
    for (;;) {
      try {
        const [outcome] = await attempt([change]);
        return outcome as Outcome;
      } catch (thrown) {
        const error = causeOf(thrown);
        if (isRaced(error) && races < MAX_RACES) await Bun.sleep(MIN_PAUSE * 2 ** races++ * Math.random());
        else if (!isConnectionLost(error) || lost++ > pool.size) return { error: toStoreError(error) };
      }
    }
  };

  const runTogether = async (changes: readonly Change[]): Promise<readonly Outcome[]> => {
    if (changes.length === 1) return Promise.all(changes.map(runAlone));
    try {
      return await attempt(changes);
    } catch (error) {
      if (error instanceof Spoiled && mayBeOfOne(error.cause)) return Promise.all(changes.map(runAlone));
      return changes.map(() => ({ error: toStoreError(causeOf(error)) }));
    }
  };

  const inLane = createLanes({ run: runTogether, maxWaiting });

  return async <C extends Change>(change: C): Promise<ChangeResult<C>> => {
    const lane = laneOf(change);
    const outcome = await (lane === undefined ? runAlone(change) : inLane(change, lane));
    if ("error" in outcome) throw outcome.error;
    return outcome.value as ChangeResult<C>;
  };
}

/** A lease is lost while its renewal waits, and no album is locked for it. */
const useOf = (changes: readonly Change[]): PoolUse =>
  changes.every(({ type }) => type === "acquireLease") ? "read" : "change";

const causeOf = (error: unknown): unknown => (error instanceof Spoiled ? error.cause : error);

/** What could be the doing of one change only, or would be mended by trying again. A lock or a disk that all need is neither. */
const mayBeOfOne = (error: unknown): boolean =>
  error instanceof StoreError || isConnectionLost(error) || isRaced(error) || toStoreError(error).code === "internal";
