import { backoff } from "../../../concurrency/retry.ts";
import type { Change } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import { isConnectionLost, isRaced, toStoreError } from "./errors.ts";
import type { ConnectionPool, PooledConnection, PoolUse } from "./pool.ts";
import { type Applied, BatchAborted, type Outcome, rollBack, transact } from "./transaction.ts";

const MAX_RACES = 8;
/** Full jitter: changes that raced once must not meet again. */
const RACE_BACKOFF = { minBackoff: 2, maxBackoff: 1000, jitter: 1 };

export interface CommitOptions {
  /** Called after changes with events were committed. */
  readonly onAppended: () => void;
  readonly observe?: ((batch: { readonly batchSize: number; readonly seconds: number }) => void) | undefined;
}

export interface Committer {
  /** Commits one change, and tries again after a lost race or a lost connection. Never rejects. */
  commitAlone(this: void, change: Change): Promise<Outcome>;
  /** Commits the changes in one transaction, releases the connection and returns the outcomes in order. Never rejects. */
  commitTogether(this: void, connection: PooledConnection, changes: readonly Change[]): Promise<readonly Outcome[]>;
}

export function createCommitter(pool: ConnectionPool, options: CommitOptions): Committer {
  /**
   * A change brings its own ids, so it can be repeated as long as nothing was committed.
   * @param failure of the first attempt, if there was one
   */
  const commitAlone = async (change: Change, failure?: unknown): Promise<Outcome> => {
    let error = failure;
    let races = 0;
    let lost = 0;
    for (;;) {
      if (isRaced(error) && races < MAX_RACES) await Bun.sleep(backoff(RACE_BACKOFF, races++));
      else if (error !== undefined && (!isConnectionLost(error) || lost++ > pool.size))
        return { error: toStoreError(error) };
      try {
        const [outcome] = await commitOnce(options, await pool.acquire(useOf(change)), [change]);
        return outcome as Outcome;
      } catch (thrown) {
        error = causeOf(thrown);
      }
    }
  };

  const commitTogether = async (
    connection: PooledConnection,
    changes: readonly Change[],
  ): Promise<readonly Outcome[]> => {
    try {
      return await commitOnce(options, connection, changes);
    } catch (thrown) {
      const error = causeOf(thrown);
      const [first, ...others] = changes;
      if (first !== undefined && others.length === 0) return [await commitAlone(first, error)];
      if (!(thrown instanceof BatchAborted && mayBeOfOne(error))) return failAll(changes, error);
      return commitInHalves(changes);
    }
  };

  /** Finds the change that aborted the batch. One half after the other, since other lanes need the connections. */
  const commitInHalves = async (changes: readonly Change[]): Promise<readonly Outcome[]> => {
    const middle = Math.ceil(changes.length / 2);
    const outcomes: Outcome[] = [];
    for (const half of [changes.slice(0, middle), changes.slice(middle)]) {
      try {
        outcomes.push(...(await commitTogether(await pool.acquire("change"), half)));
      } catch (error) {
        outcomes.push(...failAll(half, error));
      }
    }
    return outcomes;
  };

  return { commitAlone: (change) => commitAlone(change), commitTogether };
}

/**
 * One transaction on the connection, which it releases.
 * @throws what {@link transact} throws
 */
async function commitOnce(
  { onAppended, observe }: CommitOptions,
  { client, release }: PooledConnection,
  changes: readonly Change[],
): Promise<readonly Outcome[]> {
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
}

export const failAll = (changes: readonly Change[], error: unknown): readonly Outcome[] =>
  changes.map(() => ({ error: toStoreError(error) }));

/** A lease expires while its renewal waits for a connection, and its change locks no album. */
const useOf = ({ type }: Change): PoolUse => (type === "acquireLease" ? "read" : "change");

const causeOf = (error: unknown): unknown => (error instanceof BatchAborted ? error.cause : error);

/** Whether one change alone may have caused it, or another attempt may help. A lock or a full disk affects all of them. */
const mayBeOfOne = (error: unknown): boolean =>
  error instanceof StoreError || isConnectionLost(error) || isRaced(error) || toStoreError(error).code === "internal";
