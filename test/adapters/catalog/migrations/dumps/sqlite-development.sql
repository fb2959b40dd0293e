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
INSERT INTO "albums" VALUES('01a228c3-9deb-759e-95f3-d781ed6378ad','Ferien','T','D','{"k":"v"}','live',2,140,1,1795980238317,1795980238317);
INSERT INTO "albums" VALUES('01a228c3-9e06-70d7-80f8-7ee5eb02fb51','empty',NULL,NULL,'{}','live',0,0,1,1795980238343,1795980238343);
CREATE TABLE blobs (
  key text primary key,
  location text not null,
  size integer not null,
  sha256 text not null,
  image_id text,
  state text not null check (state in ('live', 'condemned', 'deleting')),
  changed_at integer not null
) strict;
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.24612e6c34aa9784','file:6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.24612e6c34aa9784',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-9e1f-7673-b0c3-c988d18ebe19','live',1795980238368);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.c80402e9b73d4c01','file:6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.c80402e9b73d4c01',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-9e2f-7529-a18e-290d36f63b15','live',1795980238386);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.6f5447c875fc8f1d','file:6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.6f5447c875fc8f1d',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-9e3b-7704-ba96-2eac5ceeb505','condemned',1795980238429);
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
INSERT INTO "events" VALUES(1,'01a228c3-9df4-7692-8198-148ba89b62a1','imagestore.album.created','01a228c3-9deb-759e-95f3-d781ed6378ad',NULL,1795980238317,NULL,'{"id":"01a228c3-9deb-759e-95f3-d781ed6378ad","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:58.317Z","updatedAt":"2026-11-29T19:23:58.317Z","reason":"user"}');
INSERT INTO "events" VALUES(2,'01a228c3-9e07-7652-94d4-bdffb088e939','imagestore.album.created','01a228c3-9e06-70d7-80f8-7ee5eb02fb51',NULL,1795980238343,NULL,'{"id":"01a228c3-9e06-70d7-80f8-7ee5eb02fb51","name":"empty","title":null,"description":null,"metadata":{},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:58.343Z","updatedAt":"2026-11-29T19:23:58.343Z","reason":"user"}');
INSERT INTO "events" VALUES(3,'01a228c3-9e26-7163-a113-21f4ab61e5ae','imagestore.image.created','01a228c3-9deb-759e-95f3-d781ed6378ad','01a228c3-9e1f-7673-b0c3-c988d18ebe19',1795980238368,NULL,'{"id":"01a228c3-9e1f-7673-b0c3-c988d18ebe19","name":"i1","album":"Ferien","albumId":"01a228c3-9deb-759e-95f3-d781ed6378ad","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:58.368Z","updatedAt":"2026-11-29T19:23:58.368Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-9e1f-7673-b0c3-c988d18ebe19/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(4,'01a228c3-9e32-726d-bc23-c196009dc769','imagestore.image.created','01a228c3-9deb-759e-95f3-d781ed6378ad','01a228c3-9e2f-7529-a18e-290d36f63b15',1795980238386,NULL,'{"id":"01a228c3-9e2f-7529-a18e-290d36f63b15","name":"i2","album":"Ferien","albumId":"01a228c3-9deb-759e-95f3-d781ed6378ad","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:58.386Z","updatedAt":"2026-11-29T19:23:58.386Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a228c3-9e2f-7529-a18e-290d36f63b15/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(5,'01a228c3-9e3b-7705-9602-eb6799c67b23','imagestore.image.created','01a228c3-9deb-759e-95f3-d781ed6378ad','01a228c3-9e3b-7704-ba96-2eac5ceeb505',1795980238395,NULL,'{"id":"01a228c3-9e3b-7704-ba96-2eac5ceeb505","name":"i3","album":"Ferien","albumId":"01a228c3-9deb-759e-95f3-d781ed6378ad","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:58.395Z","updatedAt":"2026-11-29T19:23:58.395Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-9e3b-7704-ba96-2eac5ceeb505/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(6,'01a228c3-9e4b-73b2-b9b1-06054a0f5580','imagestore.image.updated','01a228c3-9deb-759e-95f3-d781ed6378ad','01a228c3-9e1f-7673-b0c3-c988d18ebe19',1795980238410,NULL,'{"id":"01a228c3-9e1f-7673-b0c3-c988d18ebe19","name":"i1","album":"Ferien","albumId":"01a228c3-9deb-759e-95f3-d781ed6378ad","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":2,"createdAt":"2026-11-29T19:23:58.368Z","updatedAt":"2026-11-29T19:23:58.410Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-9e1f-7673-b0c3-c988d18ebe19/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(7,'01a228c3-9e5e-75bb-890b-065b73e84804','imagestore.image.deleted','01a228c3-9deb-759e-95f3-d781ed6378ad','01a228c3-9e3b-7704-ba96-2eac5ceeb505',1795980238429,NULL,'{"id":"01a228c3-9e3b-7704-ba96-2eac5ceeb505","name":"i3","album":"Ferien","albumId":"01a228c3-9deb-759e-95f3-d781ed6378ad","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:58.395Z","updatedAt":"2026-11-29T19:23:58.395Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-9e3b-7704-ba96-2eac5ceeb505/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
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
INSERT INTO "idempotency" VALUES('[null,"POST","/v1/albums"]','album','4b36af25172cc571e78e5c6ace8d3701883fdd790bf6e334ce68b66af3c112cf','{"id":"01a228c3-9deb-759e-95f3-d781ed6378ad","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:58.317Z","updatedAt":"2026-11-29T19:23:58.317Z"}',1795980238317);
CREATE TABLE image_tags (
  tag text not null,
  image_id text not null references images (id) on delete cascade,
  primary key (tag, image_id)
) strict, without rowid;
INSERT INTO "image_tags" VALUES('sea','01a228c3-9e1f-7673-b0c3-c988d18ebe19');
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
INSERT INTO "images" VALUES('01a228c3-9e1f-7673-b0c3-c988d18ebe19','01a228c3-9deb-759e-95f3-d781ed6378ad','i1','Strand',NULL,'{"a":"b"}','["sea"]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,2,1795980238368,1795980238410,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL);
INSERT INTO "images" VALUES('01a228c3-9e2f-7529-a18e-290d36f63b15','01a228c3-9deb-759e-95f3-d781ed6378ad','i2',NULL,NULL,'{}','[]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,1,1795980238386,1795980238386,NULL,NULL,0,NULL,NULL,NULL,NULL,NULL,NULL);
CREATE TABLE link_keys (
  only integer primary key check (only = 1),
  id text not null,
  secret text not null,
  created_at integer not null
) strict;
INSERT INTO "link_keys" VALUES(1,'store','JWDx-EZQRh0ZjSRAll6DA9S-A94IEPGHroQgICURjYs',1795980238184);
CREATE TABLE log_state (
  id integer primary key check (id = 1),
  epoch integer not null,
  floor integer not null,
  head integer not null,
  bytes integer not null
) strict;
INSERT INTO "log_state" VALUES(1,29933003,0,7,4303);
CREATE TABLE store (
  id integer primary key check (id = 1),
  store_id text not null
) strict;
INSERT INTO "store" VALUES(1,'01a228c3-9cb6-7157-9bfc-dc47157cf67c');
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
CREATE INDEX images_undescribed on images (id) where described = 0;
CREATE INDEX images_album_taken on images (album_id, taken_at, id);
CREATE INDEX images_taken on images (taken_at, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',7);
COMMIT;
pragma user_version = 2;
