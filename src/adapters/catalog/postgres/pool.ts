import { type ClientBase, type ClientConfig, Pool } from "pg";
import { within } from "../../../concurrency/timeout.ts";
import { StoreError } from "../../../domain/errors.ts";
import { toStoreError } from "./errors.ts";

/** Time that a request waits for a connection or a lane, in milliseconds. */
export const MAX_WAIT = 5000;
/** Share of the connections that changes may use at a time. */
const CHANGES_SHARE = 3 / 4;

/**
 * Time that the pool and the log's connection get to close, in milliseconds: an unresponsive server must not keep a node
 * from stopping.
 */
export const MAX_CLOSING = 1000;

/** A change may wait for a locked album. A read waits for no lock, so connections are kept free for reads. */
export type PoolUse = "read" | "change";

export interface PooledConnection {
  readonly client: ClientBase;
  /** @param lost the connection cannot be used again, and is closed */
  release(this: void, lost: boolean): void;
}

export interface ConnectionPool extends AsyncDisposable {
  /** Maximum number of connections. After a restart of the server, as many may fail one by one when they are used. */
  readonly size: number;
  /**
   * Returns a connection that the caller must release. First come, first served for each use.
   * @throws StoreError `busy` when too many wait or the wait is too long; `unavailable` when no connection can be made
   */
  acquire(use: PoolUse): Promise<PooledConnection>;
  /** Replaces all connections when they are next used: the database's settings changed, and a session keeps the old ones. */
  renew(this: void): void;
}

export interface PoolOptions {
  readonly connection: ClientConfig;
  readonly size: number;
  /** Requests that may wait for a connection; above it, `busy`. */
  readonly maxWaiting: number;
}

/** Requests queue here: the library's queue is unbounded, and tells a long wait from a dead server only by its message. */
export function createPool({ connection, size, maxWaiting }: PoolOptions): ConnectionPool {
  // oxlint-disable-next-line typescript/no-misused-promises -- The pool awaits it; its types do not say so yet.
  const pool = new Pool({ ...connection, max: size, onConnect: demandDurability });
  // The library removes an idle connection that fails; one in use fails its query.
  pool.on("error", () => undefined);
  const generations = new WeakMap<ClientBase, number>();
  let generation = 0;
  pool.on("connect", (client) => {
    client.on("error", () => undefined);
    generations.set(client, generation);
  });
  const isOld = (client: ClientBase) => generations.get(client) !== generation;
  const connect = async () => {
    for (;;) {
      const client = await pool.connect();
      if (!isOld(client)) return client;
      client.release(true);
    }
  };

  const maxChanges = Math.max(1, Math.floor(size * CHANGES_SHARE));
  const inUse = { read: 0, change: 0 };
  const waiting: { readonly use: PoolUse; readonly enter: () => void }[] = [];

  const mayEnter = (use: PoolUse) => inUse.read + inUse.change < size && (use === "read" || inUse.change < maxChanges);

  const enter = async (use: PoolUse): Promise<void> => {
    if (mayEnter(use)) {
      inUse[use] += 1;
      return;
    }
    if (waiting.length >= maxWaiting)
      throw new StoreError("busy", "Too many requests are waiting for the catalog. Try again.");
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(turn), 1);
        reject(new StoreError("busy", "The catalog is overloaded. Try again."));
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
  /** Passes the place to the first waiting request that may have it. */
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
        const client = await connect();
        const release = (lost: boolean) => {
          client.release(lost || isOld(client));
          leave(use);
        };
        return { client, release };
      } catch (error) {
        leave(use);
        throw toStoreError(error);
      }
    },
    renew: () => {
      generation++;
    },
    [Symbol.asyncDispose]: () => within(MAX_CLOSING, pool.end(), () => {}),
  };
}

/**
 * A commit must be on the disk, and on those standbys that the server demands, even if the server, the database or the role is
 * configured for less. (A session cannot set `fsync` and `full_page_writes`.)
 */
async function demandDurability(client: ClientBase): Promise<void> {
  await client.query(
    `select set_config('synchronous_commit', 'on', false)
     where current_setting('synchronous_commit') not in ('on', 'remote_apply')`,
  );
}
