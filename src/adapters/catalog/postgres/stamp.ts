import type { ClientBase, QueryResult } from "pg";

/** What others listen to. */
export const CHANNEL = "image_store_events";

/** Bounds how long one stamping holds up the next. */
export const STAMPED_AT_ONCE = 2000;

/**
 * Rows are found once, and then by where they lie, since nobody else touches what has no number. A join by anything else
 * would be planned for the one row without a number that statistics know of, and compare each row with all others.
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
 * Numbers the events that have none, in the order in which their albums' locks let them in. The counter is locked first,
 * and the rows are looked for by a later statement: that sees all that was stamped before, and a row that it does not see
 * yet is of an album whose later events it does not see either.
 *
 * All in one message, so that a node that is paused never sleeps with the counter locked.
 */
const STAMP = `
begin isolation level read committed read write;
select 1 from log_state where id = 1 for no key update;
${NUMBER_UNSTAMPED};
commit`;

/** Answers how many it numbered. After an error the connection is of no use: a transaction may be open. */
export async function stamp(client: ClientBase): Promise<number> {
  const results = (await client.query(STAMP)) as unknown as readonly QueryResult<{ events: number }>[];
  return results[2]?.rows[0]?.events ?? 0;
}

export async function anyUnstamped(client: ClientBase): Promise<boolean> {
  const { rows } = await client.query<{ any: boolean }>({
    name: "any-unstamped",
    text: "select exists (select 1 from events where seq is null) as any",
  });
  return rows[0]?.any === true;
}
