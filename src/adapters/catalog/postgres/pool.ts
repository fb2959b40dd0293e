import { type ClientBase, type ClientConfig, Pool, type PoolClient } from "pg";
import { StoreError } from "../../../domain/errors.ts";
import { toStoreError } from "./errors.ts";

export interface ConnectionPool extends AsyncDisposable {
  /**
   * A connection for whoever calls, to be released.
   * @throws StoreError `busy` when too many wait, or for too long; `unavailable` when there is no connection to be had
   */
  acquire(): Promise<PoolClient>;
}

export interface PoolOptions {
  readonly connection: ClientConfig;
  readonly size: number;
  /** Past it, `busy`. */
  readonly maxWaiting: number;
}

export function createPool({ connection, size, maxWaiting }: PoolOptions): ConnectionPool {
  // oxlint-disable-next-line typescript/no-misused-promises -- The pool waits for it; its types do not say so yet.
  const pool = new Pool({ ...connection, max: size, onConnect: demandDurability });
  // One that goes while it is idle was taken out already; one that goes while it is used fails its query.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));

  return {
    async acquire() {
      if (pool.waitingCount >= maxWaiting) throw new StoreError("busy", "Too much waits for the catalog. Try again.");
      try {
        return await pool.connect();
      } catch (error) {
        // Of the pool, for one that waited for a connection of others.
        if (error instanceof Error && error.message === "timeout exceeded when trying to connect")
          throw new StoreError("busy", "The catalog has too much to do. Try again.", { cause: error });
        throw toStoreError(error);
      }
    },
    [Symbol.asyncDispose]: () => pool.end(),
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
