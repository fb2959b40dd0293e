/**
 * The tables of SQLite's 0001–0003, but for the log. What is compared and ordered is `collate "C"`: byte by byte, which
 * for UTF-8 is the order of code points, as on SQLite.
 *
 * An event has no number (`seq`) until it is stamped. Until then its place is `row_no`, which is drawn while its album is
 * locked; so the sequence must not hand out numbers in advance (durability.md, "PostgreSQL").
 */
export const BEGIN = `
create table store (
  id integer primary key check (id = 1),
  store_id text not null,
  version integer not null
);

create table albums (
  id text collate "C" primary key,
  name text collate "C" not null,
  title text,
  description text,
  metadata text not null,
  state text collate "C" not null default 'live' check (state in ('live', 'deleting')),
  image_count bigint not null default 0,
  byte_count bigint not null default 0,
  revision bigint not null,
  created_at bigint not null,
  updated_at bigint not null
) with (fillfactor = 80);
create unique index albums_name on albums (name) where state = 'live';
create index albums_created on albums (created_at, id) where state = 'live';
create index albums_updated on albums (updated_at, id) where state = 'live';
create index albums_deleting on albums (id) where state = 'deleting';

create table images (
  id text collate "C" primary key,
  album_id text collate "C" not null references albums (id),
  name text collate "C" not null,
  title text,
  description text,
  metadata text not null,
  tags text not null,
  focal_x double precision,
  focal_y double precision,
  content_type text collate "C" not null,
  size bigint not null,
  sha256 text collate "C" not null,
  width bigint not null,
  height bigint not null,
  frames bigint not null,
  has_alpha integer not null,
  orientation integer not null,
  described integer not null default 0,
  placeholder text,
  dominant_colour text,
  exif text,
  taken_at bigint,
  sound integer,
  unsound_reason text,
  revision bigint not null,
  created_at bigint not null,
  updated_at bigint not null
);
create unique index images_album_name on images (album_id, name);
create index images_album_created on images (album_id, created_at, id);
create index images_album_updated on images (album_id, updated_at, id);
create index images_album_taken on images (album_id, taken_at, id) where taken_at is not null;
create index images_name on images (name, id);
create index images_created on images (created_at, id);
create index images_updated on images (updated_at, id);
create index images_taken on images (taken_at, id) where taken_at is not null;
create index images_undated on images (described, id) where taken_at is null;
create index images_sha256 on images (sha256);

create table image_tags (
  tag text collate "C" not null,
  image_id text collate "C" not null references images (id) on delete cascade,
  primary key (tag, image_id)
);
create index image_tags_image on image_tags (image_id);

-- Bytes that no record ever had are claimed with image_id null, size 0 and an empty digest.
create table blobs (
  key text collate "C" primary key,
  location text collate "C" not null,
  size bigint not null,
  sha256 text collate "C" not null,
  image_id text collate "C",
  state text collate "C" not null check (state in ('pending', 'live', 'condemned', 'deleting')),
  changed_at bigint not null,
  reserved_at bigint,
  swept_at bigint
);
create unique index blobs_image on blobs (image_id) where state = 'live';
create index blobs_leaving on blobs (state, changed_at, key) where state <> 'live';

create table events (
  row_no bigint generated always as identity (cache 1),
  seq bigint,
  id text collate "C" not null,
  type text collate "C" not null,
  album_id text collate "C" not null,
  image_id text collate "C",
  time bigint not null,
  traceparent text,
  data text not null
);
create unique index events_seq on events (seq) where seq is not null;
create unique index events_unstamped on events (row_no) where seq is null;

create table log_state (
  id integer primary key check (id = 1),
  epoch bigint not null,
  floor bigint not null,
  head bigint not null,
  bytes bigint not null
);

create table cursors (
  name text collate "C" primary key,
  seq bigint not null,
  updated_at bigint not null
);

create table idempotency (
  scope text collate "C" not null,
  key text collate "C" not null,
  fingerprint text collate "C" not null,
  answer text,
  created_at bigint not null,
  primary key (scope, key)
);
create index idempotency_created on idempotency (created_at);

create table holds (
  id text collate "C" primary key,
  until bigint not null
);

create table link_keys (
  singleton integer primary key check (singleton = 1),
  id text collate "C" not null,
  secret text not null,
  created_at bigint not null
);

create table leases (
  name text collate "C" primary key,
  holder text collate "C" not null,
  token bigint not null,
  until bigint not null
);

-- As a restore would set the epoch, so that they only ever grow (events.md).
insert into log_state (id, epoch, floor, head, bytes)
  values (1, floor(extract(epoch from clock_timestamp()) / 60), 0, 0, 0);
`;
