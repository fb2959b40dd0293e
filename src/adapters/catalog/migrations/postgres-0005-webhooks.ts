/** SQLite's 0007. */
export const WEBHOOKS = `
create table webhooks (
  id text collate "C" primary key,
  url text not null,
  types text,
  albums text not null,
  description text,
  secrets text not null,
  paused integer not null,
  disabled_reason text collate "C",
  disabled_at bigint,
  revision bigint not null,
  created_at bigint not null,
  created_by text not null,
  updated_at bigint not null
);
create index webhooks_created on webhooks (created_at, id);

create table webhook_readers (
  webhook_id text collate "C" not null references webhooks (id) on delete cascade,
  kind text collate "C" not null check (kind in ('live', 'replay')),
  generation bigint not null,
  position bigint not null,
  until bigint,
  failures bigint not null default 0,
  failing_since bigint,
  retry_at bigint,
  lost_events_at bigint,
  primary key (webhook_id, kind)
);

create table webhook_blocked_albums (
  webhook_id text collate "C" not null,
  kind text collate "C" not null,
  album_id text collate "C" not null,
  seq bigint not null,
  attempts bigint not null,
  next_attempt_at bigint not null,
  failing_since bigint not null,
  primary key (webhook_id, kind, album_id),
  foreign key (webhook_id, kind) references webhook_readers (webhook_id, kind) on delete cascade
);

create table webhook_deliveries (
  webhook_id text collate "C" not null references webhooks (id) on delete cascade,
  id text collate "C" not null,
  event_id text collate "C" not null,
  type text collate "C" not null,
  seq bigint not null,
  replay integer not null,
  attempt bigint not null,
  started_at bigint not null,
  milliseconds bigint not null,
  delivered integer not null,
  status integer,
  error text collate "C",
  error_detail text,
  response text not null,
  primary key (webhook_id, id)
);
`;
