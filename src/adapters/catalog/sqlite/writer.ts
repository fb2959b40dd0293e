import type { Database } from "bun:sqlite";
import type { Change } from "../../../domain/change.ts";
import { StoreError, serializeError } from "../../../domain/errors.ts";
import type { ChangeContext } from "../changes/context.ts";
import { applyChange } from "../changes.ts";
import { createSqliteDriver } from "./driver.ts";
import { isEngineFailure, isTransient, toStoreError } from "./errors.ts";
import type { BatchResult, Outcome, Writer } from "./writer-port.ts";

/**
 * Group commit: a batch is one transaction, and one sync. It keeps nothing of the catalog in memory from batch to batch,
 * since subcommands write beside it. The connection is the writer's own.
 */
export function createSqliteWriter(db: Database): Writer {
  const driver = createSqliteDriver(db);

  const attempt = async (changes: readonly Change[], runOne: typeof runGuarded): Promise<BatchResult> => {
    const context: ChangeContext = { now: Date.now(), appended: 0 };
    const outcomes: Outcome[] = [];
    try {
      await driver.run("begin immediate");
      for (const change of changes) outcomes.push(await runOne(context, change));
    } catch (error) {
      if (!(error instanceof HalfDone)) return abandon(changes, toStoreError(error));
      await driver.run("rollback");
      return attempt(changes, runGuarded);
    }
    try {
      await driver.run("commit");
    } catch (error) {
      return abandon(changes, commitFailure(error));
    }
    return { outcomes, appended: context.appended > 0 };
  };

  /**
   * With nothing to go back to: for a savepoint SQLite copies every page before it is first changed, which was two
   * fifths of this thread's processor time. Nearly all changes that fail do so before they write.
   */
  const runOpenly = async (context: ChangeContext, change: Change): Promise<Outcome> => {
    const before = await rowsChanged();
    try {
      return { value: await applyChange(driver, context, change) };
    } catch (error) {
      const failure = failedOutcome(error);
      if ((await rowsChanged()) !== before) throw new HalfDone();
      return failure;
    }
  };

  const runGuarded = async (context: ChangeContext, change: Change): Promise<Outcome> => {
    try {
      await driver.run("savepoint change");
      const value = await applyChange(driver, context, change);
      await driver.run("release change");
      return { value };
    } catch (error) {
      const failure = failedOutcome(error);
      await driver.run("rollback to change");
      await driver.run("release change");
      return failure;
    }
  };

  /** Of one change. Throws when the whole batch is lost. */
  const failedOutcome = (error: unknown): Outcome => {
    // A full disk, for one, rolls the whole transaction back, and the next change would commit by itself.
    if (!db.inTransaction || isEngineFailure(error)) throw error;
    return { error: serializeError(toStoreError(error)) };
  };

  const rowsChanged = async () => (await driver.get<{ rows: number }>("select total_changes() as rows"))?.rows;

  const abandon = async (changes: readonly Change[], failure: StoreError): Promise<BatchResult> => {
    if (db.inTransaction) await driver.run("rollback");
    const error = serializeError(failure);
    const outcomes = changes.map(() => ({ error }));
    return { outcomes, appended: false, ...(isTransient(failure) ? {} : { fatal: error }) };
  };

  return {
    run: (changes) => attempt(changes, runOpenly),
    close: async () => db.close(true),
    // It ends with the process.
    death: new Promise(() => undefined),
  };
}

/** A change that failed had written before; the transaction has to be done again, with savepoints. */
class HalfDone extends Error {}

/** Only of a full disk is it known that nothing was kept; after anything else the rows may be there after a restart. */
const commitFailure = (error: unknown): StoreError => {
  const failure = toStoreError(error);
  if (failure.code === "insufficient_storage") return failure;
  return new StoreError("unavailable", "The change may or may not have been kept.", { cause: error });
};
