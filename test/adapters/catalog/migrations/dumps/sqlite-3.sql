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
INSERT INTO "albums" VALUES('01a228c3-355e-748c-b437-1a9da41a5dda','Ferien','T','D','{"k":"v"}','live',2,140,1,1795980211553,1795980211553);
INSERT INTO "albums" VALUES('01a228c3-3569-726b-806d-21405f18438e','empty',NULL,NULL,'{}','live',0,0,1,1795980211561,1795980211561);
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
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.d464b330f155d897','segment:01a228c3-356d-72fb-bfba-d275b68086ca:4096:70:d464b330f155d897',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-356f-721f-8838-5717653764b1','live',1795980211567,NULL,NULL);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.b0391ec0774c9c19','segment:01a228c3-356d-72fb-bfba-d275b68086ca:8192:70:b0391ec0774c9c19',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-357d-7243-b154-6df089cbaf94','live',1795980211581,NULL,NULL);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.12fe4a551ad2ed07','segment:01a228c3-356d-72fb-bfba-d275b68086ca:12288:70:12fe4a551ad2ed07',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a228c3-3590-7062-a702-274e45be8750','condemned',1795980211632,NULL,NULL);
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
INSERT INTO "events" VALUES(1,'01a228c3-3562-76fa-9fd1-558023d56fe5','imagestore.album.created','01a228c3-355e-748c-b437-1a9da41a5dda',NULL,1795980211553,NULL,'{"id":"01a228c3-355e-748c-b437-1a9da41a5dda","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:31.553Z","updatedAt":"2026-11-29T19:23:31.553Z","reason":"user"}');
INSERT INTO "events" VALUES(2,'01a228c3-3569-726c-b554-2b6cd6f0a285','imagestore.album.created','01a228c3-3569-726b-806d-21405f18438e',NULL,1795980211561,NULL,'{"id":"01a228c3-3569-726b-806d-21405f18438e","name":"empty","title":null,"description":null,"metadata":{},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:31.561Z","updatedAt":"2026-11-29T19:23:31.561Z","reason":"user"}');
INSERT INTO "events" VALUES(3,'01a228c3-3570-779b-aac8-001f96aed6c5','imagestore.image.created','01a228c3-355e-748c-b437-1a9da41a5dda','01a228c3-356f-721f-8838-5717653764b1',1795980211567,NULL,'{"id":"01a228c3-356f-721f-8838-5717653764b1","name":"i1","album":"Ferien","albumId":"01a228c3-355e-748c-b437-1a9da41a5dda","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:31.567Z","updatedAt":"2026-11-29T19:23:31.567Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-356f-721f-8838-5717653764b1/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(4,'01a228c3-357e-7478-a2c9-08034f26db22','imagestore.image.created','01a228c3-355e-748c-b437-1a9da41a5dda','01a228c3-357d-7243-b154-6df089cbaf94',1795980211581,NULL,'{"id":"01a228c3-357d-7243-b154-6df089cbaf94","name":"i2","album":"Ferien","albumId":"01a228c3-355e-748c-b437-1a9da41a5dda","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:31.581Z","updatedAt":"2026-11-29T19:23:31.581Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a228c3-357d-7243-b154-6df089cbaf94/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(5,'01a228c3-3591-7611-8bf4-6e56056495e3','imagestore.image.created','01a228c3-355e-748c-b437-1a9da41a5dda','01a228c3-3590-7062-a702-274e45be8750',1795980211600,NULL,'{"id":"01a228c3-3590-7062-a702-274e45be8750","name":"i3","album":"Ferien","albumId":"01a228c3-355e-748c-b437-1a9da41a5dda","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:31.600Z","updatedAt":"2026-11-29T19:23:31.600Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-3590-7062-a702-274e45be8750/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(6,'01a228c3-35ae-7555-a3f0-8a1225f403a4','imagestore.image.updated','01a228c3-355e-748c-b437-1a9da41a5dda','01a228c3-356f-721f-8838-5717653764b1',1795980211617,NULL,'{"id":"01a228c3-356f-721f-8838-5717653764b1","name":"i1","album":"Ferien","albumId":"01a228c3-355e-748c-b437-1a9da41a5dda","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":2,"createdAt":"2026-11-29T19:23:31.567Z","updatedAt":"2026-11-29T19:23:31.617Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-356f-721f-8838-5717653764b1/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(7,'01a228c3-35b1-77ab-bd87-9b671564000e','imagestore.image.deleted','01a228c3-355e-748c-b437-1a9da41a5dda','01a228c3-3590-7062-a702-274e45be8750',1795980211632,NULL,'{"id":"01a228c3-3590-7062-a702-274e45be8750","name":"i3","album":"Ferien","albumId":"01a228c3-355e-748c-b437-1a9da41a5dda","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:31.600Z","updatedAt":"2026-11-29T19:23:31.600Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-3590-7062-a702-274e45be8750/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO "events" VALUES(8,'01a228c3-3622-70cf-abe3-da0e113e1893','imagestore.image.updated','01a228c3-355e-748c-b437-1a9da41a5dda','01a228c3-356f-721f-8838-5717653764b1',1795980211746,NULL,'{"id":"01a228c3-356f-721f-8838-5717653764b1","name":"i1","album":"Ferien","albumId":"01a228c3-355e-748c-b437-1a9da41a5dda","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"sound":true,"unsoundReason":null,"revision":2,"createdAt":"2026-11-29T19:23:31.567Z","updatedAt":"2026-11-29T19:23:31.617Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-356f-721f-8838-5717653764b1/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described"}');
INSERT INTO "events" VALUES(9,'01a228c3-3679-7730-ae3e-e3283d722251','imagestore.image.updated','01a228c3-355e-748c-b437-1a9da41a5dda','01a228c3-357d-7243-b154-6df089cbaf94',1795980211833,NULL,'{"id":"01a228c3-357d-7243-b154-6df089cbaf94","name":"i2","album":"Ferien","albumId":"01a228c3-355e-748c-b437-1a9da41a5dda","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"sound":true,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:23:31.581Z","updatedAt":"2026-11-29T19:23:31.581Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a228c3-357d-7243-b154-6df089cbaf94/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described"}');
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
INSERT INTO "idempotency" VALUES('[null,"POST","/v1/albums"]','album','4b36af25172cc571e78e5c6ace8d3701883fdd790bf6e334ce68b66af3c112cf','{"id":"01a228c3-355e-748c-b437-1a9da41a5dda","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:23:31.553Z","updatedAt":"2026-11-29T19:23:31.553Z"}',1795980211553);
CREATE TABLE image_tags (
  tag text not null,
  image_id text not null references images (id) on delete cascade,
  primary key (tag, image_id)
) strict, without rowid;
INSERT INTO "image_tags" VALUES('sea','01a228c3-356f-721f-8838-5717653764b1');
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
INSERT INTO "images" VALUES('01a228c3-356f-721f-8838-5717653764b1','01a228c3-355e-748c-b437-1a9da41a5dda','i1','Strand',NULL,'{"a":"b"}','["sea"]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,2,1795980211567,1795980211617,NULL,NULL,1,'1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==','#00ff00',NULL,NULL,1,NULL);
INSERT INTO "images" VALUES('01a228c3-357d-7243-b154-6df089cbaf94','01a228c3-355e-748c-b437-1a9da41a5dda','i2',NULL,NULL,'{}','[]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,1,1795980211581,1795980211581,NULL,NULL,1,'1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==','#00ff00',NULL,NULL,1,NULL);
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
INSERT INTO "link_keys" VALUES(1,'store','XdZ2ie3GU7Eg9an1rZpp8jRjJDhCL-rGLp2LdEjW-Jc',1795980211471);
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
INSERT INTO "store" VALUES(1,'01a228c3-340f-7224-be46-c78407f4922f');
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
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',9);
COMMIT;
pragma user_version = 3;
