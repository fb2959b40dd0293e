import type { MaybePromise } from "../../../concurrency/maybe-promise.ts";
import type { Driver } from "../driver.ts";
import type { Reader } from "../queries.ts";
import { createPostgresDriver } from "./driver.ts";
import { isConnectionLost, toStoreError } from "./errors.ts";
import type { ConnectionPool, PooledConnection } from "./pool.ts";

type Query<Value> = (db: Driver) => MaybePromise<Value>;

export function createPostgresReader(pool: ConnectionPool): Reader {
  const attempt = async <Value>(query: (connection: PooledConnection) => Promise<Value>): Promise<Value> => {
    for (let attempts = 1; ; attempts++) {
      const connection = await pool.acquire("read");
      try {
        return await query(connection);
      } catch (error) {
        if (!isConnectionLost(error) || attempts > pool.size) throw toStoreError(error);
      }
    }
  };

  return {
    read: <Value>(query: Query<Value>) =>
      attempt(async ({ client, release }) => {
        let lost = false;
        try {
          return await query(createPostgresDriver(client, { prepared: true }));
        } catch (error) {
          lost = isConnectionLost(error);
          throw error;
        } finally {
          release(lost);
        }
      }),

    snapshot: <Value>(query: Query<Value>) =>
      attempt(async ({ client, release }) => {
        // Pipelined with the first query, which fails if this fails.
        client.query("begin isolation level repeatable read read only").catch(() => undefined);
        try {
          return await query(createPostgresDriver(client, { prepared: false }));
        } finally {
          // The caller need not wait for the end of a read-only transaction.
          client.query("rollback").then(
            () => release(false),
            () => release(true),
          );
        }
      }),
  };
}
