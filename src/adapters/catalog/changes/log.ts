import { StoreError } from "../../../domain/errors.ts";
import type { LogState } from "../../../domain/event.ts";
import type {
  AdvanceCursor,
  DeleteCursor,
  PruneEvents,
  RegisterCursor,
  RenewEpoch,
} from "../../../domain/maintenance.ts";
import type { Driver } from "../driver.ts";
import { logState } from "../queries/events.ts";
import type { ChangeContext } from "./context.ts";

export async function registerCursor(db: Driver, context: ChangeContext, { name }: RegisterCursor) {
  const { epoch, prunedThrough } = await lockLog(db);
  await db.run("insert into cursors (name, seq, updated_at) values ($1, $2, $3) on conflict (name) do nothing", [
    name,
    prunedThrough,
    context.now,
  ]);
  const cursor = await db.get<{ seq: number }>("select seq from cursors where name = $1", [name]);
  return { seq: cursor?.seq ?? prunedThrough, epoch };
}

export async function advanceCursor(db: Driver, context: ChangeContext, { name, seq }: AdvanceCursor) {
  await db.run("update cursors set seq = $2, updated_at = $3 where name = $1 and seq < $2", [name, seq, context.now]);
  const known = await db.get("select 1 from cursors where name = $1", [name]);
  return { known: known !== undefined };
}

export async function deleteCursor(db: Driver, _context: ChangeContext, { name }: DeleteCursor): Promise<null> {
  const deleted = await db.run("delete from cursors where name = $1", [name]);
  if (deleted === 0) throw new StoreError("cursor_not_found", "There is no such cursor.");
  return null;
}

export async function renewEpoch(db: Driver, { now }: ChangeContext, _change: RenewEpoch) {
  await lockLog(db);
  if ((await db.get("select 1 from leases where until > $1 limit 1", [now])) !== undefined) return { epoch: null };
  const minutesSince1970 = Math.floor(now / 60_000);
  await db.run("update log_state set epoch = case when epoch >= $1 then epoch + 1 else $1 end where id = 1", [
    minutesSince1970,
  ]);
  const { epoch, lastSequence } = await logState(db);
  await db.run("update cursors set seq = $1 where seq > $1", [lastSequence]);
  return { epoch };
}

/** Until the transaction ends, no other one numbers events, prunes them or registers a cursor. */
export async function lockLog(db: Driver): Promise<LogState> {
  await db.get("select 1 from log_state where id = 1 for no key update");
  return logState(db);
}

/** Deletes the oldest events one by one, up to the first that must stay. */
export async function pruneEvents(db: Driver, { now }: ChangeContext, change: PruneEvents) {
  const { retention, maxBytes, limit } = change;
  const olderThan = retention === null ? null : now - retention;
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
  return { pruned, droppedCursors: givenUp.map(({ name }) => name), more: pruned === limit };
}
