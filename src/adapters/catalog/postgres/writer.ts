import type { Change, ChangeResult } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import { isConnectionLost, isRaced, toStoreError } from "./errors.ts";
import { createLanes, laneOf } from "./lanes.ts";
import type { ConnectionPool, PoolUse } from "./pool.ts";
import { type Applied, type Outcome, rollBack, Spoiled, transact } from "./transaction.ts";

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
  /** @param take asked when there is a connection */
  const attempt = async (use: PoolUse, take: () => readonly Change[]): Promise<readonly Outcome[]> => {
    const { client, release } = await pool.acquire(use);
    const changes = take();
    const started = performance.now();
    let applied: Applied;
    try {
      applied = await transact(client, changes);
    } catch (error) {
      release(isConnectionLost(causeOf(error)) || !(await rollBack(client)));
      throw error;
    }
    const { outcomes, committed, lost } = applied;
    release(lost);
    if (committed === undefined) return outcomes;
    observe?.({ batchSize: changes.length, seconds: (performance.now() - started) / 1000 });
    if (committed.events > 0) onAppended();
    return outcomes;
  };

  /**
   * Ids are the change's own: where nothing was committed, the same again is the same.
   * @param failure of its first attempt, where there was one
   */
  const runAlone = async (change: Change, failure?: unknown): Promise<Outcome> => {
    let error = failure;
    let races = 0;
    let lost = 0;
    for (;;) {
      if (isRaced(error) && races < MAX_RACES) await Bun.sleep(MIN_PAUSE * 2 ** races++ * Math.random());
      else if (error !== undefined && (!isConnectionLost(error) || lost++ > pool.size))
        return { error: toStoreError(error) };
      try {
        const [outcome] = await attempt(useOf(change), () => [change]);
        return outcome as Outcome;
      } catch (thrown) {
        error = causeOf(thrown);
      }
    }
  };

  const runTogether = async (take: () => readonly Change[]): Promise<readonly Outcome[]> => {
    let taken: readonly Change[] | undefined;
    try {
      return await attempt("change", () => (taken = take()));
    } catch (thrown) {
      // Nobody has asked for them where there was no connection to be had.
      const changes = taken ?? take();
      const error = causeOf(thrown);
      const [first, ...others] = changes;
      if (first !== undefined && others.length === 0) return [await runAlone(first, error)];
      if (!(thrown instanceof Spoiled && mayBeOfOne(error))) return changes.map(() => ({ error: toStoreError(error) }));
      // Whose doing it was is found on one connection: those of another album need the others.
      const half = Math.ceil(changes.length / 2);
      const before = await runTogether(() => changes.slice(0, half));
      return [...before, ...(await runTogether(() => changes.slice(half)))];
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
const useOf = ({ type }: Change): PoolUse => (type === "acquireLease" ? "read" : "change");

const causeOf = (error: unknown): unknown => (error instanceof Spoiled ? error.cause : error);

/** What could be the doing of one change only, or would be mended by trying again. A lock or a disk that all need is neither. */
const mayBeOfOne = (error: unknown): boolean =>
  error instanceof StoreError || isConnectionLost(error) || isRaced(error) || toStoreError(error).code === "internal";
