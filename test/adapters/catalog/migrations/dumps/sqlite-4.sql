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
INSERT INTO "albums" VALUES('01a228c3-46fc-72a6-8288-bdb38bf81f72','Ferien','T','D','{"k":"v"}','live',2,140,1,1795980216060,1795980216060);
INSERT INTO "albums" VALUES('01a228c3-4701-75b1-870b-9e7df8a9c6e0','empty',NULL,NULL,'{}','live',0,0,1,1795980216065,1795980216065);
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
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.35131db1dc53e7c3','segment:01a228c3-4705-75bc-b262-8f602d81c2ec:4096:70:35131db1dc53e7c3',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-4709-71fc-b220-d2e2df0d7f49','live',1795980216074,NULL,NULL);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.2bb00e62fc041a4c','segment:01a228c3-4705-75bc-b262-8f602d81c2ec:8192:70:2bb00e62fc041a4c',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-4755-7600-8baa-2e773cf84c7d','live',1795980216149,NULL,NULL);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.7aad0e16dd7e78d3','segment:01a228c3-4705-75bc-b262-8f602d81c2ec:12288:70:7aad0e16dd7e78d3',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-4772-711c-908a-d7827f626f75','condemned',1795980216235,NULL,NULL);
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
INSERT INTO "events" VALUES(1,'01a228c3-46fd-733e-9e7b-3961b8476396','imagestore.album.created','01a228c3-46fc-72a6-8288-bdb38bf81f72',NULL,1795980216060,NULL,'{"id":"01a228c3-46fc-72a6-8288-bdb38bf81f72","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:36.060Z","updatedAt":"2026-11-29T19:23:36.060Z","reason":"user"}');
INSERT INTO "events" VALUES(2,'01a228c3-4701-75b2-ab5e-5da12ddcf194','imagestore.album.created','01a228c3-4701-75b1-870b-9e7df8a9c6e0',NULL,1795980216065,NULL,'{"id":"01a228c3-4701-75b1-870b-9e7df8a9c6e0","name":"empty","title":null,"description":null,"metadata":{},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:36.065Z","updatedAt":"2026-11-29T19:23:36.065Z","reason":"user"}');
INSERT INTO "events" VALUES(3,'01a228c3-470b-7355-b035-4006b67aaa50','imagestore.image.created','01a228c3-46fc-72a6-8288-bdb38bf81f72','01a228c3-4709-71fc-b220-d2e2df0d7f49',1795980216074,NULL,'{"id":"01a228c3-4709-71fc-b220-d2e2df0d7f49","name":"i1","album":"Ferien","albumId":"01a228c3-46fc-72a6-8288-bdb38bf81f72","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:36.074Z","updatedAt":"2026-11-29T19:23:36.074Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-4709-71fc-b220-d2e2df0d7f49/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(4,'01a228c3-4755-7601-b961-22cb0285bb06','imagestore.image.created','01a228c3-46fc-72a6-8288-bdb38bf81f72','01a228c3-4755-7600-8baa-2e773cf84c7d',1795980216149,NULL,'{"id":"01a228c3-4755-7600-8baa-2e773cf84c7d","name":"i2","album":"Ferien","albumId":"01a228c3-46fc-72a6-8288-bdb38bf81f72","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:36.149Z","updatedAt":"2026-11-29T19:23:36.149Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a228c3-4755-7600-8baa-2e773cf84c7d/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(5,'01a228c3-4772-711d-be9c-528bc6aaba4f','imagestore.image.created','01a228c3-46fc-72a6-8288-bdb38bf81f72','01a228c3-4772-711c-908a-d7827f626f75',1795980216178,NULL,'{"id":"01a228c3-4772-711c-908a-d7827f626f75","name":"i3","album":"Ferien","albumId":"01a228c3-46fc-72a6-8288-bdb38bf81f72","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:36.178Z","updatedAt":"2026-11-29T19:23:36.178Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-4772-711c-908a-d7827f626f75/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(6,'01a228c3-47a7-7307-8db7-231d84de99a8','imagestore.image.updated','01a228c3-46fc-72a6-8288-bdb38bf81f72','01a228c3-4709-71fc-b220-d2e2df0d7f49',1795980216229,NULL,'{"id":"01a228c3-4709-71fc-b220-d2e2df0d7f49","name":"i1","album":"Ferien","albumId":"01a228c3-46fc-72a6-8288-bdb38bf81f72","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":2,"createdAt":"2026-11-29T19:23:36.074Z","updatedAt":"2026-11-29T19:23:36.229Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-4709-71fc-b220-d2e2df0d7f49/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(7,'01a228c3-47ab-7449-aece-85ed675bdb3b','imagestore.image.deleted','01a228c3-46fc-72a6-8288-bdb38bf81f72','01a228c3-4772-711c-908a-d7827f626f75',1795980216235,NULL,'{"id":"01a228c3-4772-711c-908a-d7827f626f75","name":"i3","album":"Ferien","albumId":"01a228c3-46fc-72a6-8288-bdb38bf81f72","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:36.178Z","updatedAt":"2026-11-29T19:23:36.178Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-4772-711c-908a-d7827f626f75/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(8,'01a228c3-4812-7100-aaa4-31c3c7d05e84','imagestore.image.updated','01a228c3-46fc-72a6-8288-bdb38bf81f72','01a228c3-4709-71fc-b220-d2e2df0d7f49',1795980216337,NULL,'{"id":"01a228c3-4709-71fc-b220-d2e2df0d7f49","name":"i1","album":"Ferien","albumId":"01a228c3-46fc-72a6-8288-bdb38bf81f72","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"sound":true,"unsoundReason":null,"revision":2,"createdAt":"2026-11-29T19:23:36.074Z","updatedAt":"2026-11-29T19:23:36.229Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-4709-71fc-b220-d2e2df0d7f49/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described"}');
INSERT INTO "events" VALUES(9,'01a228c3-4828-7076-9777-49ffdd745d63','imagestore.image.updated','01a228c3-46fc-72a6-8288-bdb38bf81f72','01a228c3-4755-7600-8baa-2e773cf84c7d',1795980216360,NULL,'{"id":"01a228c3-4755-7600-8baa-2e773cf84c7d","name":"i2","album":"Ferien","albumId":"01a228c3-46fc-72a6-8288-bdb38bf81f72","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"sound":true,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:36.149Z","updatedAt":"2026-11-29T19:23:36.149Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a228c3-4755-7600-8baa-2e773cf84c7d/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described"}');
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
INSERT INTO "idempotency" VALUES('[null,"POST","/v1/albums"]','album','4b36af25172cc571e78e5c6ace8d3701883fdd790bf6e334ce68b66af3c112cf','{"id":"01a228c3-46fc-72a6-8288-bdb38bf81f72","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:36.060Z","updatedAt":"2026-11-29T19:23:36.060Z"}',1795980216060);
CREATE TABLE image_tags (
  tag text not null,
  image_id text not null references images (id) on delete cascade,
  primary key (tag, image_id)
) strict, without rowid;
INSERT INTO "image_tags" VALUES('sea','01a228c3-4709-71fc-b220-d2e2df0d7f49');
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
, focal_x real, focal_y real, described integer not null default 0, placeholder text, dominant_colour text, exif text, taken_at integer, sound integer, unsound_reason text) strict;
INSERT INTO "images" VALUES('01a228c3-4709-71fc-b220-d2e2df0d7f49','01a228c3-46fc-72a6-8288-bdb38bf81f72','i1','Strand',NULL,'{"a":"b"}','["sea"]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,2,1795980216074,1795980216229,NULL,NULL,1,'1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==','#00ff00',NULL,NULL,1,NULL);
INSERT INTO "images" VALUES('01a228c3-4755-7600-8baa-2e773cf84c7d','01a228c3-46fc-72a6-8288-bdb38bf81f72','i2',NULL,NULL,'{}','[]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,1,1795980216149,1795980216149,NULL,NULL,1,'1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==','#00ff00',NULL,NULL,1,NULL);
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
INSERT INTO "link_keys" VALUES(1,'store','OzNxz9_j8WO2fH8HMj11YyyMmrnhlzsx4jSEsvGIAJs',1795980216030);
CREATE TABLE log_state (
  id integer primary key check (id = 1),
  epoch integer not null,
  floor integer not null,
  head integer not null,
  bytes integer not null
) strict;
INSERT INTO "log_state" VALUES(1,29933003,0,9,5935);
CREATE TABLE store (
  id integer primary key check (id = 1),
  store_id text not null
) strict;
INSERT INTO "store" VALUES(1,'01a228c3-45a3-76f6-8c4a-5dd9524131ea');
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',9);
COMMIT;
pragma user_version = 4;
