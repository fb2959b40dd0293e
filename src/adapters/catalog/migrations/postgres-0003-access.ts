/** SQLite's 0005. */
export const ACCESS = `
alter table albums add column public integer not null default 0;
alter table albums add column deleted_by text;
alter table albums add column max_bytes bigint;
alter table albums add column max_images bigint;
create index albums_public on albums (id) where public = 1;
create index albums_limited on albums (id) where max_bytes is not null or max_images is not null;

alter table images add column charged_to text collate "C";
create index images_charged on images (charged_to, size) where charged_to is not null;

alter table events add column subject text collate "C";

create table keys (
  id text collate "C" primary key,
  name text collate "C" not null,
  sha256 text collate "C" not null,
  grants text not null,
  revision bigint not null,
  created_at bigint not null,
  created_by text not null,
  expires_at bigint,
  revoked_at bigint,
  used_at bigint
);
create index keys_created on keys (created_at, id);

create table tickets (
  id text collate "C" primary key,
  sha256 text collate "C" not null,
  album_id text collate "C" not null references albums (id) on delete cascade,
  name text collate "C",
  fields text,
  max_bytes bigint,
  content_types text,
  files_left bigint not null,
  uploads text not null,
  created_at bigint not null,
  created_by text not null,
  charged_to text collate "C",
  expires_at bigint not null
);
create index tickets_album on tickets (album_id, created_at, id);
create index tickets_expiring on tickets (expires_at, id);

create table shares (
  id text collate "C" primary key,
  sha256 text collate "C" not null,
  album_id text collate "C" not null references albums (id) on delete cascade,
  label text,
  rights text not null,
  originals integer not null,
  uses bigint not null default 0,
  created_at bigint not null,
  created_by text not null,
  expires_at bigint,
  revoked_at bigint,
  used_at bigint
);
create index shares_album on shares (album_id, id);

create table sessions (
  id text collate "C" primary key,
  sha256 text collate "C" not null,
  base_kind text collate "C" not null,
  base_id text collate "C",
  caller text,
  created_at bigint not null,
  expires_at bigint not null
);
create index sessions_expiring on sessions (expires_at, id);
create index sessions_base on sessions (base_kind, base_id, created_at, id);

create table quotas (
  scope text collate "C" not null,
  shard integer not null,
  max_bytes bigint,
  max_images bigint,
  bytes bigint not null,
  images bigint not null,
  ceiling_bytes bigint not null default -9007199254740991,
  ceiling_images bigint not null default -9007199254740991,
  primary key (scope, shard)
);

create table access_state (
  id integer primary key check (id = 1),
  revision bigint not null
);
insert into access_state (id, revision) values (1, 0);
`;
