import { type ClientBase, DatabaseError, type QueryResult } from "pg";
import type { Change, ChangeResults } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { QuotaScope } from "../../../domain/quota.ts";
import { type ChangeContext, createContext } from "../changes/context.ts";
import { ShardExhausted } from "../changes/quota-shards.ts";
import { applyChange } from "../changes.ts";
import { type WatchedDriver, watchWrites } from "../watch-writes.ts";
import { createPostgresDriver, SELECT_NOW } from "./driver.ts";
import { isConnectionLost } from "./errors.ts";
import { MAX_WAIT } from "./pool.ts";

/** What became of one change. */
export type Outcome = { readonly value: ChangeResults[Change["type"]] } | { readonly error: StoreError };

export interface Applied {
  /** In the order of the changes. An error means that the change was refused before it wrote anything. */
  readonly outcomes: readonly Outcome[];
  /** Undefined if every change was refused: then nothing is committed. */
  readonly committed: { readonly events: number } | undefined;
  /** The connection cannot be used again. */
  readonly lost: boolean;
}

/** One change failed in a way that aborted the transaction. Nothing was kept; the cause says why. */
export class BatchAborted extends Error {}

/**
 * Commits the changes in one transaction. Their statements are pipelined, so a batch takes hardly more round trips than one
 * change; therefore no change may read what another one writes.
 * @throws BatchAborted; StoreError `unavailable` when the outcome of the commit is unknown; the server's error of the commit
 */
export async function transact(client: ClientBase, changes: readonly Change[]): Promise<Applied> {
  const { outcomes, events } = await applyWithRoom(client, changes);
  // A commit would wait for the disk, and for a standby, only to release locks.
  if (outcomes.every((outcome) => "error" in outcome))
    return { outcomes, committed: undefined, lost: !(await rollBack(client)) };
  await commit(client);
  return { outcomes, committed: { events }, lost: false };
}

/**
 * It waits for no lock, so a connection that does not answer in time is dead. It does not say `read write`: an operator may
 * have set `default_transaction_read_only`.
 */
const BEGIN = { text: `begin isolation level read committed; ${SELECT_NOW}`, query_timeout: MAX_WAIT };

/**
 * A change that adds or removes images looks first whether there are quotas that count them. The lock lasts until its end: a quota
 * is made only when no such change is under way that has not seen it. These two wait for each other, and for no other change.
 */
const BEGIN_COUNTED = {
  text: `begin isolation level read committed; lock table quotas in row share mode;
    ${SELECT_NOW}, exists (select 1 from quotas) as limited`,
  query_timeout: MAX_WAIT,
};
const BEGIN_QUOTA = {
  text: `begin isolation level read committed; lock table quotas in exclusive mode; ${SELECT_NOW}`,
};
const COUNTED: ReadonlySet<Change["type"]> = new Set([
  "putImages",
  "deleteImage",
  "moveImage",
  "deleteAlbum",
  "deleteAlbumChunk",
  "runBatch",
]);

function beginOf(changes: readonly Change[]) {
  if (changes.some(({ type }) => COUNTED.has(type))) return BEGIN_COUNTED;
  return changes.some(isOfQuotas) ? BEGIN_QUOTA : BEGIN;
}

/** The quota of an album is in its row. */
const isOfQuotas = (change: Change): boolean =>
  change.type === "recountUsage" || (change.type === "setQuota" && !change.scope.startsWith("albums/"));

/**
 * A transaction that has locked one shard of a quota must not lock the others: two such would wait for each other. So when a shard
 * has too little room, it begins anew with all shards of that quota.
 */
async function applyWithRoom(client: ClientBase, changes: readonly Change[]) {
  const whole = new Set<QuotaScope>();
  for (;;) {
    try {
      return await applyAll(client, changes, whole);
    } catch (error) {
      const exhausted =
        error instanceof BatchAborted && error.cause instanceof ShardExhausted ? error.cause : undefined;
      if (exhausted === undefined || !(await rollBack(client))) throw error;
      for (const scope of exhausted.scopes) whole.add(scope);
    }
  }
}

/** Rows of a quota. */
const SHARDS = 16;
/** Operations of a batch whose statements are pipelined. */
const SIDE_BY_SIDE = 64;

async function applyAll(client: ClientBase, changes: readonly Change[], whole: ReadonlySet<QuotaScope>) {
  const driver = createPostgresDriver(client, { prepared: true });
  try {
    const results = (await client.query(beginOf(changes))) as unknown as QueryResult<Begun>[];
    const { now, limited = false } = (results.at(-1) as QueryResult<Begun>).rows[0] as Begun;
    const context = createContext(now, { limited, changes, shards: SHARDS, whole, sideBySide: SIDE_BY_SIDE });
    // Waits for all of them: a statement after the end would run outside the transaction.
    const settled = await Promise.allSettled(changes.map((change) => applyOne(watchWrites(driver), context, change)));
    const outcomes = settled.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
    if (outcomes.some((outcome) => "value" in outcome)) await context.ledger.spread(driver);
    return { outcomes, events: context.appended };
  } catch (cause) {
    throw new BatchAborted("The transaction was aborted.", { cause });
  } finally {
    driver.end();
  }
}

interface Begun {
  readonly now: number;
  readonly limited?: boolean;
}

async function applyOne(driver: WatchedDriver, context: ChangeContext, change: Change): Promise<Outcome> {
  try {
    return { value: await applyChange(driver, context, change) };
  } catch (error) {
    if (error instanceof StoreError && !driver.hasWritten()) return { error };
    throw error;
  } finally {
    context.ledger.end(change);
  }
}

/** Once it is sent, only the server knows the outcome. It is never repeated. */
async function commit(client: ClientBase): Promise<void> {
  // The only warning of a commit: the server gave up waiting for a synchronous standby.
  let warning: unknown;
  const onNotice = (notice: unknown) => {
    warning = notice;
  };
  client.on("notice", onNotice);
  try {
    const { command } = await client.query("commit");
    if (command !== "COMMIT" || warning !== undefined) throw outcomeUnknown(warning);
  } catch (error) {
    // After an error on a living connection the transaction was rolled back.
    if (error instanceof DatabaseError && !isConnectionLost(error)) throw error;
    throw error instanceof StoreError ? error : outcomeUnknown(error);
  } finally {
    client.off("notice", onNotice);
  }
}

const outcomeUnknown = (cause: unknown) =>
  new StoreError("unavailable", "The change may or may not have been kept.", { cause });

/** Returns whether it worked. */
export const rollBack = (client: ClientBase): Promise<boolean> =>
  client.query("rollback").then(
    () => true,
    () => false,
  );
