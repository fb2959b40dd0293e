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
    data text NOT NULL
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
    updated_at bigint NOT NULL
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
CREATE TABLE public.store (
    id integer NOT NULL,
    store_id text NOT NULL,
    version integer NOT NULL,
    CONSTRAINT store_id_check CHECK ((id = 1))
);
INSERT INTO public.albums VALUES ('01a228c3-c7f1-7556-9988-4f69b5ad3bfb', 'empty', NULL, NULL, '{}', 'live', 0, 0, 1, 1795980249073, 1795980249073);
INSERT INTO public.albums VALUES ('01a228c3-c7dc-75ae-994e-e108d72319fa', 'Ferien', 'T', 'D', '{"k":"v"}', 'live', 2, 140, 1, 1795980249053, 1795980249053);
INSERT INTO public.blobs VALUES ('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.59fe2b15b49b407c', 'segment:01a228c3-c7f6-743c-a1f8-01c46a0297e0:4096:70:59fe2b15b49b407c', 70, '6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0', '01a228c3-c7fc-725a-83ae-56364dbc3f31', 'live', 1795980249085, NULL, NULL);
INSERT INTO public.blobs VALUES ('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.a7848eb70fd74163', 'segment:01a228c3-c7f6-743c-a1f8-01c46a0297e0:8192:70:a7848eb70fd74163', 70, '6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0', '01a228c3-c805-71bb-bde4-e1e5aabe56f1', 'live', 1795980249093, NULL, NULL);
INSERT INTO public.blobs VALUES ('6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0.34d3d0e55e716819', 'segment:01a228c3-c7f6-743c-a1f8-01c46a0297e0:12288:70:34d3d0e55e716819', 70, '6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0', '01a228c3-c829-7707-bf7c-b96bb3c69477', 'condemned', 1795980249220, NULL, NULL);
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (1, 1, '01a228c3-c7eb-7323-9a57-5bb263ca0bc5', 'imagestore.album.created', '01a228c3-c7dc-75ae-994e-e108d72319fa', NULL, 1795980249053, NULL, '{"id":"01a228c3-c7dc-75ae-994e-e108d72319fa","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:24:09.053Z","updatedAt":"2026-11-29T19:24:09.053Z","reason":"user"}');
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (2, 2, '01a228c3-c7f2-71a2-8d8c-d214d68fc177', 'imagestore.album.created', '01a228c3-c7f1-7556-9988-4f69b5ad3bfb', NULL, 1795980249073, NULL, '{"id":"01a228c3-c7f1-7556-9988-4f69b5ad3bfb","name":"empty","title":null,"description":null,"metadata":{},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:24:09.073Z","updatedAt":"2026-11-29T19:24:09.073Z","reason":"user"}');
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (3, 3, '01a228c3-c800-7100-b836-e509f26557bd', 'imagestore.image.created', '01a228c3-c7dc-75ae-994e-e108d72319fa', '01a228c3-c7fc-725a-83ae-56364dbc3f31', 1795980249085, NULL, '{"id":"01a228c3-c7fc-725a-83ae-56364dbc3f31","name":"i1","album":"Ferien","albumId":"01a228c3-c7dc-75ae-994e-e108d72319fa","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:24:09.085Z","updatedAt":"2026-11-29T19:24:09.085Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-c7fc-725a-83ae-56364dbc3f31/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (4, 4, '01a228c3-c807-77db-bc71-f7b150181b9c', 'imagestore.image.created', '01a228c3-c7dc-75ae-994e-e108d72319fa', '01a228c3-c805-71bb-bde4-e1e5aabe56f1', 1795980249093, NULL, '{"id":"01a228c3-c805-71bb-bde4-e1e5aabe56f1","name":"i2","album":"Ferien","albumId":"01a228c3-c7dc-75ae-994e-e108d72319fa","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:24:09.093Z","updatedAt":"2026-11-29T19:24:09.093Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a228c3-c805-71bb-bde4-e1e5aabe56f1/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (5, 5, '01a228c3-c82d-7583-8a2e-efa7179a7609', 'imagestore.image.created', '01a228c3-c7dc-75ae-994e-e108d72319fa', '01a228c3-c829-7707-bf7c-b96bb3c69477', 1795980249130, NULL, '{"id":"01a228c3-c829-7707-bf7c-b96bb3c69477","name":"i3","album":"Ferien","albumId":"01a228c3-c7dc-75ae-994e-e108d72319fa","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:24:09.130Z","updatedAt":"2026-11-29T19:24:09.130Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-c829-7707-bf7c-b96bb3c69477/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (6, 6, '01a228c3-c86c-727f-8a80-dfd8900b6b2e', 'imagestore.image.updated', '01a228c3-c7dc-75ae-994e-e108d72319fa', '01a228c3-c7fc-725a-83ae-56364dbc3f31', 1795980249163, NULL, '{"id":"01a228c3-c7fc-725a-83ae-56364dbc3f31","name":"i1","album":"Ferien","albumId":"01a228c3-c7dc-75ae-994e-e108d72319fa","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":2,"createdAt":"2026-11-29T19:24:09.085Z","updatedAt":"2026-11-29T19:24:09.163Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-c7fc-725a-83ae-56364dbc3f31/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (7, 7, '01a228c3-c88d-72bd-bf3e-27e19f15e8ca', 'imagestore.image.deleted', '01a228c3-c7dc-75ae-994e-e108d72319fa', '01a228c3-c829-7707-bf7c-b96bb3c69477', 1795980249220, NULL, '{"id":"01a228c3-c829-7707-bf7c-b96bb3c69477","name":"i3","album":"Ferien","albumId":"01a228c3-c7dc-75ae-994e-e108d72319fa","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":false,"placeholder":null,"dominantColour":null,"exif":null,"sound":null,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:24:09.130Z","updatedAt":"2026-11-29T19:24:09.130Z","links":{"self":"/v1/albums/Ferien/images/i3","content":"/v1/images/01a228c3-c829-7707-bf7c-b96bb3c69477/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"user"}');
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (8, 8, '01a228c3-c8d2-75b7-9709-2bb494514bbe', 'imagestore.image.updated', '01a228c3-c7dc-75ae-994e-e108d72319fa', '01a228c3-c7fc-725a-83ae-56364dbc3f31', 1795980249293, NULL, '{"id":"01a228c3-c7fc-725a-83ae-56364dbc3f31","name":"i1","album":"Ferien","albumId":"01a228c3-c7dc-75ae-994e-e108d72319fa","title":"Strand","description":null,"metadata":{"a":"b"},"tags":["sea"],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"sound":true,"unsoundReason":null,"revision":2,"createdAt":"2026-11-29T19:24:09.085Z","updatedAt":"2026-11-29T19:24:09.163Z","links":{"self":"/v1/albums/Ferien/images/i1","content":"/v1/images/01a228c3-c7fc-725a-83ae-56364dbc3f31/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described"}');
INSERT INTO public.events OVERRIDING SYSTEM VALUE VALUES (9, 9, '01a228c3-c8d6-71c2-88a6-64b12577affd', 'imagestore.image.updated', '01a228c3-c7dc-75ae-994e-e108d72319fa', '01a228c3-c805-71bb-bde4-e1e5aabe56f1', 1795980249301, NULL, '{"id":"01a228c3-c805-71bb-bde4-e1e5aabe56f1","name":"i2","album":"Ferien","albumId":"01a228c3-c7dc-75ae-994e-e108d72319fa","title":null,"description":null,"metadata":{},"tags":[],"focalPoint":null,"contentType":"image/png","size":70,"sha256":"6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0","width":1,"height":1,"frames":1,"hasAlpha":true,"orientation":1,"described":true,"placeholder":"1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==","dominantColour":"#00ff00","exif":null,"sound":true,"unsoundReason":null,"revision":1,"createdAt":"2026-11-29T19:24:09.093Z","updatedAt":"2026-11-29T19:24:09.093Z","links":{"self":"/v1/albums/Ferien/images/i2","content":"/v1/images/01a228c3-c805-71bb-bde4-e1e5aabe56f1/content/6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0"},"reason":"described"}');
INSERT INTO public.idempotency VALUES ('[null,"POST","/v1/albums"]', 'album', '4b36af25172cc571e78e5c6ace8d3701883fdd790bf6e334ce68b66af3c112cf', '{"id":"01a228c3-c7dc-75ae-994e-e108d72319fa","name":"Ferien","title":"T","description":"D","metadata":{"k":"v"},"imageCount":0,"revision":1,"createdAt":"2026-11-29T19:24:09.053Z","updatedAt":"2026-11-29T19:24:09.053Z"}', 1795980249053);
INSERT INTO public.image_tags VALUES ('sea', '01a228c3-c7fc-725a-83ae-56364dbc3f31');
INSERT INTO public.images VALUES ('01a228c3-c7fc-725a-83ae-56364dbc3f31', '01a228c3-c7dc-75ae-994e-e108d72319fa', 'i1', 'Strand', NULL, '{"a":"b"}', '["sea"]', NULL, NULL, 'image/png', 70, '6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0', 1, 1, 1, 1, 1, 1, '1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==', '#00ff00', NULL, NULL, 1, NULL, 2, 1795980249085, 1795980249163);
INSERT INTO public.images VALUES ('01a228c3-c805-71bb-bde4-e1e5aabe56f1', '01a228c3-c7dc-75ae-994e-e108d72319fa', 'i2', NULL, NULL, '{}', '[]', NULL, NULL, 'image/png', 70, '6b7fa434f92a8b80aab02d9bf1a12e49ffcae424e4013a1c4f68b67e3d2bbcd0', 1, 1, 1, 1, 1, 1, '1QuoBX93CPeIh3B/+AiIcH/4CPeIh3B/+A==', '#00ff00', NULL, NULL, 1, NULL, 1, 1795980249093, 1795980249093);
INSERT INTO public.leases VALUES ('album-deletion', '', 1, 0);
INSERT INTO public.leases VALUES ('sweep', '', 1, 0);
INSERT INTO public.leases VALUES ('describe', '', 1, 0);
INSERT INTO public.leases VALUES ('retention', '', 1, 0);
INSERT INTO public.link_keys VALUES (1, 'store', 'xss4OeJSkZ3AIAL1oH6_S2fXPxYAa251hVTpIiCnPCc', 1795980249016);
INSERT INTO public.log_state VALUES (1, 29933004, 0, 9, 5935);
INSERT INTO public.store VALUES (1, '01a228c3-c6e0-74aa-bdba-1a2ef8922a0d', 1);
SELECT pg_catalog.setval('public.events_row_no_seq', 9, true);
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
ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.link_keys
    ADD CONSTRAINT link_keys_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY public.log_state
    ADD CONSTRAINT log_state_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.store
    ADD CONSTRAINT store_pkey PRIMARY KEY (id);
CREATE INDEX albums_created ON public.albums USING btree (created_at, id) WHERE (state = 'live'::text);
CREATE INDEX albums_deleting ON public.albums USING btree (id) WHERE (state = 'deleting'::text);
CREATE UNIQUE INDEX albums_name ON public.albums USING btree (name) WHERE (state = 'live'::text);
CREATE INDEX albums_updated ON public.albums USING btree (updated_at, id) WHERE (state = 'live'::text);
CREATE UNIQUE INDEX blobs_image ON public.blobs USING btree (image_id) WHERE (state = 'live'::text);
CREATE INDEX blobs_leaving ON public.blobs USING btree (state, changed_at, key) WHERE (state <> 'live'::text);
CREATE UNIQUE INDEX events_seq ON public.events USING btree (seq) WHERE (seq IS NOT NULL);
CREATE UNIQUE INDEX events_unstamped ON public.events USING btree (row_no) WHERE (seq IS NULL);
CREATE INDEX idempotency_created ON public.idempotency USING btree (created_at);
CREATE INDEX image_tags_image ON public.image_tags USING btree (image_id);
CREATE INDEX images_album_created ON public.images USING btree (album_id, created_at, id);
CREATE UNIQUE INDEX images_album_name ON public.images USING btree (album_id, name);
CREATE INDEX images_album_taken ON public.images USING btree (album_id, taken_at, id) WHERE (taken_at IS NOT NULL);
CREATE INDEX images_album_updated ON public.images USING btree (album_id, updated_at, id);
CREATE INDEX images_created ON public.images USING btree (created_at, id);
CREATE INDEX images_name ON public.images USING btree (name, id);
CREATE INDEX images_sha256 ON public.images USING btree (sha256);
CREATE INDEX images_taken ON public.images USING btree (taken_at, id) WHERE (taken_at IS NOT NULL);
CREATE INDEX images_undated ON public.images USING btree (described, id) WHERE (taken_at IS NULL);
CREATE INDEX images_updated ON public.images USING btree (updated_at, id);
ALTER TABLE ONLY public.image_tags
    ADD CONSTRAINT image_tags_image_id_fkey FOREIGN KEY (image_id) REFERENCES public.images(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.images
    ADD CONSTRAINT images_album_id_fkey FOREIGN KEY (album_id) REFERENCES public.albums(id);
