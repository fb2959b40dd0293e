import type { EventType } from "../../../domain/event.ts";
import type { Page } from "../../../domain/page.ts";
import type { DeliveryAttempt } from "../../../domain/webhook.ts";
import type { DeliveryQuery } from "../../../ports/webhooks.ts";
import type { Driver } from "../driver.ts";
import { logState } from "./events.ts";

export interface DeliveryRow {
  readonly webhook_id: string;
  readonly id: string;
  readonly event_id: string;
  readonly type: EventType;
  readonly seq: number;
  readonly replay: number;
  readonly attempt: number;
  readonly started_at: number;
  readonly milliseconds: number;
  readonly delivered: number;
  readonly status: number | null;
  readonly error: string | null;
  readonly error_detail: string | null;
  readonly response: string;
}

export const DELIVERY_COLUMNS = [
  "webhook_id",
  "id",
  "event_id",
  "type",
  "seq",
  "replay",
  "attempt",
  "started_at",
  "milliseconds",
  "delivered",
  "status",
  "error",
  "error_detail",
  "response",
] as const satisfies readonly (keyof DeliveryRow)[];

export async function listDeliveries(
  db: Driver,
  { webhookId, limit, start }: DeliveryQuery,
): Promise<Page<DeliveryAttempt>> {
  const { epoch, lastSequence } = await logState(db);
  const watermark = start?.watermark ?? { epoch, seq: lastSequence };
  const rows = await db.all<DeliveryRow>(
    `select ${DELIVERY_COLUMNS.join(", ")} from webhook_deliveries
     where webhook_id = $1${start === undefined ? "" : " and id < $3"} order by id desc limit $2`,
    [webhookId, limit + 1, ...(start === undefined ? [] : [start.after.id])],
  );
  const items = rows.slice(0, limit);
  const last = rows.length > limit ? items.at(-1) : undefined;
  return {
    items: items.map(toAttempt),
    next: last && { after: { key: last.started_at, id: last.id }, watermark },
    watermark,
  };
}

const toAttempt = (row: DeliveryRow): DeliveryAttempt => ({
  id: row.id,
  eventId: row.event_id,
  type: row.type,
  seq: row.seq,
  replay: row.replay === 1,
  attempt: row.attempt,
  startedAt: row.started_at,
  milliseconds: row.milliseconds,
  delivered: row.delivered === 1,
  status: row.status,
  error: row.error === null ? null : { code: row.error, detail: row.error_detail ?? "" },
  response: row.response,
});
