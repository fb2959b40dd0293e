import type { Database } from "bun:sqlite";

/** Types, albums, actors, secrets are JSON. Secrets are kept as they are, since they sign. */
const SCHEMA = `
create table webhooks (
  id text primary key,
  url text not null,
  types text,
  albums text not null,
  description text,
  secrets text not null,
  paused integer not null,
  disabled_reason text,
  disabled_at integer,
  revision integer not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer not null
) strict, without rowid;
create index webhooks_created on webhooks (created_at, id);

-- A webhook has a durable cursor 'webhook:<id>' at the lowest position that its readers need.
create table webhook_readers (
  webhook_id text not null references webhooks (id) on delete cascade,
  kind text not null check (kind in ('live', 'replay')),
  generation integer not null,
  position integer not null,
  until integer,
  failures integer not null default 0,
  failing_since integer,
  retry_at integer,
  lost_events_at integer,
  primary key (webhook_id, kind)
) strict, without rowid;

-- Events of the album from seq on wait for the retry of the first of them. album_id is empty for events of no album.
create table webhook_blocked_albums (
  webhook_id text not null,
  kind text not null,
  album_id text not null,
  seq integer not null,
  attempts integer not null,
  next_attempt_at integer not null,
  failing_since integer not null,
  primary key (webhook_id, kind, album_id),
  foreign key (webhook_id, kind) references webhook_readers (webhook_id, kind) on delete cascade
) strict, without rowid;

create table webhook_deliveries (
  webhook_id text not null references webhooks (id) on delete cascade,
  id text not null,
  event_id text not null,
  type text not null,
  seq integer not null,
  replay integer not null,
  attempt integer not null,
  started_at integer not null,
  milliseconds integer not null,
  delivered integer not null,
  status integer,
  error text,
  error_detail text,
  response text not null,
  primary key (webhook_id, id)
) strict, without rowid;
`;

export function webhooks(db: Database): void {
  db.run(SCHEMA);
}
