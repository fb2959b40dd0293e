import type { ClientBase, QueryResult } from "pg";
import { DatabaseError } from "pg";
import type { Change, ChangeResult } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { ChangeContext } from "../changes/context.ts";
import { applyChange } from "../changes.ts";
import { createPostgresDriver } from "./driver.ts";
import { isConnectionLost, isRaced, toStoreError } from "./errors.ts";
import type { ConnectionPool, PoolUse } from "./pool.ts";
import { SELECT_NOW } from "./time.ts";

const MAX_RACES = 8;
/** In milliseconds; doubled from race to race. */
const MIN_PAUSE = 2;

export interface WriterOptions {
  /** A change with events was committed. */
  readonly onAppended: () => void;
  readonly observe?: ((batch: { readonly batchSize: number; readonly seconds: number }) => void) | undefined;
}

/** One change, one transaction. */
export function createPostgresWriter(pool: ConnectionPool, { onAppended, observe }: WriterOptions) {
  const attempt = async (change: Change) => {
    const { client, release } = await pool.acquire(useOf(change));
    const started = performance.now();
    try {
      const { value, appended } = await transact(client, change);
      release(false);
      observe?.({ batchSize: 1, seconds: (performance.now() - started) / 1000 });
      if (appended) onAppended();
      return value;
    } catch (error) {
      release(isConnectionLost(error) || !(await rollBack(client)));
      throw error;
    }
  };

  /** Ids are the change's own: where nothing was committed, the same again is the same. */
  return async <C extends Change>(change: C): Promise<ChangeResult<C>> => {
    let races = 0;
    let lost = 0;
    for (;;) {
      try {
        return (await attempt(change)) as ChangeResult<C>;
      } catch (error) {
        if (isRaced(error) && races < MAX_RACES) await Bun.sleep(MIN_PAUSE * 2 ** races++ * Math.random());
        else if (!isConnectionLost(error) || lost++ > pool.size) throw toStoreError(error);
      }
    }
  };
}

/** A lease is lost while its renewal waits, and no album is locked for it. */
const useOf = ({ type }: Change): PoolUse => (type === "acquireLease" ? "read" : "change");

const BEGIN = `begin isolation level read committed read write; ${SELECT_NOW}`;

async function transact(client: ClientBase, change: Change) {
  const [, clock] = (await client.query(BEGIN)) as unknown as [QueryResult, QueryResult<{ now: number }>];
  const context: ChangeContext = { now: clock.rows[0]?.now as number, appended: 0 };
  const driver = createPostgresDriver(client, { prepared: true });
  try {
    const value = await applyChange(driver, context, change);
    await commit(client);
    return { value, appended: context.appended > 0 };
  } finally {
    driver.end();
  }
}

/** Once it was sent, only the server knows; where it does not say so, it is not tried again. */
async function commit(client: ClientBase): Promise<void> {
  // Only about one thing: it gave up waiting for a standby that was to have it too.
  let warning: unknown;
  const onNotice = (notice: unknown) => {
    warning = notice;
  };
  client.on("notice", onNotice);
  try {
    const { command } = await client.query("commit");
    if (command !== "COMMIT" || warning !== undefined) throw outcomeUnknown(warning);
  } catch (error) {
    // An error, and not the end of the connection: then it was rolled back.
    if (error instanceof DatabaseError && !isConnectionLost(error)) throw error;
    throw error instanceof StoreError ? error : outcomeUnknown(error);
  } finally {
    client.off("notice", onNotice);
  }
}

const outcomeUnknown = (cause: unknown) =>
  new StoreError("unavailable", "The change may or may not have been kept.", { cause });

/** Whether it worked. */
const rollBack = (client: ClientBase): Promise<boolean> =>
  client.query("rollback").then(
    () => true,
    () => false,
  );
