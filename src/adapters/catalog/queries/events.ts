import { StoreError } from "../../../domain/errors.ts";
import { encodeCursor, type LogPosition, type StoredEvent } from "../../../domain/event.ts";
import type { DurableCursor, EventBatch, EventQuery, LogState } from "../../../ports.ts";
import type { Driver, SqlValue } from "../driver.ts";

/** How much of the log a filtered read looks through at most before it answers with what it found. */
export const EVENT_WINDOW = 5000;

/** From the counter and the kept prefix, never from `max(seq)`: the log may be empty, and goes on where it was. */
export async function logState(db: Driver): Promise<LogState> {
  const state = await db.get<LogState>("select epoch, floor, head, bytes from log_state where id = 1");
  return state as LogState;
}

interface EventRow extends Omit<StoredEvent, "albumId" | "imageId"> {
  readonly album_id: string;
  readonly image_id: string | null;
}

export async function readEvents(db: Driver, query: EventQuery): Promise<EventBatch> {
  const log = await logState(db);
  const { epoch, head } = log;
  const after = startOf(query.after, log);
  const { types, albumId, limit } = query;
  const filtered = types !== undefined || albumId !== undefined;
  const windowEnd = filtered ? Math.min(after + EVENT_WINDOW, head) : head;

  const values: SqlValue[] = [after, windowEnd, limit];
  const bind = (value: SqlValue) => `$${values.push(value)}`;
  let conditions = "seq > $1 and seq <= $2";
  if (albumId !== undefined) conditions += ` and album_id = ${bind(albumId)}`;
  if (types !== undefined) conditions += ` and type in (${types.map(bind).join(", ")})`;
  const rows = await db.all<EventRow>(
    `select seq, id, type, album_id, image_id, time, traceparent, data from events
     where ${conditions} order by seq limit $3`,
    values,
  );

  const full = rows.length === limit;
  const seq = full ? (rows.at(-1)?.seq ?? after) : windowEnd;
  return { events: rows.map(toEvent), next: { epoch, seq }, atEnd: seq === head };
}

function startOf(after: LogPosition | undefined, { epoch, floor, head }: LogState): number {
  if (after === undefined) return floor;
  if (after.epoch !== epoch || after.seq > head)
    throw new StoreError("cursor_unknown", "The cursor is not one of this log. List again, then follow from there.");
  if (after.seq < floor)
    throw new StoreError("cursor_expired", "The events after this cursor are no longer kept.", {
      members: { oldestCursor: encodeCursor({ epoch, seq: floor }) },
    });
  return after.seq;
}

const toEvent = ({ album_id, image_id, ...event }: EventRow): StoredEvent => ({
  ...event,
  albumId: album_id,
  imageId: image_id,
});

/** `now` in milliseconds since 1970. */
export async function listCursors(db: Driver, now: number): Promise<readonly DurableCursor[]> {
  const { epoch, head } = await logState(db);
  const rows = await db.all<{ name: string; seq: number; updated_at: number; oldest: number | null }>(
    `select name, seq, updated_at,
       (select time from events where events.seq > cursors.seq order by events.seq limit 1) as oldest
     from cursors order by name`,
  );
  return rows.map(({ name, seq, updated_at, oldest }) => ({
    name,
    seq,
    epoch,
    lagEvents: Math.max(0, head - seq),
    lagSeconds: oldest === null ? 0 : Math.max(0, (now - oldest) / 1000),
    updatedAt: new Date(updated_at).toISOString(),
  }));
}
