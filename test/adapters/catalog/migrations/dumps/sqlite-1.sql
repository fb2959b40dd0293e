BEGIN TRANSACTION;
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
) strict;
INSERT INTO "albums" VALUES('01a228c3-1654-7171-8764-4ebabb904cd7','Ferien','T','D','{"k":"v"}','live',2,140,1,1795980203609,1795980203609);
INSERT INTO "albums" VALUES('01a228c3-1664-7103-a1e6-1f1315cec203','empty',NULL,NULL,'{}','live',0,0,1,1795980203620,1795980203620);
CREATE TABLE blobs (
  key text primary key,
  location text not null,
  size integer not null,
  sha256 text not null,
  image_id text,
  state text not null check (state in ('live', 'condemned', 'deleting')),
  changed_at integer not null
) strict;
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.c5977979d89f2efe','file:6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.c5977979d89f2efe',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-1675-7391-9c12-b0101903c88e','live',1795980203637);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.56ac691ac19c4003','file:6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.56ac691ac19c4003',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-167d-77d8-a6ee-f049e8af8f70','live',1795980203645);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.dfb8aaccdae645b7','file:6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.dfb8aaccdae645b7',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-167f-748a-9e21-284736ec8dfe','condemned',1795980203653);
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
) strict;
INSERT INTO "events" VALUES(1,'01a228c3-1659-7479-b6b8-979c55ea7f4e','imagestore.album.created','01a228c3-1654-7171-8764-4ebabb904cd7',NULL,1795980203609,NULL,'{"id":"01a228c3-1654-7171-8764-4ebabb904cd7","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:23.609Z","updatedAt":"2026-11-29T19:23:23.609Z","reason":"user"}');
INSERT INTO "events" VALUES(2,'01a228c3-1664-7104-afac-7171b5e3c926','imagestore.album.created','01a228c3-1664-7103-a1e6-1f1315cec203',NULL,1795980203620,NULL,'{"id":"01a228c3-1664-7103-a1e6-1f1315cec203","name":"empty","title":null,"description":null,"metadata":{},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:23.620Z","updatedAt":"2026-11-29T19:23:23.620Z","reason":"user"}');
INSERT INTO "events" VALUES(3,'01a228c3-1676-71c8-b03d-47474c79c929','imagestore.image.created','01a228c3-1654-7171-8764-4ebabb904cd7','01a228c3-1675-7391-9c12-b0101903c88e',1795980203637,NULL,'{"id":"01a228c3-1675-7391-9c12-b0101903c88e","name":"i1","album":"Ferien","albumId":"01a228c3-1654-7171-8764-4ebabb904cd7","title":null,"description":null,"metadata":{},"tags":[],"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"revision":1,"createdAt":"2026-11-29T19:23:23.637Z","updatedAt":"2026-11-29T19:23:23.637Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-1675-7391-9c12-b0101903c88e/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(4,'01a228c3-167d-77d9-a87b-2c8b07c0a492','imagestore.image.created','01a228c3-1654-7171-8764-4ebabb904cd7','01a228c3-167d-77d8-a6ee-f049e8af8f70',1795980203645,NULL,'{"id":"01a228c3-167d-77d8-a6ee-f049e8af8f70","name":"i2","album":"Ferien","albumId":"01a228c3-1654-7171-8764-4ebabb904cd7","title":null,"description":null,"metadata":{},"tags":[],"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"revision":1,"createdAt":"2026-11-29T19:23:23.645Z","updatedAt":"2026-11-29T19:23:23.645Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a228c3-167d-77d8-a6ee-f049e8af8f70/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(5,'01a228c3-167f-748b-ad73-7890b8b3318a','imagestore.image.created','01a228c3-1654-7171-8764-4ebabb904cd7','01a228c3-167f-748a-9e21-284736ec8dfe',1795980203647,NULL,'{"id":"01a228c3-167f-748a-9e21-284736ec8dfe","name":"i3","album":"Ferien","albumId":"01a228c3-1654-7171-8764-4ebabb904cd7","title":null,"description":null,"metadata":{},"tags":[],"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"revision":1,"createdAt":"2026-11-29T19:23:23.647Z","updatedAt":"2026-11-29T19:23:23.647Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-167f-748a-9e21-284736ec8dfe/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(6,'01a228c3-1684-7456-81a4-c90f3b800300','imagestore.image.updated','01a228c3-1654-7171-8764-4ebabb904cd7','01a228c3-1675-7391-9c12-b0101903c88e',1795980203651,NULL,'{"id":"01a228c3-1675-7391-9c12-b0101903c88e","name":"i1","album":"Ferien","albumId":"01a228c3-1654-7171-8764-4ebabb904cd7","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"revision":2,"createdAt":"2026-11-29T19:23:23.637Z","updatedAt":"2026-11-29T19:23:23.651Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-1675-7391-9c12-b0101903c88e/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(7,'01a228c3-1685-75ff-9c04-0d8a0ed7e6d0','imagestore.image.deleted','01a228c3-1654-7171-8764-4ebabb904cd7','01a228c3-167f-748a-9e21-284736ec8dfe',1795980203653,NULL,'{"id":"01a228c3-167f-748a-9e21-284736ec8dfe","name":"i3","album":"Ferien","albumId":"01a228c3-1654-7171-8764-4ebabb904cd7","title":null,"description":null,"metadata":{},"tags":[],"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"revision":1,"createdAt":"2026-11-29T19:23:23.647Z","updatedAt":"2026-11-29T19:23:23.647Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-167f-748a-9e21-284736ec8dfe/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
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
INSERT INTO "idempotency" VALUES('[null,"POST","/v1/albums"]','album','4b36af25172cc571e78e5c6ace8d3701883fdd790bf6e334ce68b66af3c112cf','{"id":"01a228c3-1654-7171-8764-4ebabb904cd7","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:23.609Z","updatedAt":"2026-11-29T19:23:23.609Z"}',1795980203609);
CREATE TABLE image_tags (
  tag text not null,
  image_id text not null references images (id) on delete cascade,
  primary key (tag, image_id)
) strict, without rowid;
INSERT INTO "image_tags" VALUES('sea','01a228c3-1675-7391-9c12-b0101903c88e');
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
) strict;
INSERT INTO "images" VALUES('01a228c3-1675-7391-9c12-b0101903c88e','01a228c3-1654-7171-8764-4ebabb904cd7','i1','Strand',NULL,'{"a":"b"}','["sea"]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,2,1795980203637,1795980203651);
INSERT INTO "images" VALUES('01a228c3-167d-77d8-a6ee-f049e8af8f70','01a228c3-1654-7171-8764-4ebabb904cd7','i2',NULL,NULL,'{}','[]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,1,1795980203645,1795980203645);
CREATE TABLE log_state (
  id integer primary key check (id = 1),
  epoch integer not null,
  floor integer not null,
  head integer not null,
  bytes integer not null
) strict;
INSERT INTO "log_state" VALUES(1,29933003,0,7,3688);
CREATE TABLE store (
  id integer primary key check (id = 1),
  store_id text not null
) strict;
INSERT INTO "store" VALUES(1,'01a228c3-15b6-7380-a137-31196ea31fc0');
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
CREATE UNIQUE INDEX blobs_image on blobs (image_id) where state = 'live';
CREATE INDEX blobs_leaving on blobs (state, changed_at, key) where state <> 'live';
CREATE TRIGGER events_counted after insert on events begin
  update log_state set head = new.seq, bytes = bytes + octet_length(new.data);
end;
CREATE INDEX idempotency_created on idempotency (created_at);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',7);
COMMIT;
pragma user_version = 1;
