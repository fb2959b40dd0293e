import type { Change, ChangeResult } from "../../../domain/change.ts";
import { type CommitOptions, createCommitter, failAll } from "./commit.ts";
import { createLanes, type Lane, laneOf, type QueuedChange } from "./lanes.ts";
import type { ConnectionPool, PooledConnection } from "./pool.ts";
import type { Outcome } from "./transaction.ts";

export interface WriterOptions extends CommitOptions {
  /** Changes that may wait in lanes; above it, `busy`. */
  readonly maxWaiting: number;
}

/**
 * The way of a change: its lane, a connection, a transaction with what gathered in the lane meanwhile, its outcome. A change
 * without a lane has a transaction of its own.
 */
export function createPostgresWriter(pool: ConnectionPool, { maxWaiting, ...options }: WriterOptions) {
  const lanes = createLanes(maxWaiting);
  const { commitAlone, commitTogether } = createCommitter(pool, options);

  const commitBatch = async (lane: Lane): Promise<void> => {
    let connection: PooledConnection;
    try {
      connection = await pool.acquire("change");
    } catch (error) {
      const batch = lane.take();
      settle(batch, failAll(changesOf(batch), error));
      return;
    }
    // Changes that came while it waited for the connection are in the batch.
    const batch = lane.take();
    if (batch.length === 0) return connection.release(false);
    settle(batch, await commitTogether(connection, changesOf(batch)));
  };

  const commitLane = async (lane: Lane): Promise<void> => {
    while (!lane.isEmpty()) await commitBatch(lane);
    lane.close();
  };

  return async <C extends Change>(change: C): Promise<ChangeResult<C>> => {
    const key = laneOf(change);
    if (key === undefined) return valueOf(await commitAlone(change));
    const { outcome, opened } = lanes.enter(change, key);
    if (opened !== undefined) void commitLane(opened);
    return valueOf(await outcome);
  };
}

const changesOf = (batch: readonly QueuedChange[]): readonly Change[] => batch.map(({ change }) => change);

function settle(batch: readonly QueuedChange[], outcomes: readonly Outcome[]): void {
  for (const [index, queued] of batch.entries()) queued.settle(outcomes[index] as Outcome);
}

function valueOf<C extends Change>(outcome: Outcome): ChangeResult<C> {
  if ("error" in outcome) throw outcome.error;
  return outcome.value as ChangeResult<C>;
}
