import type { BlockedAlbum, ReaderKind, WebhookReader, WebhookToDeliver } from "../../../domain/webhook.ts";
import type { Driver } from "../driver.ts";
import { OWN_COLUMNS, secretsOf, toWebhook, type WebhookRow } from "./webhooks.ts";

interface ReaderRow {
  readonly webhook_id: string;
  readonly kind: ReaderKind;
  readonly generation: number;
  readonly position: number;
  readonly until: number | null;
  readonly failures: number;
  readonly failing_since: number | null;
  readonly retry_at: number | null;
}

interface BlockedRow {
  readonly webhook_id: string;
  readonly kind: ReaderKind;
  readonly album_id: string;
  readonly seq: number;
  readonly attempts: number;
  readonly next_attempt_at: number;
  readonly failing_since: number;
}

export async function webhooksToDeliver(db: Driver, ids?: readonly string[]): Promise<readonly WebhookToDeliver[]> {
  const values = ids === undefined ? [] : [JSON.stringify(ids)];
  const among = (column: string) =>
    ids === undefined ? "" : ` and ${column} in (select value from ${db.elementsOf("$1")} ids)`;
  const active = "w.paused = 0 and w.disabled_at is null";
  const rows = await db.all<WebhookRow>(
    `select ${OWN_COLUMNS} from webhooks w where ${active}${among("w.id")} order by w.id`,
    values,
  );
  const readers = await db.all<ReaderRow>(
    `select r.webhook_id, r.kind, r.generation, r.position, r.until, r.failures, r.failing_since, r.retry_at
     from webhook_readers r join webhooks w on w.id = r.webhook_id where ${active}${among("w.id")}
     order by r.webhook_id, r.kind`,
    values,
  );
  const blocked = await db.all<BlockedRow>(
    `select b.webhook_id, b.kind, b.album_id, b.seq, b.attempts, b.next_attempt_at, b.failing_since
     from webhook_blocked_albums b join webhooks w on w.id = b.webhook_id where ${active}${among("w.id")}
     order by b.webhook_id, b.kind, b.seq`,
    values,
  );
  const blockedOf = Map.groupBy(blocked, ({ webhook_id, kind }) => `${webhook_id} ${kind}`);
  const readersOf = Map.groupBy(readers, ({ webhook_id }) => webhook_id);
  return rows.map((row) => ({
    webhook: toWebhook(row),
    secrets: secretsOf(row),
    readers: (readersOf.get(row.id) ?? []).map((reader) =>
      toReader(reader, blockedOf.get(`${reader.webhook_id} ${reader.kind}`) ?? []),
    ),
  }));
}

const toReader = (row: ReaderRow, blocked: readonly BlockedRow[]): WebhookReader => ({
  webhookId: row.webhook_id,
  kind: row.kind,
  generation: row.generation,
  position: row.position,
  until: row.until,
  failures: row.failures,
  failingSince: row.failing_since,
  retryAt: row.retry_at,
  blocked: blocked.map(toBlocked),
});

const toBlocked = (row: BlockedRow): BlockedAlbum => ({
  albumId: row.album_id,
  seq: row.seq,
  attempts: row.attempts,
  nextAttemptAt: row.next_attempt_at,
  failingSince: row.failing_since,
});
