import { StoreError, webhookNotFound } from "../../../domain/errors.ts";
import { type AuditEventType, makerOf, STORE } from "../../../domain/event.ts";
import type { Requested } from "../../../domain/requested.ts";
import {
  type DisabledReason,
  MAX_FORMER_SECRETS,
  MAX_WEBHOOKS,
  subjectOfWebhook,
  type WebhookPatch,
  type WebhookSecret,
  type WebhookStatus,
  webhookCursor,
} from "../../../domain/webhook.ts";
import type {
  CreateWebhook,
  DeleteWebhook,
  RotateWebhookSecret,
  UpdateWebhook,
} from "../../../domain/webhook-changes.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { startOf } from "../queries/events.ts";
import { findWebhook, secretsOf, toWebhook, WEBHOOK_COLUMNS, type WebhookRow } from "../queries/webhooks.ts";
import { appendAuditEvent } from "./append-event.ts";
import { type ChangeContext, requirePreconditions, touched, version } from "./context.ts";
import { onlyOnce } from "./idempotency.ts";
import { lockMaker } from "./lock-maker.ts";
import { lockLog } from "./log.ts";
import { resetReaders } from "./webhook-readers.ts";

const INSERT = `insert into webhooks (${WEBHOOK_COLUMNS.join(", ")})
  values (${WEBHOOK_COLUMNS.map((_, index) => `$${index + 1}`).join(", ")})`;

export const createWebhook = (db: Driver, context: ChangeContext, change: CreateWebhook) =>
  onlyOnce(db, context, change.idempotency, async () => {
    await lockMaker(db, context.now, change.by);
    // Of two that are made at once, one sees the other.
    const { epoch, prunedThrough, lastSequence, bytes } = await lockLog(db);
    const made = await db.get<{ webhooks: number }>("select count(*) as webhooks from webhooks");
    if ((made?.webhooks ?? 0) >= MAX_WEBHOOKS)
      throw new StoreError("too_many_webhooks", `The store has ${MAX_WEBHOOKS} webhooks, which is the limit.`);
    const position = startOf(change.from ?? { epoch, seq: lastSequence }, {
      epoch,
      prunedThrough,
      lastSequence,
      bytes,
    });
    const row: WebhookRow = {
      id: change.id,
      url: change.url,
      types: change.types && JSON.stringify(change.types),
      albums: JSON.stringify(change.albums),
      description: change.description,
      secrets: JSON.stringify([{ secret: change.secret, until: null } satisfies WebhookSecret]),
      paused: 0,
      disabled_reason: null,
      disabled_at: null,
      revision: 1,
      created_at: context.now,
      created_by: JSON.stringify(makerOf(change.by?.actor ?? STORE)),
      updated_at: context.now,
    };
    await db.run(INSERT, valuesOf(row));
    await db.run("insert into webhook_readers (webhook_id, kind, generation, position) values ($1, 'live', $2, $3)", [
      row.id,
      context.now,
      position,
    ]);
    await db.run("insert into cursors (name, seq, updated_at) values ($1, $2, $3)", [
      webhookCursor(row.id),
      position,
      context.now,
    ]);
    await announce(db, context, "imagestore.webhook.created", row, change);
    return statusOf(db, row.id);
  });

export async function updateWebhook(db: Driver, context: ChangeContext, change: UpdateWebhook): Promise<WebhookStatus> {
  const row = await lockWebhook(db, change.id);
  requirePreconditions(change.preconditions, row, version);
  const { checkedAlbums } = change;
  if (checkedAlbums !== undefined && !Bun.deepEquals(toWebhook(row).albums, checkedAlbums))
    throw new StoreError("precondition_failed", "The albums of the webhook were changed meanwhile.");
  const patched = patchRow(row, change.patch);
  if (Bun.deepEquals(patched, row)) return statusOf(db, row.id);
  const next = await writeRow(db, context, patched);
  const goesOn = (row.disabled_at !== null && next.disabled_at === null) || row.paused > next.paused;
  if (goesOn || row.url !== next.url) await resetReaders(db, context, row.id);
  await announce(db, context, "imagestore.webhook.updated", next, change);
  return statusOf(db, row.id);
}

export async function deleteWebhook(db: Driver, context: ChangeContext, change: DeleteWebhook): Promise<null> {
  const row = await lockWebhook(db, change.id);
  requirePreconditions(change.preconditions, row, version);
  await db.run("delete from cursors where name = $1", [webhookCursor(row.id)]);
  await db.run("delete from webhooks where id = $1", [row.id]);
  await announce(db, context, "imagestore.webhook.deleted", row, change);
  return null;
}

export async function rotateWebhookSecret(
  db: Driver,
  context: ChangeContext,
  change: RotateWebhookSecret,
): Promise<WebhookStatus> {
  const row = await lockWebhook(db, change.id);
  const until = context.now + change.overlap;
  const former = secretsOf(row)
    .map((one) => ({ ...one, until: one.until ?? until }))
    .filter((one) => one.until > context.now && one.secret !== change.secret);
  const secrets: readonly WebhookSecret[] = [
    { secret: change.secret, until: null },
    ...former.slice(0, MAX_FORMER_SECRETS),
  ];
  const next = await writeRow(db, context, { ...row, secrets: JSON.stringify(secrets) });
  await announce(db, context, "imagestore.webhook.updated", next, change);
  return statusOf(db, row.id);
}

/** Where nothing but failure came of its deliveries. Returns whether it was not disabled before. */
export async function disableWebhook(
  db: Driver,
  context: ChangeContext,
  id: string,
  reason: DisabledReason,
): Promise<boolean> {
  const row = await lockWebhook(db, id);
  if (row.disabled_at !== null) return false;
  const next = await writeRow(db, context, { ...row, disabled_reason: reason, disabled_at: context.now });
  await announce(db, context, "imagestore.webhook.disabled", next, {});
  return true;
}

const LOCK = `select ${WEBHOOK_COLUMNS.join(", ")} from webhooks where id = $1 for no key update`;

/** @throws StoreError `webhook_not_found` */
export async function lockWebhook(db: Driver, id: string): Promise<WebhookRow> {
  const row = await db.get<WebhookRow>(LOCK, [id]);
  if (row === undefined) throw webhookNotFound();
  return row;
}

function patchRow(row: WebhookRow, patch: WebhookPatch): WebhookRow {
  const { url = row.url, types, albums, description = row.description, paused, disabled } = patch;
  return {
    ...row,
    url,
    types: types === undefined ? row.types : types && JSON.stringify(types),
    albums: albums === undefined ? row.albums : JSON.stringify(albums),
    description,
    paused: paused === undefined ? row.paused : Number(paused),
    ...(disabled === null ? { disabled_reason: null, disabled_at: null } : {}),
  };
}

const UPDATE = `update webhooks set ${WEBHOOK_COLUMNS.map((column, index) => `${column} = $${index + 1}`).join(", ")}
  where id = $1`;

/** As the next revision. */
async function writeRow(db: Driver, context: ChangeContext, row: WebhookRow): Promise<WebhookRow> {
  const next = { ...row, revision: row.revision + 1, updated_at: touched(row, context) };
  await db.run(UPDATE, valuesOf(next));
  return next;
}

const valuesOf = (row: WebhookRow): SqlValue[] => WEBHOOK_COLUMNS.map((column) => row[column]);

type WebhookEventType = Extract<AuditEventType, `imagestore.webhook.${string}`>;

/** @param range of a replay */
export async function announce(
  db: Driver,
  context: ChangeContext,
  type: WebhookEventType,
  row: WebhookRow,
  origin: Requested,
  range?: { readonly from: string; readonly to: string | null },
): Promise<void> {
  const record = { ...toWebhook(row), ...range };
  const reason = type === "imagestore.webhook.disabled" ? "delivery-failed" : "user";
  await appendAuditEvent(db, context, { type, subject: subjectOfWebhook(row.id), record, origin, reason });
}

const statusOf = async (db: Driver, id: string): Promise<WebhookStatus> => (await findWebhook(db, id)) as WebhookStatus;
