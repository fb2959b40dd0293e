import type { PoolClient } from "pg";
import type { Driver, MaybePromise } from "../driver.ts";
import type { Reader } from "../queries.ts";
import { createPostgresDriver } from "./driver.ts";
import { isConnectionLost, toStoreError } from "./errors.ts";
import type { ConnectionPool } from "./pool.ts";

/** After a restart of the server, a connection may turn out to be gone only when it is used. */
const MAX_ATTEMPTS = 3;

export function createPostgresReader(pool: ConnectionPool): Reader {
  const attempt = async <Value>(query: (client: PoolClient) => Promise<Value>): Promise<Value> => {
    for (let attempts = 1; ; attempts++) {
      const client = await pool.acquire();
      try {
        return await query(client);
      } catch (error) {
        client.release(true);
        if (!isConnectionLost(error) || attempts === MAX_ATTEMPTS) throw toStoreError(error);
      }
    }
  };

  return {
    read: <Value>(query: (db: Driver) => MaybePromise<Value>) =>
      attempt(async (client) => {
        const value = await query(createPostgresDriver(client, { prepared: true }));
        client.release();
        return value;
      }),

    snapshot: <Value>(query: (db: Driver) => MaybePromise<Value>) =>
      attempt(async (client) => {
        // It goes with the first query. Where it fails, that fails too.
        client.query("begin isolation level repeatable read read only").catch(() => undefined);
        const value = await query(createPostgresDriver(client, { prepared: false }));
        // Nobody need wait for the end of what has only read.
        client.query("commit").then(
          () => client.release(),
          () => client.release(true),
        );
        return value;
      }),
  };
}
