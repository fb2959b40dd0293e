BEGIN TRANSACTION;
CREATE TABLE access_state (
  id integer primary key check (id = 1),
  revision integer not null
) strict;
INSERT INTO "access_state" VALUES(1,0);
CREATE TABLE albums (
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
, public integer not null default 0, deleted_by text, max_bytes integer, max_images integer) strict;
INSERT INTO "albums" VALUES('01a229c5-83f4-7156-a152-41aa1f4fb661','Ferien','T','D','{"k":"v"}','live',2,140,1,1795997139956,1795997139956,0,NULL,NULL,NULL);
INSERT INTO "albums" VALUES('01a229c5-83f9-7273-b5f6-1fd7c34c9618','empty',NULL,NULL,'{}','live',0,0,1,1795997139961,1795997139961,0,NULL,NULL,NULL);
CREATE TABLE "blobs" (
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
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.6beb526d705019c5','segment:01a229c5-840d-73a6-bf31-ddfc2c757b54:4096:70:6beb526d705019c5',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a229c5-8411-777c-8980-5f5eb4202d79','live',1795997139986,NULL,NULL);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.784d20882fbdec65','segment:01a229c5-840d-73a6-bf31-ddfc2c757b54:8192:70:784d20882fbdec65',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a229c5-8422-75b6-b3f8-f421ca224786','live',1795997140005,NULL,NULL);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.638126b6d6eb7ece','segment:01a229c5-840d-73a6-bf31-ddfc2c757b54:12288:70:638126b6d6eb7ece',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a229c5-844b-7028-8aea-2005d0140268','condemned',1795997140186,NULL,NULL);
CREATE TABLE cursors (
  name text primary key,
  seq integer not null,
  updated_at integer not null
) strict, without rowid;
CREATE TABLE events (
  seq integer primary key autoincrement,
  id text not null,
  type text not null,
  album_id text not null,
  image_id text,
  time integer not null,
  traceparent text,
  data text not null
, subject text) strict;
INSERT INTO "events" VALUES(1,'01a229c5-83f5-7743-861c-bde14cab25c2','imagestore.album.created','01a229c5-83f4-7156-a152-41aa1f4fb661',NULL,1795997139956,NULL,'{"id":"01a229c5-83f4-7156-a152-41aa1f4fb661","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"visibility":"private","imageCount":0,"byteCount":0,"revision":1,"createdAt":"2026-11-30T00:05:39.956Z","updatedAt":"2026-11-30T00:05:39.956Z","reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(2,'01a229c5-83f9-7274-ab1a-2ff1788854f6','imagestore.album.created','01a229c5-83f9-7273-b5f6-1fd7c34c9618',NULL,1795997139961,NULL,'{"id":"01a229c5-83f9-7273-b5f6-1fd7c34c9618","name":"empty","title":null,"description":null,"metadata":{},"visibility":"private","imageCount":0,"byteCount":0,"revision":1,"createdAt":"2026-11-30T00:05:39.961Z","updatedAt":"2026-11-30T00:05:39.961Z","reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(3,'01a229c5-8415-726a-a347-2000ecb15ec7','imagestore.image.created','01a229c5-83f4-7156-a152-41aa1f4fb661','01a229c5-8411-777c-8980-5f5eb4202d79',1795997139986,NULL,'{"id":"01a229c5-8411-777c-8980-5f5eb4202d79","name":"i1","album":"Ferien","albumId":"01a229c5-83f4-7156-a152-41aa1f4fb661","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":1,"createdAt":"2026-11-30T00:05:39.986Z","updatedAt":"2026-11-30T00:05:39.986Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a229c5-8411-777c-8980-5f5eb4202d79/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(4,'01a229c5-8425-738f-8cd3-aa03a96d159e','imagestore.image.created','01a229c5-83f4-7156-a152-41aa1f4fb661','01a229c5-8422-75b6-b3f8-f421ca224786',1795997140005,NULL,'{"id":"01a229c5-8422-75b6-b3f8-f421ca224786","name":"i2","album":"Ferien","albumId":"01a229c5-83f4-7156-a152-41aa1f4fb661","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":1,"createdAt":"2026-11-30T00:05:40.005Z","updatedAt":"2026-11-30T00:05:40.005Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a229c5-8422-75b6-b3f8-f421ca224786/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(5,'01a229c5-844d-710f-bb28-7440e036023a','imagestore.image.created','01a229c5-83f4-7156-a152-41aa1f4fb661','01a229c5-844b-7028-8aea-2005d0140268',1795997140044,NULL,'{"id":"01a229c5-844b-7028-8aea-2005d0140268","name":"i3","album":"Ferien","albumId":"01a229c5-83f4-7156-a152-41aa1f4fb661","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":1,"createdAt":"2026-11-30T00:05:40.044Z","updatedAt":"2026-11-30T00:05:40.044Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a229c5-844b-7028-8aea-2005d0140268/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(6,'01a229c5-8458-74f7-84af-47d29e3dab18','imagestore.image.updated','01a229c5-83f4-7156-a152-41aa1f4fb661','01a229c5-8411-777c-8980-5f5eb4202d79',1795997140054,NULL,'{"id":"01a229c5-8411-777c-8980-5f5eb4202d79","name":"i1","album":"Ferien","albumId":"01a229c5-83f4-7156-a152-41aa1f4fb661","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":2,"createdAt":"2026-11-30T00:05:39.986Z","updatedAt":"2026-11-30T00:05:40.054Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a229c5-8411-777c-8980-5f5eb4202d79/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(7,'01a229c5-847b-72e7-822c-18282cf59f0f','imagestore.image.updated','01a229c5-83f4-7156-a152-41aa1f4fb661','01a229c5-8411-777c-8980-5f5eb4202d79',1795997140090,NULL,'{"id":"01a229c5-8411-777c-8980-5f5eb4202d79","name":"i1","album":"Ferien","albumId":"01a229c5-83f4-7156-a152-41aa1f4fb661","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":2,"createdAt":"2026-11-30T00:05:39.986Z","updatedAt":"2026-11-30T00:05:40.054Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a229c5-8411-777c-8980-5f5eb4202d79/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described","actor":{"kind":"store","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(8,'01a229c5-8482-7238-a67e-60983f450648','imagestore.image.updated','01a229c5-83f4-7156-a152-41aa1f4fb661','01a229c5-844b-7028-8aea-2005d0140268',1795997140098,NULL,'{"id":"01a229c5-844b-7028-8aea-2005d0140268","name":"i3","album":"Ferien","albumId":"01a229c5-83f4-7156-a152-41aa1f4fb661","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":1,"createdAt":"2026-11-30T00:05:40.044Z","updatedAt":"2026-11-30T00:05:40.044Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a229c5-844b-7028-8aea-2005d0140268/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described","actor":{"kind":"store","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(9,'01a229c5-8488-7205-bb26-0796e563adf5','imagestore.image.updated','01a229c5-83f4-7156-a152-41aa1f4fb661','01a229c5-8422-75b6-b3f8-f421ca224786',1795997140103,NULL,'{"id":"01a229c5-8422-75b6-b3f8-f421ca224786","name":"i2","album":"Ferien","albumId":"01a229c5-83f4-7156-a152-41aa1f4fb661","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":1,"createdAt":"2026-11-30T00:05:40.005Z","updatedAt":"2026-11-30T00:05:40.005Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a229c5-8422-75b6-b3f8-f421ca224786/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described","actor":{"kind":"store","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(10,'01a229c5-84db-754c-8596-7a3c5410ffaa','imagestore.image.deleted','01a229c5-83f4-7156-a152-41aa1f4fb661','01a229c5-844b-7028-8aea-2005d0140268',1795997140186,NULL,'{"id":"01a229c5-844b-7028-8aea-2005d0140268","name":"i3","album":"Ferien","albumId":"01a229c5-83f4-7156-a152-41aa1f4fb661","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":1,"createdAt":"2026-11-30T00:05:40.044Z","updatedAt":"2026-11-30T00:05:40.044Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a229c5-844b-7028-8aea-2005d0140268/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
CREATE TABLE holds (
  id text primary key,
  until integer not null
) strict, without rowid;
CREATE TABLE idempotency (
  scope text not null,
  key text not null,
  fingerprint text not null,
  answer text,
  created_at integer not null,
  primary key (scope, key)
) strict, without rowid;
CREATE TABLE image_tags (
  tag text not null,
  image_id text not null references images (id) on delete cascade,
  primary key (tag, image_id)
) strict, without rowid;
INSERT INTO "image_tags" VALUES('sea','01a229c5-8411-777c-8980-5f5eb4202d79');
CREATE TABLE images (
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
, focal_x real, focal_y real, described integer not null default 0, placeholder text, dominant_colour text, exif text, taken_at integer, sound integer, unsound_reason text, charged_to text) strict;
INSERT INTO "images" VALUES('01a229c5-8411-777c-8980-5f5eb4202d79','01a229c5-83f4-7156-a152-41aa1f4fb661','i1','Strand',NULL,'{"a":"b"}','["sea"]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,2,1795997139986,1795997140054,NULL,NULL,1,'1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==','#00ff00',NULL,NULL,1,NULL,NULL);
INSERT INTO "images" VALUES('01a229c5-8422-75b6-b3f8-f421ca224786','01a229c5-83f4-7156-a152-41aa1f4fb661','i2',NULL,NULL,'{}','[]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,1,1795997140005,1795997140005,NULL,NULL,1,'1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==','#00ff00',NULL,NULL,1,NULL,NULL);
CREATE TABLE keys (
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
CREATE TABLE leases (
  name text primary key,
  holder text not null,
  token integer not null,
  until integer not null
) strict, without rowid;
CREATE TABLE link_keys (
  singleton integer primary key check (singleton = 1),
  id text not null,
  secret text not null,
  created_at integer not null
) strict;
INSERT INTO "link_keys" VALUES(1,'store','TjwlJU6X_mHdV_QD9G05hYlJlsFnvJPNwvw_76AnIfc',1795997139901);
CREATE TABLE log_state (
  id integer primary key check (id = 1),
  epoch integer not null,
  floor integer not null,
  head integer not null,
  bytes integer not null
) strict;
INSERT INTO "log_state" VALUES(1,29933285,0,10,7341);
CREATE TABLE quotas (
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
CREATE TABLE sessions (
  id text primary key,
  sha256 text not null,
  base_kind text not null,
  base_id text,
  caller text,
  created_at integer not null,
  expires_at integer not null
) strict, without rowid;
CREATE TABLE shares (
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
CREATE TABLE store (
  id integer primary key check (id = 1),
  store_id text not null
) strict;
INSERT INTO "store" VALUES(1,'01a229c5-82d3-7486-bb93-f6c636f9b3c7');
CREATE TABLE tickets (
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
CREATE UNIQUE INDEX albums_name on albums (name) where state = 'live';
CREATE INDEX albums_created on albums (created_at, id) where state = 'live';
CREATE INDEX albums_updated on albums (updated_at, id) where state = 'live';
CREATE INDEX albums_deleting on albums (id) where state = 'deleting';
CREATE UNIQUE INDEX images_album_name on images (album_id, name);
CREATE INDEX images_album_created on images (album_id, created_at, id);
CREATE INDEX images_album_updated on images (album_id, updated_at, id);
CREATE INDEX images_name on images (name, id);
CREATE INDEX images_created on images (created_at, id);
CREATE INDEX images_updated on images (updated_at, id);
CREATE INDEX images_sha256 on images (sha256);
CREATE INDEX image_tags_image on image_tags (image_id);
CREATE TRIGGER events_counted after insert on events begin
  update log_state set head = new.seq, bytes = bytes + octet_length(new.data);
end;
CREATE INDEX idempotency_created on idempotency (created_at);
CREATE INDEX images_album_taken on images (album_id, taken_at, id) where taken_at is not null;
CREATE INDEX images_taken on images (taken_at, id) where taken_at is not null;
CREATE INDEX images_undated on images (described, id) where taken_at is null;
CREATE UNIQUE INDEX blobs_image on blobs (image_id) where state = 'live';
CREATE INDEX blobs_leaving on blobs (state, changed_at, key) where state <> 'live';
CREATE INDEX events_album on events (album_id, type);
CREATE INDEX events_type on events (type);
CREATE INDEX images_content_type on images (content_type, album_id, id);
CREATE INDEX albums_public on albums (id) where public = 1;
CREATE INDEX albums_limited on albums (id) where max_bytes is not null or max_images is not null;
CREATE INDEX images_charged on images (charged_to, size) where charged_to is not null;
CREATE INDEX keys_created on keys (created_at, id);
CREATE INDEX tickets_album on tickets (album_id, created_at, id);
CREATE INDEX tickets_expiring on tickets (expires_at, id);
CREATE INDEX shares_album on shares (album_id, id);
CREATE INDEX sessions_expiring on sessions (expires_at, id);
CREATE INDEX sessions_base on sessions (base_kind, base_id, created_at, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',10);
COMMIT;
pragma user_version = 5;
