import type { Database } from "bun:sqlite";

/**
 * Blobs that are on their way to a shared store have a row before their bytes: `pending` since `reserved_at`. Where that
 * is swept the row stays as a tombstone, last swept at `swept_at`. And leases, for work of one node at a time.
 */
const SCHEMA = `
create table blobs_new (
  key text primary key,
  location text not null,
  size integer not null,
  sha256 text not null,
  image_id text,
  state text not null check (state in ('pending', 'live', 'condemned', 'deleting')),
  changed_at integer not null,
  reserved_at integer,
  swept_at integer
) strict;
insert into blobs_new (key, location, size, sha256, image_id, state, changed_at)
  select key, location, size, sha256, image_id, state, changed_at from blobs;
drop table blobs;
alter table blobs_new rename to blobs;
create unique index blobs_image on blobs (image_id) where state = 'live';
create index blobs_leaving on blobs (state, changed_at, key) where state <> 'live';

create table leases (
  name text primary key,
  holder text not null,
  token integer not null,
  until integer not null
) strict, without rowid;
`;

export function share(db: Database): void {
  db.run(SCHEMA);
}
