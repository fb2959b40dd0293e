import { type ClientBase, DatabaseError, type QueryResult } from "pg";
import type { Change, ChangeResults } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { ChangeContext } from "../changes/context.ts";
import { applyChange } from "../changes.ts";
import { createPostgresDriver, type WatchedDriver } from "./driver.ts";
import { isConnectionLost } from "./errors.ts";
import { SELECT_NOW } from "./time.ts";

/** Of one change: what it answers, or why it was refused without having written anything. */
export type Outcome = { readonly value: ChangeResults[Change["type"]] } | { readonly error: StoreError };

export interface Committed {
  /** In the order of the changes. */
  readonly outcomes: readonly Outcome[];
  readonly appended: boolean;
}

/** One of the changes failed in a way that takes the others with it. Nothing was kept; the cause tells what it was. */
export class Spoiled extends Error {}

/**
 * Changes that go together or not at all; each looks at the rows before any has written. Their statements run side by side,
 * so that many take no more round trips than one, and none of them may need what another writes.
 * @throws Spoiled; StoreError `unavailable` when nobody knows whether it was committed; what the server says of the commit
 */
export async function transact(client: ClientBase, changes: readonly Change[]): Promise<Committed> {
  const { outcomes, appended } = await applyAll(client, changes);
  await commit(client);
  return { outcomes, appended };
}

const BEGIN = `begin isolation level read committed read write; ${SELECT_NOW}`;

async function applyAll(client: ClientBase, changes: readonly Change[]): Promise<Committed> {
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
    return { outcomes, appended: context.appended > 0 };
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
