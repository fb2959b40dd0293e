import { StoreError } from "../../../domain/errors.ts";
import { encodeCursor, type LogState } from "../../../domain/event.ts";
import type { LogPoint, ReplayedRange, ReplayWebhook } from "../../../domain/webhook-changes.ts";
import type { Driver } from "../driver.ts";
import { startOf } from "../queries/events.ts";
import type { ChangeContext } from "./context.ts";
import { lockLog, positionBefore } from "./log.ts";
import { lockReaders, moveCursor, NEXT_GENERATION } from "./webhook-readers.ts";
import { announce, lockWebhook } from "./webhooks.ts";

export async function replayWebhook(db: Driver, context: ChangeContext, change: ReplayWebhook): Promise<ReplayedRange> {
  const { id, from, to } = change;
  const row = await lockWebhook(db, id);
  const log = await lockLog(db);
  const first = await sequenceOf(db, log, from);
  const last = to === null ? log.lastSequence : await sequenceOf(db, log, to);
  if (last < first) throw new StoreError("invalid_request", "The range ends before it begins.");
  await lockReaders(db, id);
  if (to === null) await rewind(db, context, id, first);
  else if (first < last) await beginReplay(db, context, id, { first, last });
  await moveCursor(db, context, id);
  const { epoch } = log;
  const range = { from: encodeCursor({ epoch, seq: first }), to: to && encodeCursor({ epoch, seq: last }) };
  await announce(db, context, "imagestore.webhook.replayed", row, change, range);
  return { epoch, from: first, to: last };
}

const sequenceOf = async (db: Driver, log: LogState, point: LogPoint): Promise<number> =>
  "time" in point ? positionBefore(db, log, point.time) : startOf(point, log);

/**
 * Events of an album that is blocked further back wait on; what is blocked behind the position is read again with it. Where the
 * deliveries have not come that far, they stay as they are: the worker goes on, and would not read again what is blocked.
 */
async function rewind(db: Driver, { now }: ChangeContext, id: string, position: number): Promise<void> {
  const moved = await db.run(
    `update webhook_readers set ${NEXT_GENERATION}, position = $3, failures = 0, retry_at = null
     where webhook_id = $1 and kind = 'live' and position > $3`,
    [id, now, position],
  );
  if (moved === 0) return;
  await db.run("delete from webhook_blocked_albums where webhook_id = $1 and kind = 'live' and seq > $2", [
    id,
    position,
  ]);
}

async function beginReplay(
  db: Driver,
  { now }: ChangeContext,
  id: string,
  { first, last }: { readonly first: number; readonly last: number },
): Promise<void> {
  const begun = await db.run(
    `insert into webhook_readers (webhook_id, kind, generation, position, until) values ($1, 'replay', $2, $3, $4)
     on conflict (webhook_id, kind) do nothing`,
    [id, now, first, last],
  );
  if (begun === 0)
    throw new StoreError("webhook_replaying", "The webhook is already replaying a range. Wait until that has ended.");
}
