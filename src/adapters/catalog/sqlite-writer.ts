import type { Database } from "bun:sqlite";
import type { Change } from "../../domain/change.ts";
import { StoreError, serializeError } from "../../domain/errors.ts";
import type { ChangeContext } from "./changes/context.ts";
import { applyChange } from "./changes.ts";
import { createSqliteDriver } from "./sqlite-driver.ts";
import { isEngineFailure, isTransient, toStoreError } from "./sqlite-errors.ts";
import type { BatchResult, Outcome, Writer } from "./writer.ts";

/**
 * Group commit: a batch is one transaction with a savepoint for each change, and one sync. It keeps nothing of the
 * catalog in memory from batch to batch, since subcommands write beside it. The connection is the writer's own.
 */
export function createSqliteWriter(db: Database): Writer {
  const driver = createSqliteDriver(db);

  const run = async (changes: readonly Change[]): Promise<BatchResult> => {
    const context: ChangeContext = { now: Date.now(), appended: 0 };
    const outcomes: Outcome[] = [];
    try {
      await driver.run("begin immediate");
      for (const change of changes) outcomes.push(await runChange(context, change));
    } catch (error) {
      return abandon(changes, toStoreError(error));
    }
    try {
      await driver.run("commit");
    } catch (error) {
      return abandon(changes, commitFailure(error));
    }
    return { outcomes, appended: context.appended > 0 };
  };

  /** Throws when the whole batch is lost. */
  const runChange = async (context: ChangeContext, change: Change): Promise<Outcome> => {
    try {
      await driver.run("savepoint change");
      const value = await applyChange(driver, context, change);
      await driver.run("release change");
      return { value };
    } catch (error) {
      // A full disk, for one, rolls the whole transaction back, and the next savepoint would commit by itself.
      if (!db.inTransaction || isEngineFailure(error)) throw error;
      await driver.run("rollback to change");
      await driver.run("release change");
      return { error: serializeError(toStoreError(error)) };
    }
  };

  const abandon = async (changes: readonly Change[], failure: StoreError): Promise<BatchResult> => {
    if (db.inTransaction) await driver.run("rollback");
    const error = serializeError(failure);
    const outcomes = changes.map(() => ({ error }));
    return { outcomes, appended: false, ...(isTransient(failure) ? {} : { fatal: error }) };
  };

  return {
    run,
    close: async () => db.close(true),
    // It ends with the process.
    death: new Promise(() => undefined),
  };
}

/** Only of a full disk is it known that nothing was kept; after anything else the rows may be there after a restart. */
const commitFailure = (error: unknown): StoreError => {
  const failure = toStoreError(error);
  if (failure.code === "insufficient_storage") return failure;
  return new StoreError("unavailable", "The change may or may not have been kept.", { cause: error });
};
