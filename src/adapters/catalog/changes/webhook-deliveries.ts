import {
  type BlockedAlbum,
  type DeliveryAttempt,
  type DisabledReason,
  MAX_DELIVERIES,
} from "../../../domain/webhook.ts";
import type { DeliveryProgress, SaveDeliveries, SavedDeliveries } from "../../../domain/webhook-changes.ts";
import { DISABLED_AFTER } from "../../../domain/webhook-schedule.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { logState } from "../queries/events.ts";
import { DELIVERY_COLUMNS, type DeliveryRow } from "../queries/webhook-deliveries.ts";
import type { ChangeContext } from "./context.ts";
import { lockReaders, moveCursor, skipPruned } from "./webhook-readers.ts";
import { disableWebhook } from "./webhooks.ts";

export async function saveDeliveries(
  db: Driver,
  context: ChangeContext,
  { progress }: SaveDeliveries,
): Promise<SavedDeliveries> {
  const byWebhook = [...Map.groupBy(progress, ({ webhookId }) => webhookId)].sort(([one], [other]) =>
    one < other ? -1 : 1,
  );
  // As a client's change does: the row of the webhook before its readers.
  for (const [id, readers] of byWebhook)
    if (readers.some(({ disable }) => disable !== undefined))
      await db.get("select 1 from webhooks where id = $1 for no key update", [id]);
  const saved = await Promise.all(byWebhook.map(async ([id, readers]) => saveWebhook(db, context, id, readers)));
  return { stale: saved.flatMap(({ stale }) => stale), disabled: saved.flatMap(({ disabled }) => disabled) };
}

async function saveWebhook(
  db: Driver,
  context: ChangeContext,
  id: string,
  readers: readonly DeliveryProgress[],
): Promise<SavedDeliveries> {
  if ((await lockReaders(db, id)) === undefined) {
    if ((await db.get("select 1 from webhooks where id = $1", [id])) === undefined)
      return { stale: readers.map(named), disabled: [] };
    // A node of an earlier version dropped its cursor from the log, and knows nothing of webhooks.
    const { prunedThrough } = await logState(db);
    await skipPruned(db, context, [id], prunedThrough);
  }
  const rows = await db.all<{ kind: string; generation: number }>(
    "select kind, generation from webhook_readers where webhook_id = $1",
    [id],
  );
  const isStale = ({ kind, generation }: DeliveryProgress) =>
    !rows.some((row) => row.kind === kind && row.generation === generation);
  const disabled: { webhookId: string; reason: DisabledReason }[] = [];
  const again: DeliveryProgress[] = readers.filter(isStale);
  for (const reader of readers) {
    if (again.includes(reader)) continue;
    await saveReader(db, reader);
    const { disable: reason } = reader;
    if (reason === undefined) continue;
    // A replay of which one event is refused for ever must not end live deliveries that arrive.
    if (reason === "failing" && (await hasDelivered(db, id, context.now - DISABLED_AFTER))) again.push(reader);
    else if (await disableWebhook(db, context, id, reason)) disabled.push({ webhookId: id, reason });
  }
  await moveCursor(db, context, id);
  await keepAttempts(db, id, newest(readers.flatMap(({ attempts }) => attempts)));
  return { stale: again.map(named), disabled };
}

async function saveReader(db: Driver, reader: DeliveryProgress): Promise<void> {
  const { webhookId, kind, position, failures, failingSince, retryAt, blocked, unblocked } = reader;
  await db.run(
    `update webhook_readers set position = $3, failures = $4, failing_since = $5, retry_at = $6
     where webhook_id = $1 and kind = $2`,
    [webhookId, kind, position, failures, failingSince, retryAt],
  );
  for (const albumId of unblocked)
    await db.run("delete from webhook_blocked_albums where webhook_id = $1 and kind = $2 and album_id = $3", [
      webhookId,
      kind,
      albumId,
    ]);
  for (const album of blocked) await block(db, reader, album);
  if (kind === "replay") await endReplay(db, webhookId);
}

const block = (db: Driver, { webhookId, kind }: DeliveryProgress, album: BlockedAlbum) =>
  db.run(
    `insert into webhook_blocked_albums (webhook_id, kind, album_id, seq, attempts, next_attempt_at, failing_since)
     values ($1, $2, $3, $4, $5, $6, $7)
     on conflict (webhook_id, kind, album_id) do update set seq = excluded.seq, attempts = excluded.attempts,
       next_attempt_at = excluded.next_attempt_at, failing_since = excluded.failing_since`,
    [webhookId, kind, album.albumId, album.seq, album.attempts, album.nextAttemptAt, album.failingSince],
  );

const endReplay = (db: Driver, webhookId: string) =>
  db.run(
    `delete from webhook_readers where webhook_id = $1 and kind = 'replay' and position >= until
       and not exists (select 1 from webhook_blocked_albums where webhook_id = $1 and kind = 'replay')`,
    [webhookId],
  );

const newest = (attempts: readonly DeliveryAttempt[]): readonly DeliveryAttempt[] =>
  attempts.toSorted((one, other) => (one.id < other.id ? -1 : 1)).slice(-MAX_DELIVERIES);

const hasDelivered = async (db: Driver, webhookId: string, since: number): Promise<boolean> =>
  (await db.get(
    "select 1 from webhook_deliveries where webhook_id = $1 and delivered = 1 and started_at > $2 limit 1",
    [webhookId, since],
  )) !== undefined;

const named = ({ webhookId, kind }: DeliveryProgress) => ({ webhookId, kind });

/** Rows of one statement. */
const MANY = 50;

async function keepAttempts(db: Driver, webhookId: string, attempts: readonly DeliveryAttempt[]): Promise<void> {
  if (attempts.length === 0) return;
  for (let start = 0; start < attempts.length; start += MANY) {
    const rows = attempts.slice(start, start + MANY);
    const values = rows.flatMap((attempt) => valuesOf(webhookId, attempt));
    // One statement for full parts, and one for a single row.
    if (rows.length === MANY) await db.run(INSERT_MANY, values);
    else
      for (let row = 0; row < rows.length; row++)
        await db.run(INSERT_ONE, values.slice(row * DELIVERY_COLUMNS.length, (row + 1) * DELIVERY_COLUMNS.length));
  }
  await db.run(
    `delete from webhook_deliveries where webhook_id = $1 and id <= (
       select id from webhook_deliveries where webhook_id = $1 order by id desc limit 1 offset ${MAX_DELIVERIES})`,
    [webhookId],
  );
}

const INSERT_ONE = insertRows(1);
const INSERT_MANY = insertRows(MANY);

/** What a worker saves again, whose last save had an unknown outcome, is there already. */
function insertRows(count: number): string {
  const columns = DELIVERY_COLUMNS;
  const row = (first: number) => `(${columns.map((_, index) => `$${first + index + 1}`).join(", ")})`;
  const rows = Array.from({ length: count }, (_, index) => row(index * columns.length));
  return `insert into webhook_deliveries (${columns.join(", ")}) values ${rows.join(", ")} on conflict do nothing`;
}

function valuesOf(webhookId: string, attempt: DeliveryAttempt): SqlValue[] {
  const row: DeliveryRow = {
    webhook_id: webhookId,
    id: attempt.id,
    event_id: attempt.eventId,
    type: attempt.type,
    seq: attempt.seq,
    replay: Number(attempt.replay),
    attempt: attempt.attempt,
    started_at: attempt.startedAt,
    milliseconds: attempt.milliseconds,
    delivered: Number(attempt.delivered),
    status: attempt.status,
    error: attempt.error?.code ?? null,
    error_detail: attempt.error?.detail ?? null,
    response: attempt.response,
  };
  return DELIVERY_COLUMNS.map((column) => row[column]);
}
