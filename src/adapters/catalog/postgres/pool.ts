import { type ClientBase, type ClientConfig, Pool } from "pg";
import { StoreError } from "../../../domain/errors.ts";
import { endInTime } from "./ending.ts";
import { toStoreError } from "./errors.ts";

/** How long a request waits for others to be done, in milliseconds. */
export const MAX_WAIT = 5000;
/** Of the connections, which changes may use at a time. */
const CHANGES_SHARE = 3 / 4;

/** A change may wait for an album that another has locked. What reads waits for nobody, and always finds a connection. */
export type PoolUse = "read" | "change";

export interface PooledConnection {
  readonly client: ClientBase;
  /** @param lost it is of no more use */
  release(this: void, lost: boolean): void;
}

export interface ConnectionPool extends AsyncDisposable {
  /** Most connections. When the server restarts so many may turn out to be gone, each when it is used. */
  readonly size: number;
  /**
   * One for whoever calls, to be released; of each use, first come, first served.
   * @throws StoreError `busy` when too many wait, or for too long; `unavailable` when none can be had
   */
  acquire(use: PoolUse): Promise<PooledConnection>;
}

export interface PoolOptions {
  readonly connection: ClientConfig;
  readonly size: number;
  /** Past it, `busy`. */
  readonly maxWaiting: number;
}

/** Who waits does so here: the library's own queue knows no bound, and tells a long wait from no answer by its words only. */
export function createPool({ connection, size, maxWaiting }: PoolOptions): ConnectionPool {
  // oxlint-disable-next-line typescript/no-misused-promises -- The pool waits for it; its types do not say so yet.
  const pool = new Pool({ ...connection, max: size, onConnect: demandDurability });
  // One that goes while it is idle was taken out already; one that goes while it is used fails its query.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));

  const maxChanges = Math.max(1, Math.floor(size * CHANGES_SHARE));
  const inUse = { read: 0, change: 0 };
  const waiting: { readonly use: PoolUse; readonly enter: () => void }[] = [];

  const mayEnter = (use: PoolUse) => inUse.read + inUse.change < size && (use === "read" || inUse.change < maxChanges);

  const enter = async (use: PoolUse): Promise<void> => {
    if (mayEnter(use)) {
      inUse[use] += 1;
      return;
    }
    if (waiting.length >= maxWaiting) throw new StoreError("busy", "Too much waits for the catalog. Try again.");
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(turn), 1);
        reject(new StoreError("busy", "The catalog has too much to do. Try again."));
      }, MAX_WAIT);
      const turn = {
        use,
        enter: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      waiting.push(turn);
    });
  };
  /** The place goes to the first that may have it, or is free. */
  const leave = (use: PoolUse) => {
    inUse[use] -= 1;
    const index = waiting.findIndex((turn) => mayEnter(turn.use));
    const [next] = index < 0 ? [] : waiting.splice(index, 1);
    if (next === undefined) return;
    inUse[next.use] += 1;
    next.enter();
  };

  return {
    size,
    async acquire(use) {
      await enter(use);
      try {
        const client = await pool.connect();
        const release = (lost: boolean) => {
          client.release(lost);
          leave(use);
        };
        return { client, release };
      } catch (error) {
        leave(use);
        throw toStoreError(error);
      }
    },
    [Symbol.asyncDispose]: () => endInTime(pool.end()),
  };
}

/**
 * What is committed is on the disk, and with whom else the server demands it; a server, a database or a role may be set up
 * to promise less. (`fsync` and `full_page_writes` are the server's alone.)
 */
async function demandDurability(client: ClientBase): Promise<void> {
  await client.query(
    `select set_config('synchronous_commit', 'on', false)
     where current_setting('synchronous_commit') not in ('on', 'remote_apply')`,
  );
}
