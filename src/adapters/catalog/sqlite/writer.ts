import type { Database } from "bun:sqlite";
import type { Change, ChangeResults } from "../../../domain/change.ts";
import { type SerializedError, StoreError, serializeError } from "../../../domain/errors.ts";
import { type ChangeContext, createContext } from "../changes/context.ts";
import { applyChange } from "../changes.ts";
import { createSqliteDriver } from "./driver.ts";
import { isEngineFailure, isTransient, toStoreError } from "./errors.ts";

/** What became of one change. */
export type Outcome = { readonly value: ChangeResults[Change["type"]] } | { readonly error: SerializedError };

export interface BatchResult {
  /** One for each change, in order. */
  readonly outcomes: readonly Outcome[];
  /** Whether new events may be readable. */
  readonly appended: boolean;
  /** The outcome is unknown, or the engine failed: nothing more may be written before a restart. */
  readonly fatal?: SerializedError;
}

/** Commits a batch of changes in one durable transaction, one batch at a time. */
export interface Writer {
  /** Rejects only if the writer died; then the outcome is unknown. */
  run(changes: readonly Change[]): Promise<BatchResult>;
  close(): Promise<void>;
  /** Resolves if the writer ends without `close`. */
  readonly death: Promise<Error>;
}

/**
 * Group commit: a batch is one transaction and one sync. The writer caches nothing between batches, since subcommands write to
 * the catalog too. It owns the connection.
 */
export function createSqliteWriter(db: Database): Writer {
  const driver = createSqliteDriver(db);

  const attempt = async (changes: readonly Change[], runOne: typeof runGuarded): Promise<BatchResult> => {
    const context = createContext(Date.now());
    const outcomes: Outcome[] = [];
    try {
      await driver.run("begin immediate");
      context.limited = (await driver.get("select 1 from quotas limit 1")) !== undefined;
      for (const change of changes)
        outcomes.push(await (change.type === "runBatch" ? runGuarded : runOne)(context, change));
    } catch (error) {
      if (!(error instanceof PartialWrite)) return abandon(changes, toStoreError(error));
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
   * Runs without a savepoint, for which SQLite copies every page before its first change: two fifths of this thread's processor
   * time. Nearly every change that fails does so before it writes.
   */
  const runOpenly = async (context: ChangeContext, change: Change): Promise<Outcome> => {
    const before = await rowsChanged();
    try {
      return { value: await applyNext(context, change) };
    } catch (error) {
      const failure = failedOutcome(error);
      if ((await rowsChanged()) !== before) throw new PartialWrite();
      return failure;
    }
  };

  /** Also for a change of many operations: it often fails after it has written, and needs few savepoints for its work. */
  const runGuarded = async (context: ChangeContext, change: Change): Promise<Outcome> => {
    try {
      await driver.run("savepoint change");
      const value = await applyNext(context, change);
      await driver.run("release change");
      return { value };
    } catch (error) {
      const failure = failedOutcome(error);
      await driver.run("rollback to change");
      await driver.run("release change");
      return failure;
    }
  };

  /** The outcome of a failed change. Throws if the whole batch is lost. */
  const failedOutcome = (error: unknown): Outcome => {
    // A full disk, for example, rolls back the whole transaction, and the next change would commit by itself.
    if (!db.inTransaction || isEngineFailure(error)) throw error;
    return { error: serializeError(toStoreError(error)) };
  };

  /** Changes run one after the other, so each reads the counters as the last one left them. */
  const applyNext = (context: ChangeContext, change: Change) => {
    context.ledger = context.newLedger([change]);
    return applyChange(driver, context, change);
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
    // It lives as long as the process.
    death: new Promise(() => undefined),
  };
}

/** A change failed after it had written: the transaction is repeated with savepoints. */
class PartialWrite extends Error {}

/** After a full disk nothing was kept; after any other failure the rows may exist after a restart. */
const commitFailure = (error: unknown): StoreError => {
  const failure = toStoreError(error);
  if (failure.code === "insufficient_storage") return failure;
  return new StoreError("unavailable", "The change may or may not have been kept.", { cause: error });
};
