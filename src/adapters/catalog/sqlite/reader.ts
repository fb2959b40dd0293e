import type { MaybePromise } from "../../../concurrency/maybe-promise.ts";
import type { Driver } from "../driver.ts";
import type { Reader } from "../queries.ts";
import type { ColdDetector } from "./cold-detector.ts";
import { openConnection } from "./connection.ts";
import { createSqliteDriver } from "./driver.ts";
import { toStoreError } from "./errors.ts";
import { createReaderPool } from "./reader-pool.ts";
import { startReaderThread } from "./reader-thread.ts";

type Query<Value> = (db: Driver) => MaybePromise<Value>;

/**
 * Reads on this thread while the catalog is in memory, and on others while it is not. On this thread it runs one `snapshot` at a
 * time, so its query must not await anything but the driver.
 * @param detector absent: all reads are on this thread
 */
export function openSqliteReader(path: string, detector?: ColdDetector): Reader & AsyncDisposable {
  const single = openConnection(path, { readonly: true });
  const several = openConnection(path, { readonly: true });
  const singleDriver = watched(createSqliteDriver(single), detector);
  const severalDriver = watched(createSqliteDriver(several), detector);
  const isCold = () => detector?.isCold() ?? false;
  const pool = createReaderPool(() => startReaderThread(path, { onRead: (readDisk) => detector?.note(readDisk) }));
  let last: Promise<unknown> = Promise.resolve();

  const read = async <Value>(query: Query<Value>): Promise<Value> => {
    try {
      return await (isCold() ? pool.run(query, { inSnapshot: false }) : query(singleDriver));
    } catch (error) {
      throw toStoreError(error);
    }
  };

  const inTransaction = async <Value>(query: Query<Value>): Promise<Value> => {
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

  const snapshot = <Value>(query: Query<Value>): Promise<Value> => {
    if (isCold())
      return pool.run(query, { inSnapshot: true }).catch((error: unknown): never => {
        throw toStoreError(error);
      });
    const turn = last.then(() => inTransaction(query));
    last = turn.catch(() => undefined);
    return turn;
  };

  return {
    read,
    snapshot,
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
      single.close(true);
      several.close(true);
    },
  };
}

function watched(driver: Driver, detector: ColdDetector | undefined): Driver {
  if (detector === undefined) return driver;
  return {
    ...driver,
    all: (sql, values) => detector.watch(() => driver.all(sql, values)),
    get: (sql, values) => detector.watch(() => driver.get(sql, values)),
  };
}
