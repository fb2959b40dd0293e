import { type ClientBase, type ClientConfig, Pool } from "pg";
import { StoreError } from "../../../domain/errors.ts";
import { endInTime } from "./ending.ts";
import { toStoreError } from "./errors.ts";

/** How long a request waits for others to be done, in milliseconds. */
const MAX_WAIT = 5000;

export interface PooledConnection {
  readonly client: ClientBase;
  /** @param lost it is of no more use */
  release(this: void, lost: boolean): void;
}

export interface ConnectionPool extends AsyncDisposable {
  /** Most connections. When the server restarts so many may turn out to be gone, each when it is used. */
  readonly size: number;
  /**
   * One for whoever calls, to be released; first come, first served.
   * @throws StoreError `busy` when too many wait, or for too long; `unavailable` when none can be had
   */
  acquire(): Promise<PooledConnection>;
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

  let inUse = 0;
  const waiting: (() => void)[] = [];

  const enter = async (): Promise<void> => {
    if (inUse < size) {
      inUse += 1;
      return;
    }
    if (waiting.length >= maxWaiting) throw new StoreError("busy", "Too much waits for the catalog. Try again.");
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.splice(waiting.indexOf(turn), 1);
        reject(new StoreError("busy", "The catalog has too much to do. Try again."));
      }, MAX_WAIT);
      const turn = () => {
        clearTimeout(timer);
        resolve();
      };
      waiting.push(turn);
    });
  };
  /** The place goes to the next, or is free. */
  const leave = () => {
    const next = waiting.shift();
    if (next === undefined) inUse -= 1;
    else next();
  };

  return {
    size,
    async acquire() {
      await enter();
      try {
        const client = await pool.connect();
        const release = (lost: boolean) => {
          client.release(lost);
          leave();
        };
        return { client, release };
      } catch (error) {
        leave();
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
