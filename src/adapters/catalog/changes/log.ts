import { StoreError } from "../../../domain/errors.ts";
import { encodeCursor, type LogPosition, type LogState } from "../../../domain/event.ts";
import type {
  AdvanceCursor,
  DeleteCursor,
  PruneEvents,
  RegisterCursor,
  RenewEpoch,
  RewindCursor,
} from "../../../domain/maintenance.ts";
import type { Driver } from "../driver.ts";
import { logState, startOf } from "../queries/events.ts";
import { appendAuditEvent } from "./append-event.ts";
import type { ChangeContext } from "./context.ts";
import { moveReadersBack, skipPruned, webhooksAmong } from "./webhook-readers.ts";

export async function registerCursor(db: Driver, context: ChangeContext, { name }: RegisterCursor) {
  const { epoch, prunedThrough } = await lockLog(db);
  await db.run("insert into cursors (name, seq, updated_at) values ($1, $2, $3) on conflict (name) do nothing", [
    name,
    prunedThrough,
    context.now,
  ]);
  const cursor = await db.get<CursorRow>(SELECT_CURSOR, [name]);
  return { seq: cursor?.seq ?? prunedThrough, epoch, version: cursor?.updated_at ?? 0 };
}

interface CursorRow {
  readonly seq: number;
  readonly updated_at: number;
}
const SELECT_CURSOR = "select seq, updated_at from cursors where name = $1";
/** It is the version of the cursor too, so it grows with each change, whatever the clock says. */
const LATER = "case when updated_at >= $3 then updated_at + 1 else $3 end";

export async function advanceCursor(db: Driver, context: ChangeContext, change: AdvanceCursor) {
  const { name, seq, version = null } = change;
  await db.run(
    `update cursors set seq = $2, updated_at = ${LATER}
     where name = $1 and seq < $2 and updated_at = coalesce($4, updated_at)`,
    [name, seq, context.now, version],
  );
  const cursor = await db.get<CursorRow>(SELECT_CURSOR, [name]);
  return {
    known: cursor !== undefined,
    rewound: cursor !== undefined && cursor.seq < seq,
    version: cursor?.updated_at ?? 0,
  };
}

export async function deleteCursor(db: Driver, _context: ChangeContext, { name }: DeleteCursor): Promise<null> {
  await requireOwnCursor(db, name, "Delete the webhook instead.");
  const deleted = await db.run("delete from cursors where name = $1", [name]);
  if (deleted === 0) throw cursorNotFound();
  return null;
}

export async function rewindCursor(db: Driver, context: ChangeContext, change: RewindCursor): Promise<LogPosition> {
  const { name, to } = change;
  await requireOwnCursor(db, name, "Replay the webhook instead.");
  // Until the transaction ends, no event behind the position is pruned.
  const log = await lockLog(db);
  const { epoch } = log;
  const cursor = await db.get<CursorRow>(`${SELECT_CURSOR} for no key update`, [name]);
  if (cursor === undefined) throw cursorNotFound();
  const wanted = "time" in to ? await positionBefore(db, log, to.time) : startOf(to, log);
  const seq = Math.min(wanted, cursor.seq);
  await db.run(`update cursors set seq = $2, updated_at = ${LATER} where name = $1`, [name, seq, context.now]);
  await appendAuditEvent(db, context, {
    type: "imagestore.cursor.rewound",
    subject: `cursors/${name}`,
    record: {
      name,
      cursor: encodeCursor({ epoch, seq }),
      previousCursor: encodeCursor({ epoch, seq: cursor.seq }),
    },
    origin: change,
  });
  return { epoch, seq };
}

/** How many events before a position may be as late as those behind it: times are not exactly in the order of numbers. */
const NEIGHBOURS = 1000;

/** The last position that has no event of that time or later before it. @throws StoreError `cursor_expired` */
export async function positionBefore(db: Driver, { epoch, prunedThrough, lastSequence }: LogState, time: number) {
  const firstAfter = (seq: number) =>
    db.get<{ seq: number; time: number }>("select seq, time from events where seq > $1 order by seq limit 1", [seq]);
  const oldest = await firstAfter(prunedThrough);
  if (prunedThrough > 0 && (oldest === undefined || oldest.time > time)) {
    const begins = oldest === undefined ? "has no events now" : `begins at ${new Date(oldest.time).toISOString()}`;
    throw new StoreError("cursor_expired", `The log ${begins}: earlier events are no longer kept.`, {
      members: { oldestCursor: encodeCursor({ epoch, seq: prunedThrough }) },
    });
  }
  let [low, high] = [prunedThrough, lastSequence];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const next = await firstAfter(middle);
    if (next !== undefined && next.time < time) low = next.seq;
    else high = middle;
  }
  for (;;) {
    const late = await db.get<{ seq: number | null }>(
      "select min(seq) as seq from events where seq > $1 and seq <= $2 and time >= $3",
      [low - NEIGHBOURS, low, time],
    );
    if (late?.seq == null) return low;
    low = late.seq - 1;
  }
}

/** The cursor of a webhook follows its deliveries. @throws StoreError `cursor_of_webhook` */
async function requireOwnCursor(db: Driver, name: string, remedy: string): Promise<void> {
  if (webhooksAmong([name]).length === 0) return;
  if ((await db.get("select 1 from cursors where name = $1", [name])) === undefined) return;
  throw new StoreError("cursor_of_webhook", `The cursor belongs to a webhook. ${remedy}`);
}

const cursorNotFound = () => new StoreError("cursor_not_found", "There is no such cursor.");

export async function renewEpoch(db: Driver, { now }: ChangeContext, { pauseWebhooks = false }: RenewEpoch) {
  await lockLog(db);
  if ((await db.get("select 1 from leases where until > $1 limit 1", [now])) !== undefined) return { epoch: null };
  const minutesSince1970 = Math.floor(now / 60_000);
  await db.run("update log_state set epoch = case when epoch >= $1 then epoch + 1 else $1 end where id = 1", [
    minutesSince1970,
  ]);
  const { epoch, lastSequence } = await logState(db);
  await db.run("update cursors set seq = $1 where seq > $1", [lastSequence]);
  await moveReadersBack(db, lastSequence);
  if (pauseWebhooks) await db.run(PAUSE_WEBHOOKS, [now]);
  return { epoch };
}

/** No event: who reads the log takes a new listing in the new epoch. */
const PAUSE_WEBHOOKS = `update webhooks set paused = 1, revision = revision + 1,
  updated_at = case when updated_at > $1 then updated_at else $1 end where paused = 0`;

/** Until the transaction ends, no other one numbers events, prunes them or registers a cursor. */
export async function lockLog(db: Driver): Promise<LogState> {
  await db.get("select 1 from log_state where id = 1 for no key update");
  return logState(db);
}

/** Deletes the oldest events one by one, up to the first that must stay. */
export async function pruneEvents(db: Driver, context: ChangeContext, change: PruneEvents) {
  const { retention, maxBytes, limit } = change;
  const olderThan = retention === null ? null : context.now - retention;
  const { prunedThrough, bytes } = await lockLog(db);
  const slowest = await db.get<{ seq: number | null }>("select min(seq) as seq from cursors");
  const passedByAll = slowest?.seq ?? Number.MAX_SAFE_INTEGER;
  const rows = await db.all<{ seq: number; time: number; bytes: number }>(
    "select seq, time, octet_length(data) as bytes from events where seq > $1 order by seq limit $2",
    [prunedThrough, limit],
  );

  let kept = bytes;
  const stays = (row: (typeof rows)[number]) => {
    const tooMuch = maxBytes !== null && kept > maxBytes;
    const done = olderThan !== null && row.time < olderThan && row.seq <= passedByAll;
    return !tooMuch && !done;
  };
  let pruned = 0;
  for (const row of rows) {
    if (stays(row)) break;
    kept -= row.bytes;
    pruned += 1;
  }
  const last = rows[pruned - 1];
  if (last === undefined) return { pruned: 0, droppedCursors: [], more: false };

  await db.run("delete from events where seq > $1 and seq <= $2", [prunedThrough, last.seq]);
  await db.run("update log_state set floor = $1, bytes = $2 where id = 1", [last.seq, kept]);
  const givenUp = await db.all<{ name: string }>("delete from cursors where seq < $1 returning name", [last.seq]);
  const droppedCursors = givenUp.map(({ name }) => name);
  await skipPruned(db, context, webhooksAmong(droppedCursors), last.seq);
  return { pruned, droppedCursors, more: pruned === limit };
}
