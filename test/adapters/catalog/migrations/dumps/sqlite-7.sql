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
INSERT INTO "albums" VALUES('01a22ac9-6e93-76d0-b997-b0bea443f361','Ferien','T','D','{"k":"v"}','live',2,140,1,1796014173843,1796014173843,0,NULL,NULL,NULL);
INSERT INTO "albums" VALUES('01a22ac9-6e97-736d-a4ed-ad3ba9f8bc3d','empty',NULL,NULL,'{}','live',0,0,1,1796014173847,1796014173847,0,NULL,NULL,NULL);
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
, crc32 integer) strict;
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.680ca0849e0b24c0','segment:01a22ac9-6e9f-7064-8ba9-8ee35784cba6:4096:70:680ca0849e0b24c0',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a22ac9-6ea0-717f-99ee-38d2019d65dd','live',1796014173857,NULL,NULL,474554515);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.d0776ea8c9ff516d','segment:01a22ac9-6e9f-7064-8ba9-8ee35784cba6:8192:70:d0776ea8c9ff516d',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a22ac9-6ea6-752e-acfe-d315d7189572','live',1796014173862,NULL,NULL,474554515);
INSERT INTO "blobs" VALUES('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.8691bdbd3cafbf03','segment:01a22ac9-6e9f-7064-8ba9-8ee35784cba6:12288:70:8691bdbd3cafbf03',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0','01a22ac9-6ea7-7763-91c7-3e14f8a8057d','condemned',1796014173971,NULL,NULL,474554515);
CREATE TABLE cursors (
  name text primary key,
  seq integer not null,
  updated_at integer not null
) strict, without rowid;
INSERT INTO "cursors" VALUES('webhook:4Bq7mXw2Zr9TkLc1',3,1796022504825);
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
INSERT INTO "events" VALUES(1,'01a22ac9-6e95-7587-bdbe-d22f0f2a1dfc','imagestore.album.created','01a22ac9-6e93-76d0-b997-b0bea443f361',NULL,1796014173843,NULL,'{"id":"01a22ac9-6e93-76d0-b997-b0bea443f361","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"visibility":"private","imageCount":0,"byteCount":0,"revision":1,"createdAt":"2026-11-30T04:49:33.843Z","updatedAt":"2026-11-30T04:49:33.843Z","reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(2,'01a22ac9-6e97-736e-9753-fc01554a7618','imagestore.album.created','01a22ac9-6e97-736d-a4ed-ad3ba9f8bc3d',NULL,1796014173847,NULL,'{"id":"01a22ac9-6e97-736d-a4ed-ad3ba9f8bc3d","name":"empty","title":null,"description":null,"metadata":{},"visibility":"private","imageCount":0,"byteCount":0,"revision":1,"createdAt":"2026-11-30T04:49:33.847Z","updatedAt":"2026-11-30T04:49:33.847Z","reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(3,'01a22ac9-6ea2-7719-9629-99a94a94c4a1','imagestore.image.created','01a22ac9-6e93-76d0-b997-b0bea443f361','01a22ac9-6ea0-717f-99ee-38d2019d65dd',1796014173857,NULL,'{"id":"01a22ac9-6ea0-717f-99ee-38d2019d65dd","name":"i1","album":"Ferien","albumId":"01a22ac9-6e93-76d0-b997-b0bea443f361","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:33.857Z","updatedAt":"2026-11-30T04:49:33.857Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a22ac9-6ea0-717f-99ee-38d2019d65dd/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(4,'01a22ac9-6ea6-752f-a6f2-b9eb95b7a5c9','imagestore.image.created','01a22ac9-6e93-76d0-b997-b0bea443f361','01a22ac9-6ea6-752e-acfe-d315d7189572',1796014173862,NULL,'{"id":"01a22ac9-6ea6-752e-acfe-d315d7189572","name":"i2","album":"Ferien","albumId":"01a22ac9-6e93-76d0-b997-b0bea443f361","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:33.862Z","updatedAt":"2026-11-30T04:49:33.862Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a22ac9-6ea6-752e-acfe-d315d7189572/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(5,'01a22ac9-6ea8-70c5-b164-e874f4ebc120','imagestore.image.created','01a22ac9-6e93-76d0-b997-b0bea443f361','01a22ac9-6ea7-7763-91c7-3e14f8a8057d',1796014173863,NULL,'{"id":"01a22ac9-6ea7-7763-91c7-3e14f8a8057d","name":"i3","album":"Ferien","albumId":"01a22ac9-6e93-76d0-b997-b0bea443f361","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:33.863Z","updatedAt":"2026-11-30T04:49:33.863Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a22ac9-6ea7-7763-91c7-3e14f8a8057d/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(6,'01a22ac9-6eaa-71ab-9253-521d7c0c7242','imagestore.image.updated','01a22ac9-6e93-76d0-b997-b0bea443f361','01a22ac9-6ea0-717f-99ee-38d2019d65dd',1796014173865,NULL,'{"id":"01a22ac9-6ea0-717f-99ee-38d2019d65dd","name":"i1","album":"Ferien","albumId":"01a22ac9-6e93-76d0-b997-b0bea443f361","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":2,"createdAt":"2026-11-30T04:49:33.857Z","updatedAt":"2026-11-30T04:49:33.865Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a22ac9-6ea0-717f-99ee-38d2019d65dd/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(7,'01a22ac9-6ede-71a9-8cc8-8a3a423d5a56','imagestore.image.updated','01a22ac9-6e93-76d0-b997-b0bea443f361','01a22ac9-6ea0-717f-99ee-38d2019d65dd',1796014173917,NULL,'{"id":"01a22ac9-6ea0-717f-99ee-38d2019d65dd","name":"i1","album":"Ferien","albumId":"01a22ac9-6e93-76d0-b997-b0bea443f361","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":2,"createdAt":"2026-11-30T04:49:33.857Z","updatedAt":"2026-11-30T04:49:33.865Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a22ac9-6ea0-717f-99ee-38d2019d65dd/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described","actor":{"kind":"store","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(8,'01a22ac9-6ee0-751c-ad17-d616352e1982','imagestore.image.updated','01a22ac9-6e93-76d0-b997-b0bea443f361','01a22ac9-6ea7-7763-91c7-3e14f8a8057d',1796014173920,NULL,'{"id":"01a22ac9-6ea7-7763-91c7-3e14f8a8057d","name":"i3","album":"Ferien","albumId":"01a22ac9-6e93-76d0-b997-b0bea443f361","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:33.863Z","updatedAt":"2026-11-30T04:49:33.863Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a22ac9-6ea7-7763-91c7-3e14f8a8057d/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described","actor":{"kind":"store","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(9,'01a22ac9-6ee1-7087-883d-c4df5bce27b3','imagestore.image.updated','01a22ac9-6e93-76d0-b997-b0bea443f361','01a22ac9-6ea6-752e-acfe-d315d7189572',1796014173921,NULL,'{"id":"01a22ac9-6ea6-752e-acfe-d315d7189572","name":"i2","album":"Ferien","albumId":"01a22ac9-6e93-76d0-b997-b0bea443f361","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:33.862Z","updatedAt":"2026-11-30T04:49:33.862Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a22ac9-6ea6-752e-acfe-d315d7189572/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described","actor":{"kind":"store","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(10,'01a22ac9-6f14-77b3-be36-082cda66c934','imagestore.image.deleted','01a22ac9-6e93-76d0-b997-b0bea443f361','01a22ac9-6ea7-7763-91c7-3e14f8a8057d',1796014173971,NULL,'{"id":"01a22ac9-6ea7-7763-91c7-3e14f8a8057d","name":"i3","album":"Ferien","albumId":"01a22ac9-6e93-76d0-b997-b0bea443f361","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:33.863Z","updatedAt":"2026-11-30T04:49:33.863Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a22ac9-6ea7-7763-91c7-3e14f8a8057d/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}',NULL);
INSERT INTO "events" VALUES(11,'01a22b48-8d76-7287-8c1b-dfc4762d81f9','imagestore.webhook.created','',NULL,1796022504821,NULL,'{"id":"4Bq7mXw2Zr9TkLc1","url":"https://example.com/hook","types":["imagestore.image.created"],"albums":{"names":["Fer*"]},"description":"CDN","paused":false,"disabled":null,"revision":1,"createdAt":"2026-11-30T07:08:24.821Z","updatedAt":"2026-11-30T07:08:24.821Z","createdBy":{"kind":"store","id":null,"name":null},"reason":"user","actor":{"kind":"store","id":null,"name":null}}','webhooks/4Bq7mXw2Zr9TkLc1');
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
INSERT INTO "image_tags" VALUES('sea','01a22ac9-6ea0-717f-99ee-38d2019d65dd');
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
INSERT INTO "images" VALUES('01a22ac9-6ea0-717f-99ee-38d2019d65dd','01a22ac9-6e93-76d0-b997-b0bea443f361','i1','Strand',NULL,'{"a":"b"}','["sea"]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,2,1796014173857,1796014173865,NULL,NULL,1,'1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==','#00ff00',NULL,NULL,1,NULL,NULL);
INSERT INTO "images" VALUES('01a22ac9-6ea6-752e-acfe-d315d7189572','01a22ac9-6e93-76d0-b997-b0bea443f361','i2',NULL,NULL,'{}','[]','image/png',70,'6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0',1,1,1,1,1,1,1796014173862,1796014173862,NULL,NULL,1,'1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==','#00ff00',NULL,NULL,1,NULL,NULL);
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
INSERT INTO "link_keys" VALUES(1,'store','WKVijbGOmHttigaLEgNZoemXyzhfhLU16z8Xq9d6KMc',1796014173824);
CREATE TABLE log_state (
  id integer primary key check (id = 1),
  epoch integer not null,
  floor integer not null,
  head integer not null,
  bytes integer not null
) strict;
INSERT INTO "log_state" VALUES(1,29933569,0,11,7720);
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
INSERT INTO "store" VALUES(1,'01a22ac9-6e3b-75b1-b6e0-f79923646929');
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
CREATE TABLE webhook_blocked_albums (
  webhook_id text not null,
  kind text not null,
  album_id text not null,
  seq integer not null,
  attempts integer not null,
  next_attempt_at integer not null,
  failing_since integer not null,
  primary key (webhook_id, kind, album_id),
  foreign key (webhook_id, kind) references webhook_readers (webhook_id, kind) on delete cascade
) strict, without rowid;
INSERT INTO "webhook_blocked_albums" VALUES('4Bq7mXw2Zr9TkLc1','live','01a22ac9-6e93-76d0-b997-b0bea443f361',4,1,1796014179600,1796014174600);
CREATE TABLE webhook_deliveries (
  webhook_id text not null references webhooks (id) on delete cascade,
  id text not null,
  event_id text not null,
  type text not null,
  seq integer not null,
  replay integer not null,
  attempt integer not null,
  started_at integer not null,
  milliseconds integer not null,
  delivered integer not null,
  status integer,
  error text,
  error_detail text,
  response text not null,
  primary key (webhook_id, id)
) strict, without rowid;
INSERT INTO "webhook_deliveries" VALUES('4Bq7mXw2Zr9TkLc1','01a22b48-8d79-76ec-ab7b-1e4a6bc87567','01a22b48-8d79-76ed-97ed-4ae710b2ba5a','imagestore.image.created',3,0,1,1796014174590,9,1,204,NULL,NULL,'');
INSERT INTO "webhook_deliveries" VALUES('4Bq7mXw2Zr9TkLc1','01a22b48-8d79-76ee-827c-27e7d217adf7','01a22b48-8d79-76ef-9958-3d130fefa0df','imagestore.image.created',4,0,1,1796014174600,9,0,500,'status','The receiver answered 500.','oops');
CREATE TABLE webhook_readers (
  webhook_id text not null references webhooks (id) on delete cascade,
  kind text not null check (kind in ('live', 'replay')),
  generation integer not null,
  position integer not null,
  until integer,
  failures integer not null default 0,
  failing_since integer,
  retry_at integer,
  lost_events_at integer,
  primary key (webhook_id, kind)
) strict, without rowid;
INSERT INTO "webhook_readers" VALUES('4Bq7mXw2Zr9TkLc1','live',1796022504821,10,NULL,1,1796014174600,NULL,NULL);
CREATE TABLE webhooks (
  id text primary key,
  url text not null,
  types text,
  albums text not null,
  description text,
  secrets text not null,
  paused integer not null,
  disabled_reason text,
  disabled_at integer,
  revision integer not null,
  created_at integer not null,
  created_by text not null,
  updated_at integer not null
) strict, without rowid;
INSERT INTO "webhooks" VALUES('4Bq7mXw2Zr9TkLc1','https://example.com/hook','["imagestore.image.created"]','{"names":["Fer*"]}','CDN','[{"secret":"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz","until":null}]',0,NULL,NULL,1,1796022504821,'{"kind":"store","id":null,"name":null}',1796022504821);
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
CREATE INDEX webhooks_created on webhooks (created_at, id);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('events',11);
COMMIT;
pragma user_version = 7;
