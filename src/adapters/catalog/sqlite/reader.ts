import type { MaybePromise } from "../../../concurrency/maybe-promise.ts";
import type { Driver } from "../driver.ts";
import type { Reader } from "../queries.ts";
import { openConnection } from "./connection.ts";
import { createSqliteDriver } from "./driver.ts";
import { toStoreError } from "./errors.ts";

/** Runs one `snapshot` at a time, so its query must not await anything but the driver. */
export function openSqliteReader(path: string): Reader & Disposable {
  const single = openConnection(path, { readonly: true });
  const several = openConnection(path, { readonly: true });
  const singleDriver = createSqliteDriver(single);
  const severalDriver = createSqliteDriver(several);
  let last: Promise<unknown> = Promise.resolve();

  const read = async <Value>(query: (db: Driver) => MaybePromise<Value>): Promise<Value> => {
    try {
      return await query(singleDriver);
    } catch (error) {
      throw toStoreError(error);
    }
  };

  const inTransaction = async <Value>(query: (db: Driver) => MaybePromise<Value>): Promise<Value> => {
    try {
      await severalDriver.run("begin");
      const value = await query(severalDriver);
      await severalDriver.run("commit");
      return value;
    } catch (error) {
      if (several.inTransaction) await severalDriver.run("rollback");
      throw toStoreError(error);
    }
  };

  const snapshot = <Value>(query: (db: Driver) => MaybePromise<Value>): Promise<Value> => {
    const turn = last.then(() => inTransaction(query));
    last = turn.catch(() => undefined);
    return turn;
  };

  return {
    read,
    snapshot,
    [Symbol.dispose]: () => {
      single.close(true);
      several.close(true);
    },
  };
}
