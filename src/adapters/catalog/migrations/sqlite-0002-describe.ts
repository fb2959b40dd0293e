import type { Database } from "bun:sqlite";

/**
 * What clients say of where it matters in a picture, what the store learns of it by itself, and the key of signed links.
 * Every image is undescribed until the worker has come by. `taken_at` repeats what `exif` says, for order and filter.
 */
const SCHEMA = `
alter table images add column focal_x real;
alter table images add column focal_y real;
alter table images add column described integer not null default 0;
alter table images add column placeholder text;
alter table images add column dominant_colour text;
alter table images add column exif text;
alter table images add column taken_at integer;
alter table images add column sound integer;
alter table images add column unsound_reason text;
-- An upload is in the last of them only, at its end: the others cost it nothing.
create index images_album_taken on images (album_id, taken_at, id) where taken_at is not null;
create index images_taken on images (taken_at, id) where taken_at is not null;
create index images_undated on images (described, id) where taken_at is null;

-- First answers to uploads, which are given again as they are. (Those to albums are no lists.)
update idempotency set answer = (
  select json_group_array(json_set(value, '$.image.focalPoint', null, '$.image.described', json('false'),
    '$.image.placeholder', null, '$.image.dominantColour', null, '$.image.exif', null, '$.image.sound', null,
    '$.image.unsoundReason', null))
  from json_each(answer)
) where json_type(answer) = 'array';

create table link_keys (
  singleton integer primary key check (singleton = 1),
  id text not null,
  secret text not null,
  created_at integer not null
) strict;
`;

export function describe(db: Database): void {
  db.run(SCHEMA);
}
