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
INSERT INTO "albums" VALUES('01a228c3-259a-70e9-b222-5c4edefeca4f','Ferien','T','D','{"k":"v"}','live',2,140,1,1795980207514,1795980207514);
INSERT INTO "albums" VALUES('01a228c3-259d-718d-ac41-79093c2ba380','empty',NULL,NULL,'{}','live',0,0,1,1795980207517,1795980207517);
CREATE TABLE blobs (
  key text primary key,
  location text not null,
  size integer not null,
  sha256 text not null,
  image_id text,
  state text not null check (state in ('live', 'condemned', 'deleting')),
  changed_at integer not null
) strict;
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.5e9efc9d100c7e2c','segment:01a228c3-25a1-718a-bd5b-b68abc6bd73d:4096:70:5e9efc9d100c7e2c',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-25a3-7099-ab29-5962ba871739','live',1795980207523);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.c4645dadbdf95f52','segment:01a228c3-25a1-718a-bd5b-b68abc6bd73d:8192:70:c4645dadbdf95f52',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-25b5-7087-bd33-e5fa7aab7cb6','live',1795980207541);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.2a2e2ded7b85ff90','segment:01a228c3-25a1-718a-bd5b-b68abc6bd73d:12288:70:2a2e2ded7b85ff90',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-25c5-70dc-b5a9-6e712750113f','condemned',1795980207563);
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
INSERT INTO "events" VALUES(1,'01a228c3-259b-71da-ba2a-089349043654','imagestore.album.created','01a228c3-259a-70e9-b222-5c4edefeca4f',NULL,1795980207514,NULL,'{"id":"01a228c3-259a-70e9-b222-5c4edefeca4f","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:27.514Z","updatedAt":"2026-11-29T19:23:27.514Z","reason":"user"}');
INSERT INTO "events" VALUES(2,'01a228c3-259d-718e-95dc-6db9fb4609b1','imagestore.album.created','01a228c3-259d-718d-ac41-79093c2ba380',NULL,1795980207517,NULL,'{"id":"01a228c3-259d-718d-ac41-79093c2ba380","name":"empty","title":null,"description":null,"metadata":{},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:27.517Z","updatedAt":"2026-11-29T19:23:27.517Z","reason":"user"}');
INSERT INTO "events" VALUES(3,'01a228c3-25a4-718c-acf1-74afda4c5348','imagestore.image.created','01a228c3-259a-70e9-b222-5c4edefeca4f','01a228c3-25a3-7099-ab29-5962ba871739',1795980207523,NULL,'{"id":"01a228c3-25a3-7099-ab29-5962ba871739","name":"i1","album":"Ferien","albumId":"01a228c3-259a-70e9-b222-5c4edefeca4f","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:27.523Z","updatedAt":"2026-11-29T19:23:27.523Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-25a3-7099-ab29-5962ba871739/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(4,'01a228c3-25b5-7088-a8d2-c9255631de44','imagestore.image.created','01a228c3-259a-70e9-b222-5c4edefeca4f','01a228c3-25b5-7087-bd33-e5fa7aab7cb6',1795980207541,NULL,'{"id":"01a228c3-25b5-7087-bd33-e5fa7aab7cb6","name":"i2","album":"Ferien","albumId":"01a228c3-259a-70e9-b222-5c4edefeca4f","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:27.541Z","updatedAt":"2026-11-29T19:23:27.541Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a228c3-25b5-7087-bd33-e5fa7aab7cb6/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(5,'01a228c3-25c5-70dd-b39c-8d11a9636e63','imagestore.image.created','01a228c3-259a-70e9-b222-5c4edefeca4f','01a228c3-25c5-70dc-b5a9-6e712750113f',1795980207557,NULL,'{"id":"01a228c3-25c5-70dc-b5a9-6e712750113f","name":"i3","album":"Ferien","albumId":"01a228c3-259a-70e9-b222-5c4edefeca4f","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:27.557Z","updatedAt":"2026-11-29T19:23:27.557Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-25c5-70dc-b5a9-6e712750113f/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(6,'01a228c3-25c9-7333-90fd-4ffac9e945ee','imagestore.image.updated','01a228c3-259a-70e9-b222-5c4edefeca4f','01a228c3-25a3-7099-ab29-5962ba871739',1795980207560,NULL,'{"id":"01a228c3-25a3-7099-ab29-5962ba871739","name":"i1","album":"Ferien","albumId":"01a228c3-259a-70e9-b222-5c4edefeca4f","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":2,"createdAt":"2026-11-29T19:23:27.523Z","updatedAt":"2026-11-29T19:23:27.560Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-25a3-7099-ab29-5962ba871739/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(7,'01a228c3-25cb-7761-b24f-fae25d7d11db','imagestore.image.deleted','01a228c3-259a-70e9-b222-5c4edefeca4f','01a228c3-25c5-70dc-b5a9-6e712750113f',1795980207563,NULL,'{"id":"01a228c3-25c5-70dc-b5a9-6e712750113f","name":"i3","album":"Ferien","albumId":"01a228c3-259a-70e9-b222-5c4edefeca4f","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:27.557Z","updatedAt":"2026-11-29T19:23:27.557Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-25c5-70dc-b5a9-6e712750113f/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(8,'01a228c3-2666-74ff-8665-e2a0a4a9ba03','imagestore.image.updated','01a228c3-259a-70e9-b222-5c4edefeca4f','01a228c3-25a3-7099-ab29-5962ba871739',1795980207717,NULL,'{"id":"01a228c3-25a3-7099-ab29-5962ba871739","name":"i1","album":"Ferien","albumId":"01a228c3-259a-70e9-b222-5c4edefeca4f","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"sound":true,"unsoundReason":null,"revision":2,"createdAt":"2026-11-29T19:23:27.523Z","updatedAt":"2026-11-29T19:23:27.560Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-25a3-7099-ab29-5962ba871739/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described"}');
INSERT INTO "events" VALUES(9,'01a228c3-2671-7099-b7a0-03525b598cad','imagestore.image.updated','01a228c3-259a-70e9-b222-5c4edefeca4f','01a228c3-25b5-7087-bd33-e5fa7aab7cb6',1795980207729,NULL,'{"id":"01a228c3-25b5-7087-bd33-e5fa7aab7cb6","name":"i2","album":"Ferien","albumId":"01a228c3-259a-70e9-b222-5c4edefeca4f","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"sound":true,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:27.541Z","updatedAt":"2026-11-29T19:23:27.541Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a228c3-25b5-7087-bd33-e5fa7aab7cb6/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described"}');
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
INSERT INTO "idempotency" VALUES('[null,"POST","/v1/albums"]','album','4b36af25172cc571e78e5c6ace8d3701883fdd790bf6e334ce68b66af3c112cf','{"id":"01a228c3-259a-70e9-b222-5c4edefeca4f","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:27.514Z","updatedAt":"2026-11-29T19:23:27.514Z"}',1795980207514);
CREATE TABLE image_tags (
  tag text not null,
  image_id text not null references images (id) on delete cascade,
  primary key (tag, image_id)
) strict, without rowid;
INSERT INTO "image_tags" VALUES('sea','01a228c3-25a3-7099-ab29-5962ba871739');
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
INSERT INTO "images" VALUES('01a228c3-25a3-7099-ab29-5962ba871739','01a228c3-259a-70e9-b222-5c4edefeca4f','i1','Strand',NULL,'{"a":"b"}','["sea"]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,2,1795980207523,1795980207560,NULL,NULL,1,'1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==','#00ff00',NULL,NULL,1,NULL);
INSERT INTO "images" VALUES('01a228c3-25b5-7087-bd33-e5fa7aab7cb6','01a228c3-259a-70e9-b222-5c4edefeca4f','i2',NULL,NULL,'{}','[]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,1,1795980207541,1795980207541,NULL,NULL,1,'1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==','#00ff00',NULL,NULL,1,NULL);
CREATE TABLE link_keys (
  singleton integer primary key check (singleton = 1),
  id text not null,
  secret text not null,
  created_at integer not null
) strict;
INSERT INTO "link_keys" VALUES(1,'store','Ne5DNSORokDmKgIBp4YzGt0XY2D735wuzY5arg_HeXY',1795980207463);
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
INSERT INTO "store" VALUES(1,'01a228c3-2499-767f-bddd-eb9369e78503');
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
CREATE INDEX images_album_taken on images (album_id, taken_at, id) where taken_at is not null;
CREATE INDEX images_taken on images (taken_at, id) where taken_at is not null;
CREATE INDEX images_undated on images (described, id) where taken_at is null;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',9);
COMMIT;
pragma user_version = 2;
