import type { Actor, EventType, LogState } from "../../../domain/event.ts";
import type { Page } from "../../../domain/page.ts";
import type { DisabledReason, Webhook, WebhookSecret, WebhookStatus } from "../../../domain/webhook.ts";
import type { WebhookCatalog } from "../../../ports/webhooks.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { toTime } from "../rows.ts";
import { logState } from "./events.ts";

export interface WebhookRow {
  readonly id: string;
  readonly url: string;
  readonly types: string | null;
  readonly albums: string;
  readonly description: string | null;
  readonly secrets: string;
  readonly paused: number;
  readonly disabled_reason: DisabledReason | null;
  readonly disabled_at: number | null;
  readonly revision: number;
  readonly created_at: number;
  readonly created_by: string;
  readonly updated_at: number;
}

export const WEBHOOK_COLUMNS = [
  "id",
  "url",
  "types",
  "albums",
  "description",
  "secrets",
  "paused",
  "disabled_reason",
  "disabled_at",
  "revision",
  "created_at",
  "created_by",
  "updated_at",
] as const satisfies readonly (keyof WebhookRow)[];
/** Of the table `w`. */
export const OWN_COLUMNS = WEBHOOK_COLUMNS.map((column) => `w.${column}`).join(", ");

export const toWebhook = (row: WebhookRow): Webhook => ({
  id: row.id,
  url: row.url,
  types: row.types === null ? null : (JSON.parse(row.types) as EventType[]),
  albums: JSON.parse(row.albums) as Webhook["albums"],
  description: row.description,
  paused: row.paused === 1,
  disabled:
    row.disabled_reason === null || row.disabled_at === null
      ? null
      : { reason: row.disabled_reason, at: toTime(row.disabled_at) },
  revision: row.revision,
  createdAt: toTime(row.created_at),
  updatedAt: toTime(row.updated_at),
  createdBy: JSON.parse(row.created_by) as Actor,
});

export const secretsOf = ({ secrets }: Pick<WebhookRow, "secrets">): readonly WebhookSecret[] =>
  JSON.parse(secrets) as WebhookSecret[];

const toTimeOrNull = (milliseconds: number | null): string | null =>
  milliseconds === null ? null : toTime(milliseconds);

interface StatusRow extends WebhookRow {
  readonly position: number;
  readonly failing_since: number | null;
  readonly retry_at: number | null;
  readonly lost_events_at: number | null;
  readonly replay_position: number | null;
  readonly replay_until: number | null;
  readonly blocked_albums: number;
}

const SELECT_STATUS = `select ${OWN_COLUMNS}, l.position, l.failing_since, l.retry_at, l.lost_events_at,
    r.position as replay_position, r.until as replay_until,
    (select count(*) from webhook_blocked_albums b where b.webhook_id = w.id) as blocked_albums
  from webhooks w
  join webhook_readers l on l.webhook_id = w.id and l.kind = 'live'
  left join webhook_readers r on r.webhook_id = w.id and r.kind = 'replay'`;

export async function findWebhook(db: Driver, id: string): Promise<WebhookStatus | undefined> {
  const log = await logState(db);
  const row = await db.get<StatusRow>(`${SELECT_STATUS} where w.id = $1`, [id]);
  return row && toStatus(row, log);
}

export async function findSecrets(db: Driver, id: string): Promise<readonly WebhookSecret[] | undefined> {
  const row = await db.get<Pick<WebhookRow, "secrets">>("select secrets from webhooks where id = $1", [id]);
  return row && secretsOf(row);
}

export async function listWebhooks(
  db: Driver,
  { limit, start }: Parameters<WebhookCatalog["webhooks"]>[0],
): Promise<Page<WebhookStatus>> {
  const log = await logState(db);
  const watermark = start?.watermark ?? { epoch: log.epoch, seq: log.lastSequence };
  const after: SqlValue[] = start === undefined ? [] : [start.after.key, start.after.id];
  const rows = await db.all<StatusRow>(
    `${SELECT_STATUS} ${start === undefined ? "" : "where (w.created_at, w.id) > ($2, $3)"}
     order by w.created_at, w.id limit $1`,
    [limit + 1, ...after],
  );
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return {
    items: items.map((row) => toStatus(row, log)),
    next: last && { after: { key: last.created_at, id: last.id }, watermark },
    watermark,
  };
}

function toStatus(row: StatusRow, { epoch, lastSequence }: LogState): WebhookStatus {
  const former = secretsOf(row).flatMap(({ until }) => (until === null ? [] : [until]));
  return {
    ...toWebhook(row),
    formerSecretsUntil: former.length === 0 ? null : toTime(Math.max(...former)),
    delivery: {
      position: { epoch, seq: row.position },
      lagEvents: Math.max(0, lastSequence - row.position),
      blockedAlbums: row.blocked_albums,
      failingSince: toTimeOrNull(row.failing_since),
      retryAt: toTimeOrNull(row.retry_at),
      lostEventsAt: toTimeOrNull(row.lost_events_at),
      replay:
        row.replay_position === null || row.replay_until === null
          ? null
          : { position: { epoch, seq: row.replay_position }, until: { epoch, seq: row.replay_until } },
    },
  };
}
