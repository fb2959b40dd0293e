SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.access_state (
    id integer NOT NULL,
    revision bigint NOT NULL,
    CONSTRAINT access_state_id_check CHECK ((id = 1))
);
CREATE TABLE public.albums (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    title text,
    description text,
    metadata text NOT NULL,
    state text DEFAULT 'live'::text NOT NULL COLLATE pg_catalog."C",
    image_count bigint DEFAULT 0 NOT NULL,
    byte_count bigint DEFAULT 0 NOT NULL,
    revision bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    public integer DEFAULT 0 NOT NULL,
    deleted_by text,
    max_bytes bigint,
    max_images bigint,
    CONSTRAINT albums_state_check CHECK ((state = ANY (ARRAY['live'::text, 'deleting'::text])))
)
WITH (fillfactor='80');
CREATE TABLE public.blobs (
    key text NOT NULL COLLATE pg_catalog."C",
    location text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    sha256 text NOT NULL COLLATE pg_catalog."C",
    image_id text COLLATE pg_catalog."C",
    state text NOT NULL COLLATE pg_catalog."C",
    changed_at bigint NOT NULL,
    reserved_at bigint,
    swept_at bigint,
    crc32 bigint,
    CONSTRAINT blobs_state_check CHECK ((state = ANY (ARRAY['pending'::text, 'live'::text, 'condemned'::text, 'deleting'::text])))
);
CREATE TABLE public.cursors (
    name text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    updated_at bigint NOT NULL
);
CREATE TABLE public.events (
    row_no bigint NOT NULL,
    seq bigint,
    id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    album_id text NOT NULL COLLATE pg_catalog."C",
    image_id text COLLATE pg_catalog."C",
    "time" bigint NOT NULL,
    traceparent text,
    data text NOT NULL,
    subject text COLLATE pg_catalog."C"
);
ALTER TABLE public.events ALTER COLUMN row_no ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.events_row_no_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.holds (
    id text NOT NULL COLLATE pg_catalog."C",
    until bigint NOT NULL
);
CREATE TABLE public.idempotency (
    scope text NOT NULL COLLATE pg_catalog."C",
    key text NOT NULL COLLATE pg_catalog."C",
    fingerprint text NOT NULL COLLATE pg_catalog."C",
    answer text,
    created_at bigint NOT NULL
);
CREATE TABLE public.image_tags (
    tag text NOT NULL COLLATE pg_catalog."C",
    image_id text NOT NULL COLLATE pg_catalog."C"
);
CREATE TABLE public.images (
    id text NOT NULL COLLATE pg_catalog."C",
    album_id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    title text,
    description text,
    metadata text NOT NULL,
    tags text NOT NULL,
    focal_x double precision,
    focal_y double precision,
    content_type text NOT NULL COLLATE pg_catalog."C",
    size bigint NOT NULL,
    sha256 text NOT NULL COLLATE pg_catalog."C",
    width bigint NOT NULL,
    height bigint NOT NULL,
    frames bigint NOT NULL,
    has_alpha integer NOT NULL,
    orientation integer NOT NULL,
    described integer DEFAULT 0 NOT NULL,
    placeholder text,
    dominant_colour text,
    exif text,
    taken_at bigint,
    sound integer,
    unsound_reason text,
    revision bigint NOT NULL,
    created_at bigint NOT NULL,
    updated_at bigint NOT NULL,
    charged_to text COLLATE pg_catalog."C"
);
CREATE TABLE public.keys (
    id text NOT NULL COLLATE pg_catalog."C",
    name text NOT NULL COLLATE pg_catalog."C",
    sha256 text NOT NULL COLLATE pg_catalog."C",
    grants text NOT NULL,
    revision bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL,
    expires_at bigint,
    revoked_at bigint,
    used_at bigint
);
CREATE TABLE public.leases (
    name text NOT NULL COLLATE pg_catalog."C",
    holder text NOT NULL COLLATE pg_catalog."C",
    token bigint NOT NULL,
    until bigint NOT NULL
);
CREATE TABLE public.link_keys (
    singleton integer NOT NULL,
    id text NOT NULL COLLATE pg_catalog."C",
    secret text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT link_keys_singleton_check CHECK ((singleton = 1))
);
CREATE TABLE public.log_state (
    id integer NOT NULL,
    epoch bigint NOT NULL,
    floor bigint NOT NULL,
    head bigint NOT NULL,
    bytes bigint NOT NULL,
    CONSTRAINT log_state_id_check CHECK ((id = 1))
);
CREATE TABLE public.quotas (
    scope text NOT NULL COLLATE pg_catalog."C",
    shard integer NOT NULL,
    max_bytes bigint,
    max_images bigint,
    bytes bigint NOT NULL,
    images bigint NOT NULL,
    ceiling_bytes bigint DEFAULT '-9007199254740991'::bigint NOT NULL,
    ceiling_images bigint DEFAULT '-9007199254740991'::bigint NOT NULL
);
CREATE TABLE public.sessions (
    id text NOT NULL COLLATE pg_catalog."C",
    sha256 text NOT NULL COLLATE pg_catalog."C",
    base_kind text NOT NULL COLLATE pg_catalog."C",
    base_id text COLLATE pg_catalog."C",
    caller text,
    created_at bigint NOT NULL,
    expires_at bigint NOT NULL
);
CREATE TABLE public.shares (
    id text NOT NULL COLLATE pg_catalog."C",
    sha256 text NOT NULL COLLATE pg_catalog."C",
    album_id text NOT NULL COLLATE pg_catalog."C",
    label text,
    rights text NOT NULL,
    originals integer NOT NULL,
    uses bigint DEFAULT 0 NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL,
    expires_at bigint,
    revoked_at bigint,
    used_at bigint
);
CREATE TABLE public.store (
    id integer NOT NULL,
    store_id text NOT NULL,
    version integer NOT NULL,
    CONSTRAINT store_id_check CHECK ((id = 1))
);
CREATE TABLE public.tickets (
    id text NOT NULL COLLATE pg_catalog."C",
    sha256 text NOT NULL COLLATE pg_catalog."C",
    album_id text NOT NULL COLLATE pg_catalog."C",
    name text COLLATE pg_catalog."C",
    fields text,
    max_bytes bigint,
    content_types text,
    files_left bigint NOT NULL,
    uploads text NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL,
    charged_to text COLLATE pg_catalog."C",
    expires_at bigint NOT NULL
);
CREATE TABLE public.webhook_blocked_albums (
    webhook_id text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    album_id text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    attempts bigint NOT NULL,
    next_attempt_at bigint NOT NULL,
    failing_since bigint NOT NULL
);
CREATE TABLE public.webhook_deliveries (
    webhook_id text NOT NULL COLLATE pg_catalog."C",
    id text NOT NULL COLLATE pg_catalog."C",
    event_id text NOT NULL COLLATE pg_catalog."C",
    type text NOT NULL COLLATE pg_catalog."C",
    seq bigint NOT NULL,
    replay integer NOT NULL,
    attempt bigint NOT NULL,
    started_at bigint NOT NULL,
    milliseconds bigint NOT NULL,
    delivered integer NOT NULL,
    status integer,
    error text COLLATE pg_catalog."C",
    error_detail text,
    response text NOT NULL
);
CREATE TABLE public.webhook_readers (
    webhook_id text NOT NULL COLLATE pg_catalog."C",
    kind text NOT NULL COLLATE pg_catalog."C",
    generation bigint NOT NULL,
    "position" bigint NOT NULL,
    until bigint,
    failures bigint DEFAULT 0 NOT NULL,
    failing_since bigint,
    retry_at bigint,
    lost_events_at bigint,
    CONSTRAINT webhook_readers_kind_check CHECK ((kind = ANY (ARRAY['live'::text, 'replay'::text])))
);
CREATE TABLE public.webhooks (
    id text NOT NULL COLLATE pg_catalog."C",
    url text NOT NULL,
    types text,
    albums text NOT NULL,
    description text,
    secrets text NOT NULL,
    paused integer NOT NULL,
    disabled_reason text COLLATE pg_catalog."C",
    disabled_at bigint,
    revision bigint NOT NULL,
    created_at bigint NOT NULL,
    created_by text NOT NULL,
    updated_at bigint NOT NULL
);
INSERT INTO public.access_state VALUES (1, 0);
INSERT INTO public.albums VALUES ('01a22ac9-7165-7074-a5e9-4f15aa13d38a', 'empty', NULL, NULL, '{}', 'live', 0, 0, 1, 1796014174565, 1796014174565, 0, NULL, NULL, NULL);
INSERT INTO public.albums VALUES ('01a22ac9-715a-76c7-9e93-6b91f572a71d', 'Ferien', 'T', 'D', '{"k":"v"}', 'live', 2, 140, 1, 1796014174554, 1796014174554, 0, NULL, NULL, NULL);
INSERT INTO public.blobs VALUES ('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.a2fc12647a526705', 'segment:01a22ac9-7171-76b3-a00d-a299f80b71de:4096:70:a2fc12647a526705', 70, '6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0', '01a22ac9-7172-726e-a7af-44b0b11ab6a3', 'live', 1796014174579, NULL, NULL, 474554515);
INSERT INTO public.blobs VALUES ('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.9da9085894ba4cfc', 'segment:01a22ac9-7171-76b3-a00d-a299f80b71de:8192:70:9da9085894ba4cfc', 70, '6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0', '01a22ac9-717c-768f-b745-25e32eb57fa1', 'live', 1796014174589, NULL, NULL, 474554515);
INSERT INTO public.blobs VALUES ('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.c3e2ce0255d18300', 'segment:01a22ac9-7171-76b3-a00d-a299f80b71de:12288:70:c3e2ce0255d18300', 70, '6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0', '01a22ac9-7183-73e1-bdb0-cf158f6a1fc5', 'condemned', 1796014174716, NULL, NULL, 474554515);
INSERT INTO public.cursors VALUES ('webhook:4Bq7mXw2Zr9TkLc1', 3, 1796022509978);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (1, 1, '01a22ac9-7162-72b8-bc92-5140fdbbc620', 'imagestore.album.created', '01a22ac9-715a-76c7-9e93-6b91f572a71d', NULL, 1796014174554, NULL, '{"id":"01a22ac9-715a-76c7-9e93-6b91f572a71d","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"visibility":"private","imageCount":0,"byteCount":0,"revision":1,"createdAt":"2026-11-30T04:49:34.554Z","updatedAt":"2026-11-30T04:49:34.554Z","reason":"user","actor":{"kind":"local","id":null,"name":null}}', NULL);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (2, 2, '01a22ac9-716a-7155-ba94-451fe5b78bc1', 'imagestore.album.created', '01a22ac9-7165-7074-a5e9-4f15aa13d38a', NULL, 1796014174565, NULL, '{"id":"01a22ac9-7165-7074-a5e9-4f15aa13d38a","name":"empty","title":null,"description":null,"metadata":{},"visibility":"private","imageCount":0,"byteCount":0,"revision":1,"createdAt":"2026-11-30T04:49:34.565Z","updatedAt":"2026-11-30T04:49:34.565Z","reason":"user","actor":{"kind":"local","id":null,"name":null}}', NULL);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (3, 3, '01a22ac9-7175-76a8-bd96-dc004f49d7fa', 'imagestore.image.created', '01a22ac9-715a-76c7-9e93-6b91f572a71d', '01a22ac9-7172-726e-a7af-44b0b11ab6a3', 1796014174579, NULL, '{"id":"01a22ac9-7172-726e-a7af-44b0b11ab6a3","name":"i1","album":"Ferien","albumId":"01a22ac9-715a-76c7-9e93-6b91f572a71d","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:34.579Z","updatedAt":"2026-11-30T04:49:34.579Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a22ac9-7172-726e-a7af-44b0b11ab6a3/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}', NULL);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (4, 4, '01a22ac9-717e-7185-a6b3-49b86d9f85a2', 'imagestore.image.created', '01a22ac9-715a-76c7-9e93-6b91f572a71d', '01a22ac9-717c-768f-b745-25e32eb57fa1', 1796014174589, NULL, '{"id":"01a22ac9-717c-768f-b745-25e32eb57fa1","name":"i2","album":"Ferien","albumId":"01a22ac9-715a-76c7-9e93-6b91f572a71d","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:34.589Z","updatedAt":"2026-11-30T04:49:34.589Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a22ac9-717c-768f-b745-25e32eb57fa1/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}', NULL);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (5, 5, '01a22ac9-7184-70f3-8708-ed73a2c87d47', 'imagestore.image.created', '01a22ac9-715a-76c7-9e93-6b91f572a71d', '01a22ac9-7183-73e1-bdb0-cf158f6a1fc5', 1796014174595, NULL, '{"id":"01a22ac9-7183-73e1-bdb0-cf158f6a1fc5","name":"i3","album":"Ferien","albumId":"01a22ac9-715a-76c7-9e93-6b91f572a71d","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:34.595Z","updatedAt":"2026-11-30T04:49:34.595Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a22ac9-7183-73e1-bdb0-cf158f6a1fc5/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}', NULL);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (9, 9, '01a22ac9-71d0-76d6-8a22-569eefd21a11', 'imagestore.image.updated', '01a22ac9-715a-76c7-9e93-6b91f572a71d', '01a22ac9-717c-768f-b745-25e32eb57fa1', 1796014174670, NULL, '{"id":"01a22ac9-717c-768f-b745-25e32eb57fa1","name":"i2","album":"Ferien","albumId":"01a22ac9-715a-76c7-9e93-6b91f572a71d","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:34.589Z","updatedAt":"2026-11-30T04:49:34.589Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a22ac9-717c-768f-b745-25e32eb57fa1/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described","actor":{"kind":"store","id":null,"name":null}}', NULL);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (6, 6, '01a22ac9-718c-70e9-ae46-e27f7660d5f9', 'imagestore.image.updated', '01a22ac9-715a-76c7-9e93-6b91f572a71d', '01a22ac9-7172-726e-a7af-44b0b11ab6a3', 1796014174602, NULL, '{"id":"01a22ac9-7172-726e-a7af-44b0b11ab6a3","name":"i1","album":"Ferien","albumId":"01a22ac9-715a-76c7-9e93-6b91f572a71d","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"decodable":null,"decodeError":null,"revision":2,"createdAt":"2026-11-30T04:49:34.579Z","updatedAt":"2026-11-30T04:49:34.602Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a22ac9-7172-726e-a7af-44b0b11ab6a3/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}', NULL);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (7, 7, '01a22ac9-71c6-7696-97ab-491ec5a41c82', 'imagestore.image.updated', '01a22ac9-715a-76c7-9e93-6b91f572a71d', '01a22ac9-7172-726e-a7af-44b0b11ab6a3', 1796014174656, NULL, '{"id":"01a22ac9-7172-726e-a7af-44b0b11ab6a3","name":"i1","album":"Ferien","albumId":"01a22ac9-715a-76c7-9e93-6b91f572a71d","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":2,"createdAt":"2026-11-30T04:49:34.579Z","updatedAt":"2026-11-30T04:49:34.602Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a22ac9-7172-726e-a7af-44b0b11ab6a3/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described","actor":{"kind":"store","id":null,"name":null}}', NULL);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (8, 8, '01a22ac9-71c9-7617-881e-a12b7a6a52a6', 'imagestore.image.updated', '01a22ac9-715a-76c7-9e93-6b91f572a71d', '01a22ac9-7183-73e1-bdb0-cf158f6a1fc5', 1796014174660, NULL, '{"id":"01a22ac9-7183-73e1-bdb0-cf158f6a1fc5","name":"i3","album":"Ferien","albumId":"01a22ac9-715a-76c7-9e93-6b91f572a71d","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:34.595Z","updatedAt":"2026-11-30T04:49:34.595Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a22ac9-7183-73e1-bdb0-cf158f6a1fc5/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described","actor":{"kind":"store","id":null,"name":null}}', NULL);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (10, 10, '01a22ac9-71fd-775d-b729-1b68f4923c92', 'imagestore.image.deleted', '01a22ac9-715a-76c7-9e93-6b91f572a71d', '01a22ac9-7183-73e1-bdb0-cf158f6a1fc5', 1796014174716, NULL, '{"id":"01a22ac9-7183-73e1-bdb0-cf158f6a1fc5","name":"i3","album":"Ferien","albumId":"01a22ac9-715a-76c7-9e93-6b91f572a71d","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"decodable":true,"decodeError":null,"revision":1,"createdAt":"2026-11-30T04:49:34.595Z","updatedAt":"2026-11-30T04:49:34.595Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a22ac9-7183-73e1-bdb0-cf158f6a1fc5/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user","actor":{"kind":"local","id":null,"name":null}}', NULL);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (11, 11, '01a22b48-a17b-7451-a3d5-6562c01dc7a8', 'imagestore.webhook.created', '', NULL, 1796022509942, NULL, '{"id":"4Bq7mXw2Zr9TkLc1","url":"https://example.com/hook","types":["imagestore.image.created"],"albums":{"names":["Fer*"]},"description":"CDN","paused":false,"disabled":null,"revision":1,"createdAt":"2026-11-30T07:08:29.942Z","updatedAt":"2026-11-30T07:08:29.942Z","createdBy":{"kind":"store","id":null,"name":null},"reason":"user","actor":{"kind":"store","id":null,"name":null}}', 'webhooks/4Bq7mXw2Zr9TkLc1');
INSERT INTO public.image_tags VALUES ('sea', '01a22ac9-7172-726e-a7af-44b0b11ab6a3');
INSERT INTO public.images VALUES ('01a22ac9-7172-726e-a7af-44b0b11ab6a3', '01a22ac9-715a-76c7-9e93-6b91f572a71d', 'i1', 'Strand', NULL, '{"a":"b"}', '["sea"]', NULL, NULL, 'image/png', 70, '6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0', 1, 1, 1, 1, 1, 1, '1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==', '#00ff00', NULL, NULL, 1, NULL, 2, 1796014174579, 1796014174602, NULL);
INSERT INTO public.images VALUES ('01a22ac9-717c-768f-b745-25e32eb57fa1', '01a22ac9-715a-76c7-9e93-6b91f572a71d', 'i2', NULL, NULL, '{}', '[]', NULL, NULL, 'image/png', 70, '6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0', 1, 1, 1, 1, 1, 1, '1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==', '#00ff00', NULL, NULL, 1, NULL, 1, 1796014174589, 1796014174589, NULL);
INSERT INTO public.leases VALUES ('retention', '', 1, 0);
INSERT INTO public.leases VALUES ('sweep', '', 1, 0);
INSERT INTO public.leases VALUES ('album-deletion', '', 1, 0);
INSERT INTO public.leases VALUES ('describe/2', '', 1, 0);
INSERT INTO public.leases VALUES ('describe/3', '', 1, 0);
INSERT INTO public.leases VALUES ('describe/0', '', 1, 0);
INSERT INTO public.leases VALUES ('describe/1', '', 1, 0);
INSERT INTO public.link_keys VALUES (1, 'store', 'hE2HFMXBuFnE-5Gzp16o2qQC7fUQbou5tyaYRZ3O1bQ', 1796014174523);
INSERT INTO public.log_state VALUES (1, 29933569, 0, 11, 7720);
INSERT INTO public.store VALUES (1, '01a22ac9-70ee-7112-977f-2daf076be381', 5);
INSERT INTO public.webhook_blocked_albums VALUES ('4Bq7mXw2Zr9TkLc1', 'live', '01a22ac9-715a-76c7-9e93-6b91f572a71d', 4, 1, 1796014179600, 1796014174600);
INSERT INTO public.webhook_deliveries VALUES ('4Bq7mXw2Zr9TkLc1', '01a22b48-a198-73f1-a725-be6af306e94a', '01a22b48-a198-73f2-82e4-ff48ab738394', 'imagestore.image.created', 3, 0, 1, 1796014174590, 9, 1, 204, NULL, NULL, '');
INSERT INTO public.webhook_deliveries VALUES ('4Bq7mXw2Zr9TkLc1', '01a22b48-a198-73f3-88aa-472fb32d9ff9', '01a22b48-a198-73f4-b5c5-50c8f87dc0eb', 'imagestore.image.created', 4, 0, 1, 1796014174600, 9, 0, 500, 'status', 'The receiver answered 500.', 'oops');
INSERT INTO public.webhook_readers VALUES ('4Bq7mXw2Zr9TkLc1', 'live', 1796022509942, 10, NULL, 1, 1796014174600, NULL, NULL);
INSERT INTO public.webhooks VALUES ('4Bq7mXw2Zr9TkLc1', 'https://example.com/hook', '["imagestore.image.created"]', '{"names":["Fer*"]}', 'CDN', '[{"secret":"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz","until":null}]', 0, NULL, NULL, 1, 1796022509942, '{"kind":"store","id":null,"name":null}', 1796022509942);
SELECT pg_catalog.setval('public.events_row_no_seq', 11, true);
ALTER TABLE ONLY public.access_state
    ADD CONSTRAINT access_state_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.albums
    ADD CONSTRAINT albums_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.cursors
    ADD CONSTRAINT cursors_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.holds
    ADD CONSTRAINT holds_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.idempotency
    ADD CONSTRAINT idempotency_pkey PRIMARY KEY (scope, key);
ALTER TABLE ONLY public.image_tags
    ADD CONSTRAINT image_tags_pkey PRIMARY KEY (tag, image_id);
ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.keys
    ADD CONSTRAINT keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.link_keys
    ADD CONSTRAINT link_keys_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY public.log_state
    ADD CONSTRAINT log_state_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.quotas
    ADD CONSTRAINT quotas_pkey PRIMARY KEY (scope, shard);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.store
    ADD CONSTRAINT store_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.tickets
    ADD CONSTRAINT tickets_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.webhook_blocked_albums
    ADD CONSTRAINT webhook_blocked_albums_pkey PRIMARY KEY (webhook_id, kind, album_id);
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (webhook_id, id);
ALTER TABLE ONLY public.webhook_readers
    ADD CONSTRAINT webhook_readers_pkey PRIMARY KEY (webhook_id, kind);
ALTER TABLE ONLY public.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);
CREATE INDEX albums_created ON public.albums USING btree (created_at, id) WHERE (state = 'live'::text);
CREATE INDEX albums_deleting ON public.albums USING btree (id) WHERE (state = 'deleting'::text);
CREATE INDEX albums_limited ON public.albums USING btree (id) WHERE ((max_bytes IS NOT NULL) OR (max_images IS NOT NULL));
CREATE UNIQUE INDEX albums_name ON public.albums USING btree (name) WHERE (state = 'live'::text);
CREATE INDEX albums_public ON public.albums USING btree (id) WHERE (public = 1);
CREATE INDEX albums_updated ON public.albums USING btree (updated_at, id) WHERE (state = 'live'::text);
CREATE UNIQUE INDEX blobs_image ON public.blobs USING btree (image_id) WHERE (state = 'live'::text);
CREATE INDEX blobs_leaving ON public.blobs USING btree (state, changed_at, key) WHERE (state <> 'live'::text);
CREATE INDEX events_album ON public.events USING btree (album_id, type, seq) WHERE (seq IS NOT NULL);
CREATE UNIQUE INDEX events_seq ON public.events USING btree (seq) WHERE (seq IS NOT NULL);
CREATE INDEX events_type ON public.events USING btree (type, seq) WHERE (seq IS NOT NULL);
CREATE UNIQUE INDEX events_unstamped ON public.events USING btree (row_no) WHERE (seq IS NULL);
CREATE INDEX idempotency_created ON public.idempotency USING btree (created_at);
CREATE INDEX image_tags_image ON public.image_tags USING btree (image_id);
CREATE INDEX images_album_created ON public.images USING btree (album_id, created_at, id);
CREATE UNIQUE INDEX images_album_name ON public.images USING btree (album_id, name);
CREATE INDEX images_album_taken ON public.images USING btree (album_id, taken_at, id) WHERE (taken_at IS NOT NULL);
CREATE INDEX images_album_updated ON public.images USING btree (album_id, updated_at, id);
CREATE INDEX images_charged ON public.images USING btree (charged_to, size) WHERE (charged_to IS NOT NULL);
CREATE INDEX images_content_type ON public.images USING btree (content_type, album_id, id);
CREATE INDEX images_created ON public.images USING btree (created_at, id);
CREATE INDEX images_name ON public.images USING btree (name, id);
CREATE INDEX images_sha256 ON public.images USING btree (sha256);
CREATE INDEX images_taken ON public.images USING btree (taken_at, id) WHERE (taken_at IS NOT NULL);
CREATE INDEX images_undated ON public.images USING btree (described, id) WHERE (taken_at IS NULL);
CREATE INDEX images_updated ON public.images USING btree (updated_at, id);
CREATE INDEX keys_created ON public.keys USING btree (created_at, id);
CREATE INDEX sessions_base ON public.sessions USING btree (base_kind, base_id, created_at, id);
CREATE INDEX sessions_expiring ON public.sessions USING btree (expires_at, id);
CREATE INDEX shares_album ON public.shares USING btree (album_id, id);
CREATE INDEX tickets_album ON public.tickets USING btree (album_id, created_at, id);
CREATE INDEX tickets_expiring ON public.tickets USING btree (expires_at, id);
CREATE INDEX webhooks_created ON public.webhooks USING btree (created_at, id);
ALTER TABLE ONLY public.image_tags
    ADD CONSTRAINT image_tags_image_id_fkey FOREIGN KEY (image_id) REFERENCES public.images(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_album_id_fkey FOREIGN KEY (album_id) REFERENCES public.albums(id);
ALTER TABLE ONLY public.shares
    ADD CONSTRAINT shares_album_id_fkey FOREIGN KEY (album_id) REFERENCES public.albums(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.tickets
    ADD CONSTRAINT tickets_album_id_fkey FOREIGN KEY (album_id) REFERENCES public.albums(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_blocked_albums
    ADD CONSTRAINT webhook_blocked_albums_webhook_id_kind_fkey FOREIGN KEY (webhook_id, kind) REFERENCES public.webhook_readers(webhook_id, kind) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.webhooks(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.webhook_readers
    ADD CONSTRAINT webhook_readers_webhook_id_fkey FOREIGN KEY (webhook_id) REFERENCES public.webhooks(id) ON DELETE CASCADE;
