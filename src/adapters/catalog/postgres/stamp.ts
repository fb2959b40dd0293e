import type { ClientBase, QueryResult } from "pg";
import type { UnnumberedEvents } from "../../../domain/event.ts";
import type { Driver } from "../driver.ts";

/** Channel of the notifications that events became readable. */
export const CHANNEL = "image_store_events";

/** Events that are numbered in one transaction; it blocks the numbering of other nodes. */
export const STAMPED_AT_ONCE = 2000;
/** Events without a number are counted up to this. */
const MAX_COUNTED = 10_000;

/**
 * Rows are found once and then addressed by ctid, which is stable: nothing else updates an event without a number. A join by
 * another column would be planned for the one unnumbered row that statistics expect, and compare each row with all others.
 */
export const NUMBER_UNSTAMPED = `
with unstamped as materialized (
  select place, bytes, row_number() over (order by row_no) as number
  from (select ctid as place, row_no, octet_length(data) as bytes from events where seq is null
        order by row_no limit ${STAMPED_AT_ONCE}) oldest
), stamped as (
  update events set seq = log_state.head + unstamped.number
  from unstamped, log_state
  where events.ctid = unstamped.place and log_state.id = 1
  returning unstamped.bytes
), counted as (
  update log_state set head = head + sums.events, bytes = log_state.bytes + sums.bytes
  from (select count(*) as events, coalesce(sum(bytes), 0) as bytes from stamped) sums
  where id = 1 and sums.events > 0
  returning sums.events
)
select events, pg_notify('${CHANNEL}', '') from counted`;

/**
 * Numbers the events that have none, in the order in which their albums' locks admitted them. The first statement locks the
 * counter, and a later one finds the rows: so it sees every event that was numbered before, and if it does not yet see an
 * event, it sees no later event of the same album either.
 *
 * All statements are one message, so a paused node never holds the counter's lock.
 */
const STAMP = `
begin isolation level read committed;
select 1 from log_state where id = 1 for no key update;
${NUMBER_UNSTAMPED};
commit`;

/** Returns how many events it numbered. After an error the connection must be closed: a transaction may be open. */
export async function stamp(client: ClientBase): Promise<number> {
  const results = (await client.query(STAMP)) as unknown as readonly QueryResult<{ events: number }>[];
  return results[2]?.rows[0]?.events ?? 0;
}

/** The settings of the database and its roles. A session keeps those that held when it began. */
export async function settingsOf(client: ClientBase): Promise<string> {
  const { rows } = await client.query<{ settings: string | null }>({
    name: "settings",
    text: `select string_agg(setrole || setconfig::text, ' ' order by setdatabase, setrole) as settings
      from pg_db_role_setting
      where setdatabase in (0, (select oid from pg_database where datname = current_database()))`,
  });
  return rows[0]?.settings ?? "";
}

export async function anyUnstamped(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ any: boolean }>({
    name: "any-unstamped",
    text: "select exists (select 1 from events where seq is null) as any",
  });
  return rows[0]?.any === true;
}

/** Events that were committed and have no number yet, so no reader sees them. Counts up to {@link MAX_COUNTED}. */
export async function unnumberedEvents(db: Driver): Promise<UnnumberedEvents> {
  const found = await db.get<UnnumberedEvents>(
    `select count(*) as events, min(time) as oldest
     from (select time from events where seq is null order by row_no limit ${MAX_COUNTED}) unnumbered`,
  );
  return found as UnnumberedEvents;
}
