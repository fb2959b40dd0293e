import type { Database } from "bun:sqlite";

/**
 * Who may do what. Secrets are kept as SHA-256 digests only. Grants, actors and fields are JSON. What is revoked keeps its row,
 * since events name it; what is `revoked_at` or past `expires_at` gives nothing.
 */
const SCHEMA = `
alter table albums add column public integer not null default 0;
-- Who asked for the deletion that goes on in chunks.
alter table albums add column deleted_by text;
alter table albums add column max_bytes integer;
alter table albums add column max_images integer;
create index albums_public on albums (id) where public = 1;
create index albums_limited on albums (id) where max_bytes is not null or max_images is not null;

-- The key whose quota counts the image.
alter table images add column charged_to text;
create index images_charged on images (charged_to, size) where charged_to is not null;

-- Of an event of the audit trail, which is of no album: album_id is then empty.
alter table events add column subject text;

create table keys (
  id text primary key,
  name text not null,
  sha256 text not null,
  grants text not null,
  revision integer not null,
  created_at integer not null,
  created_by text not null,
  expires_at integer,
  revoked_at integer,
  used_at integer
) strict, without rowid;
create index keys_created on keys (created_at, id);

-- uploads is a JSON array of what was uploaded with the ticket.
create table tickets (
  id text primary key,
  sha256 text not null,
  album_id text not null references albums (id) on delete cascade,
  name text,
  fields text,
  max_bytes integer,
  content_types text,
  files_left integer not null,
  uploads text not null,
  created_at integer not null,
  created_by text not null,
  charged_to text,
  expires_at integer not null
) strict, without rowid;
create index tickets_album on tickets (album_id, created_at, id);
create index tickets_expiring on tickets (expires_at, id);

create table shares (
  id text primary key,
  sha256 text not null,
  album_id text not null references albums (id) on delete cascade,
  label text,
  rights text not null,
  originals integer not null,
  uses integer not null default 0,
  created_at integer not null,
  created_by text not null,
  expires_at integer,
  revoked_at integer,
  used_at integer
) strict, without rowid;
create index shares_album on shares (album_id, id);

-- The caller of a session is its key or share as that is now (base_kind, base_id), or the caller that a token was.
create table sessions (
  id text primary key,
  sha256 text not null,
  base_kind text not null,
  base_id text,
  caller text,
  created_at integer not null,
  expires_at integer not null
) strict, without rowid;
create index sessions_expiring on sessions (expires_at, id);
create index sessions_base on sessions (base_kind, base_id, created_at, id);

-- Of the store and of keys (scope 'store', 'keys/<id>'), with what they have used. Those of albums are columns of albums. On
-- PostgreSQL a quota has several rows, which share its limits, with ceilings (changes/quota-shards.ts).
create table quotas (
  scope text not null,
  shard integer not null,
  max_bytes integer,
  max_images integer,
  bytes integer not null,
  images integer not null,
  ceiling_bytes integer not null default -9007199254740991,
  ceiling_images integer not null default -9007199254740991,
  primary key (scope, shard)
) strict, without rowid;

-- Grows with each change to keys, shares and sessions, so that a node notices the changes of others.
create table access_state (
  id integer primary key check (id = 1),
  revision integer not null
) strict;
insert into access_state (id, revision) values (1, 0);
`;

export function access(db: Database): void {
  db.run(SCHEMA);
}
