import type { Database } from "bun:sqlite";

/**
 * Albums, images, the log, and who owns which bytes. The `name` columns compare byte by byte (SQLite's default), which
 * for UTF-8 is the order of code points.
 */
const SCHEMA = `
create table store (
  id integer primary key check (id = 1),
  store_id text not null
) strict;

create table albums (
  id text primary key,
  name text not null,
  title text,
  description text,
  metadata text not null,
  state text not null default 'live' check (state in ('live', 'deleting')),
  image_count integer not null default 0,
  byte_count integer not null default 0,
  revision integer not null,
  created_at integer not null,
  updated_at integer not null
) strict;
create unique index albums_name on albums (name) where state = 'live';
create index albums_created on albums (created_at, id) where state = 'live';
create index albums_updated on albums (updated_at, id) where state = 'live';
create index albums_deleting on albums (id) where state = 'deleting';

create table images (
  id text primary key,
  album_id text not null references albums (id),
  name text not null,
  title text,
  description text,
  metadata text not null,
  tags text not null,
  content_type text not null,
  size integer not null,
  sha256 text not null,
  width integer not null,
  height integer not null,
  frames integer not null,
  has_alpha integer not null,
  orientation integer not null,
  revision integer not null,
  created_at integer not null,
  updated_at integer not null
) strict;
create unique index images_album_name on images (album_id, name);
create index images_album_created on images (album_id, created_at, id);
create index images_album_updated on images (album_id, updated_at, id);
create index images_name on images (name, id);
create index images_created on images (created_at, id);
create index images_updated on images (updated_at, id);
create index images_sha256 on images (sha256);

create table image_tags (
  tag text not null,
  image_id text not null references images (id) on delete cascade,
  primary key (tag, image_id)
) strict, without rowid;
create index image_tags_image on image_tags (image_id);

-- Bytes that no record ever had are claimed with image_id null, size 0 and an empty digest.
create table blobs (
  key text primary key,
  location text not null,
  size integer not null,
  sha256 text not null,
  image_id text,
  state text not null check (state in ('live', 'condemned', 'deleting')),
  changed_at integer not null
) strict;
create unique index blobs_image on blobs (image_id) where state = 'live';
create index blobs_leaving on blobs (state, changed_at, key) where state <> 'live';

-- autoincrement: without it seq would start again at 1 once everything was pruned.
create table events (
  seq integer primary key autoincrement,
  id text not null,
  type text not null,
  album_id text not null,
  image_id text,
  time integer not null,
  traceparent text,
  data text not null
) strict;

create table log_state (
  id integer primary key check (id = 1),
  epoch integer not null,
  floor integer not null,
  head integer not null,
  bytes integer not null
) strict;
create trigger events_counted after insert on events begin
  update log_state set head = new.seq, bytes = bytes + octet_length(new.data);
end;

create table cursors (
  name text primary key,
  seq integer not null,
  updated_at integer not null
) strict, without rowid;

create table idempotency (
  scope text not null,
  key text not null,
  fingerprint text not null,
  answer text,
  created_at integer not null,
  primary key (scope, key)
) strict, without rowid;
create index idempotency_created on idempotency (created_at);

create table holds (
  id text primary key,
  until integer not null
) strict, without rowid;
`;

export function begin(db: Database): void {
  db.run(SCHEMA);
  db.run("insert into store (id, store_id) values (1, ?1)", [Bun.randomUUIDv7()]);
  // As a restore would set it, so that epochs only ever grow (events.md).
  const minutesSince1970 = Math.floor(Date.now() / 60_000);
  db.run("insert into log_state (id, epoch, floor, head, bytes) values (1, ?1, 0, 0, 0)", [minutesSince1970]);
}
