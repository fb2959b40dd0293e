import { type ClientBase, DatabaseError, type QueryResult } from "pg";
import type { Change, ChangeResults } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { ChangeContext } from "../changes/context.ts";
import { applyChange } from "../changes.ts";
import { createPostgresDriver, type WatchedDriver } from "./driver.ts";
import { isConnectionLost } from "./errors.ts";
import { MAX_WAIT } from "./pool.ts";
import { SELECT_NOW } from "./time.ts";

/** Of one change. */
export type Outcome = { readonly value: ChangeResults[Change["type"]] } | { readonly error: StoreError };

export interface Applied {
  /** In the order of the changes. An error: it was refused before it had written anything. */
  readonly outcomes: readonly Outcome[];
  /** Undefined where all were refused: nothing was committed. */
  readonly committed: { readonly events: number } | undefined;
  /** The connection is of no more use. */
  readonly lost: boolean;
}

/** One of the changes failed in a way that takes the others with it. Nothing was kept; the cause tells what it was. */
export class Spoiled extends Error {}

/**
 * Changes that go together or not at all. Their statements run side by side, so that many take hardly more round trips
 * than one: none of them may read what another writes.
 * @throws Spoiled; StoreError `unavailable` when nobody knows whether it was committed; what the server says of the commit
 */
export async function transact(client: ClientBase, changes: readonly Change[]): Promise<Applied> {
  const { outcomes, events } = await applyAll(client, changes);
  // A commit would wait for the disk, and for a standby, for nothing but the locks.
  if (outcomes.every((outcome) => "error" in outcome))
    return { outcomes, committed: undefined, lost: !(await rollBack(client)) };
  await commit(client);
  return { outcomes, committed: { events }, lost: false };
}

/** It waits for no lock: a connection that does not answer it has nobody at its other end. */
const BEGIN = { text: `begin isolation level read committed read write; ${SELECT_NOW}`, query_timeout: MAX_WAIT };

async function applyAll(client: ClientBase, changes: readonly Change[]) {
  const driver = createPostgresDriver(client, { prepared: true });
  try {
    const [, clock] = (await client.query(BEGIN)) as unknown as [QueryResult, QueryResult<{ now: number }>];
    const context: ChangeContext = { now: clock.rows[0]?.now as number, appended: 0 };
    // All are waited for: a statement that comes after the end would be outside of the transaction.
    const settled = await Promise.allSettled(changes.map((change) => applyOne(driver.watch(), context, change)));
    const outcomes = settled.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
    return { outcomes, events: context.appended };
  } catch (cause) {
    throw new Spoiled("A transaction failed.", { cause });
  } finally {
    driver.end();
  }
}

async function applyOne(driver: WatchedDriver, context: ChangeContext, change: Change): Promise<Outcome> {
  try {
    return { value: await applyChange(driver, context, change) };
  } catch (error) {
    if (error instanceof StoreError && !driver.hasWritten()) return { error };
    throw error;
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
export const rollBack = (client: ClientBase): Promise<boolean> =>
  client.query("rollback").then(
    () => true,
    () => false,
  );
