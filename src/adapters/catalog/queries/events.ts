import { StoreError } from "../../../domain/errors.ts";
import {
  type DurableCursor,
  EVENT_TYPES,
  encodeCursor,
  isAuditType,
  type LogPosition,
  type LogState,
  type StoredEvent,
  type UnnumberedEvents,
} from "../../../domain/event.ts";
import type { AlbumSet } from "../../../domain/visibility.ts";
import type { EventBatch, EventQuery } from "../../../ports.ts";
import { type Driver, recurringStatement, type SqlValue } from "../driver.ts";
import { withCurrentNames } from "../rows.ts";
import { WINDOW } from "./ranges.ts";
import { visibleCondition } from "./visibility.ts";

/** Reads the stored counters and not `max(seq)`: an empty log goes on with the number after its last one. */
const LOG_STATE = recurringStatement(
  'select epoch, floor as "prunedThrough", head as "lastSequence", bytes from log_state where id = 1',
);

export async function logState(db: Driver): Promise<LogState> {
  return (await db.get<LogState>(LOG_STATE)) as LogState;
}

/**
 * An index serves every filter, so each type reads no more rows than it returns, however rare its events are. Events that a
 * reader may not see are passed over one by one, at most a window of them.
 */
export async function readEvents(db: Driver, query: EventQuery): Promise<EventBatch> {
  const log = await logState(db);
  const { epoch, lastSequence } = log;
  const after = startOf(query.after, log);
  const { audit = false, limit, visibility } = query;
  const types = audit ? query.types : query.types?.filter((type) => !isAuditType(type));
  if (types?.length === 0) return { events: [], next: { epoch, seq: lastSequence }, atEnd: true };
  const wanted = { ...query, audit, types };
  const byIndex = albumsByIndex(wanted);
  const end = byIndex === undefined ? Math.min(lastSequence, after + walkOf(wanted)) : lastSequence;
  const range = [after, end, limit] as const;
  const { sql, values } =
    visibility === "all" || byIndex !== undefined
      ? selectEvents(wanted, range, db, byIndex)
      : selectVisibleEvents({ ...wanted, visibility }, range, db);
  const rows = await db.all<StoredEvent>(sql, values);

  const full = rows.length === limit;
  const seq = full ? (rows.at(-1)?.seq ?? after) : end;
  return { events: rows.map(toEvent), next: { epoch, seq }, atEnd: seq === lastSequence };
}

/** Ids whose events are read by the index, since they are all that the reader sees and few; else undefined. */
function albumsByIndex({ audit, visibility, albumId }: EventQuery): readonly string[] | undefined {
  if (visibility === "all" || audit === true || visibility.names.length > 0) return undefined;
  const ids = albumId === undefined ? visibility.ids : visibility.ids.filter((id) => id === albumId);
  return ids.length > 0 && ids.length <= MAX_INDEXED_ALBUMS ? ids : undefined;
}
/** An engine takes 500 parts of a query, and each album has one for each of the six types. */
const MAX_INDEXED_ALBUMS = 50;

/** How many events it may pass over one by one. */
function walkOf({ audit, visibility, types, albumId, exceptAlbums, limit }: EventQuery): number {
  if (visibility !== "all") return WINDOW;
  if (exceptAlbums !== undefined) return limit + WINDOW;
  return audit === true || types !== undefined || albumId !== undefined ? Infinity : limit + WINDOW;
}

const EVENT_COLUMNS =
  'e.seq, e.id, e.type, e.album_id as "albumId", e.image_id as "imageId", e.subject, e.time, e.traceparent, e.data';

/** @param range exclusive first `seq`, inclusive last `seq`, limit */
function selectEvents(
  { audit = false, types, albumId, exceptAlbums }: EventQuery,
  range: readonly [number, number, number],
  db: Driver,
  albumIds: readonly (string | undefined)[] = [albumId],
) {
  const values: SqlValue[] = [...range];
  const bind = (value: SqlValue) => `$${values.push(value)}`;
  const others =
    exceptAlbums === undefined
      ? ""
      : `album_id not in (select k.value from ${db.elementsOf(bind(JSON.stringify(exceptAlbums)))} k) and `;
  const inRange = `${others}seq > $1 and seq <= $2 order by seq limit $3`;
  if (types === undefined && albumIds[0] === undefined)
    return {
      sql: `select ${EVENT_COLUMNS} from events e where ${audit ? "" : "subject is null and "}${inRange}`,
      values,
    };

  const all = audit ? EVENT_TYPES : EVENT_TYPES.filter((type) => !isAuditType(type));
  // One subquery for each type: the index orders events within a type only.
  const ofEachType = albumIds.flatMap((id, album) => {
    const ofAlbum = id === undefined ? "" : `album_id = ${bind(id)} and `;
    return [...new Set(types ?? all)].map(
      (type, index) =>
        `select seq from (select seq from events where ${ofAlbum}type = ${bind(type)} and ${inRange}) t${album}_${index}`,
    );
  });
  const found = `select seq from (${ofEachType.join(" union all ")}) found order by seq limit $3`;
  return {
    sql: `select ${EVENT_COLUMNS} from (${found}) f cross join events e where e.seq = f.seq order by f.seq`,
    values,
  };
}

/**
 * One after another, and no more than a window of them: names of albums are in no index of the log. An album goes by the
 * name that it had when the event was written.
 */
function selectVisibleEvents(
  { audit = false, types, albumId, visibility }: EventQuery & { readonly visibility: AlbumSet },
  range: readonly [number, number, number],
  db: Driver,
) {
  const values: SqlValue[] = [...range];
  const bind = (value: SqlValue) => `$${values.push(value)}`;
  const name = `case when e.image_id is null then ${db.memberOf("e.data", "name")} else ${db.memberOf("e.data", "album")} end`;
  const visible = visibleCondition(visibility, { id: "e.album_id || ''", name: `(${name})` }, bind);
  const conditions = [
    "e.seq > $1 and e.seq <= $2",
    audit ? `(e.subject is not null or ${visible})` : `e.subject is null and ${visible}`,
    ...(albumId === undefined ? [] : [`e.album_id || '' = ${bind(albumId)}`]),
    ...(types === undefined ? [] : [`e.type || '' in (${types.map(bind).join(", ")})`]),
  ];
  return {
    sql: `select ${EVENT_COLUMNS} from events e where ${conditions.join(" and ")} order by e.seq limit $3`,
    values,
  };
}

/** @throws StoreError `cursor_unknown`, `cursor_expired` */
export function startOf(after: LogPosition | undefined, { epoch, prunedThrough, lastSequence }: LogState): number {
  if (after === undefined) return prunedThrough;
  if (after.epoch !== epoch || after.seq > lastSequence)
    throw new StoreError(
      "cursor_unknown",
      "The cursor does not belong to this log. List again, then follow events from there.",
    );
  if (after.seq < prunedThrough)
    throw new StoreError("cursor_expired", "The events after this cursor are no longer kept.", {
      members: { oldestCursor: encodeCursor({ epoch, seq: prunedThrough }) },
    });
  return after.seq;
}

function toEvent(event: StoredEvent): StoredEvent {
  const data = withCurrentNames(event.data);
  return data === event.data ? event : { ...event, data };
}

/** `now` in milliseconds since 1970. */
export async function listCursors(
  db: Driver,
  now: number,
  unnumbered: UnnumberedEvents,
  only?: string,
): Promise<readonly DurableCursor[]> {
  const { epoch, lastSequence } = await logState(db);
  const rows = await db.all<{ name: string; seq: number; updated_at: number; oldest: number | null }>(
    `select name, seq, updated_at,
       (select time from events where events.seq > cursors.seq order by events.seq limit 1) as oldest
     from cursors ${only === undefined ? "order by name" : "where name = $1"}`,
    only === undefined ? [] : [only],
  );
  return rows.map(({ name, seq, updated_at, oldest }) => ({
    name,
    seq,
    epoch,
    version: updated_at,
    lagEvents: Math.max(0, lastSequence - seq) + unnumbered.events,
    lagSeconds: secondsSince(oldest ?? unnumbered.oldest, now),
    updatedAt: new Date(updated_at).toISOString(),
  }));
}

/** Both in milliseconds since 1970. */
export const secondsSince = (time: number | null, now: number): number =>
  time === null ? 0 : Math.max(0, (now - time) / 1000);
