import { WEBHOOK_CURSORS, webhookCursor } from "../../../domain/webhook.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";

// All that change a reader lock the cursor of its webhook first, then the readers.

/** Locks the readers until the transaction ends. Undefined: the webhook is gone, or the log dropped its cursor. */
export const lockReaders = (db: Driver, webhookId: string) =>
  db.get("select 1 from cursors where name = $1 for no key update", [webhookCursor(webhookId)]);

/** A worker that read an earlier generation saves nothing. The time is part of it, so a later replay never has that of another. */
export const NEXT_GENERATION = "generation = case when generation >= $2 then generation + 1 else $2 end";

/** What waits for a retry is due at once, as if nothing had failed. */
export async function resetReaders(db: Driver, { now }: ChangeContext, webhookId: string): Promise<void> {
  await lockReaders(db, webhookId);
  await db.run(
    `update webhook_readers set ${NEXT_GENERATION}, failures = 0, failing_since = null, retry_at = null
     where webhook_id = $1`,
    [webhookId, now],
  );
  await db.run(
    "update webhook_blocked_albums set attempts = 0, next_attempt_at = $2, failing_since = $2 where webhook_id = $1",
    [webhookId, now],
  );
}

const MINIMUM = `select min(seq) from (
    select position as seq from webhook_readers where webhook_id = $1
    union all select seq - 1 as seq from webhook_blocked_albums where webhook_id = $1) needed`;

/** Moves the durable cursor to the lowest position that is needed. The readers must be locked. */
export const moveCursor = (db: Driver, { now }: ChangeContext, webhookId: string) =>
  db.run(`update cursors set seq = (${MINIMUM}), updated_at = $2 where name = $3`, [
    webhookId,
    now,
    webhookCursor(webhookId),
  ]);

/**
 * After the log dropped events up to `prunedThrough`: webhooks go on behind them, and say that they lost some. Their cursors were
 * deleted, and are made anew.
 */
export async function skipPruned(
  db: Driver,
  { now }: ChangeContext,
  webhookIds: readonly string[],
  prunedThrough: number,
): Promise<void> {
  for (const id of webhookIds) {
    await db.run(`update webhook_readers set ${NEXT_GENERATION}, lost_events_at = $2 where webhook_id = $1`, [id, now]);
    await db.run("update webhook_readers set position = $2 where webhook_id = $1 and position < $2", [
      id,
      prunedThrough,
    ]);
    await db.run("update webhook_blocked_albums set seq = $2 where webhook_id = $1 and seq < $2", [
      id,
      prunedThrough + 1,
    ]);
    await db.run("delete from webhook_readers where webhook_id = $1 and kind = 'replay' and until <= $2", [
      id,
      prunedThrough,
    ]);
    await db.run(
      `insert into cursors (name, seq, updated_at)
       select $3, (${MINIMUM}), $2 where exists (select 1 from webhooks where id = $1)`,
      [id, now, webhookCursor(id)],
    );
  }
}

/** Ids of the webhooks among durable cursors. */
export const webhooksAmong = (cursors: readonly string[]): readonly string[] =>
  cursors.filter((name) => name.startsWith(WEBHOOK_CURSORS)).map((name) => name.slice(WEBHOOK_CURSORS.length));

/** Of a log that goes back to an earlier point: no reader is beyond its end. */
export async function moveReadersBack(db: Driver, lastSequence: number): Promise<void> {
  await db.run("update webhook_readers set position = $1 where position > $1", [lastSequence]);
  await db.run("update webhook_readers set until = $1 where until > $1", [lastSequence]);
  await db.run("delete from webhook_blocked_albums where seq > $1", [lastSequence]);
}
