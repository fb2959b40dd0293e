import type { KnownImage, KnownQuery } from "../../../ports.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { MAX_ENTRIES } from "./ranges.ts";
import { andVisible, columnsOf } from "./visibility.ts";

interface KnownRow {
  readonly sha256: string;
  readonly id: string;
  readonly name: string;
  readonly album_id: string;
  readonly album_name: string;
}

/** Looks at no more than {@link MAX_ENTRIES} images with the same bytes, so a digest that only hidden albums have costs little. */
export async function knownImages(db: Driver, query: KnownQuery): Promise<readonly KnownImage[]> {
  const { visibility, sha256, albumId } = query;
  if (sha256.length === 0) return [];
  const values: SqlValue[] = [];
  const bind = (value: SqlValue) => `$${values.push(value)}`;
  const wanted = sha256.map((digest) => `(${bind(digest)})`).join(", ");
  const inAlbum = albumId === undefined ? "" : ` and x.album_id || '' = ${bind(albumId)}`;
  const rows = await db.all<KnownRow>(
    `with wanted (digest) as (values ${wanted})
     select i.sha256, i.id, i.name, i.album_id, a.name as album_name
     from wanted cross join images i cross join albums a
     where a.id = i.album_id and i.id = (
       select c.id from (select x.id, x.album_id from images x where x.sha256 = wanted.digest${inAlbum} limit ${MAX_ENTRIES}) c
       cross join albums b where b.id = c.album_id and b.state = 'live'${andVisible(visibility, columnsOf("b"), bind)} limit 1)`,
    values,
  );
  return rows.map(({ sha256: digest, id, name, album_id, album_name }) => ({
    sha256: digest,
    id,
    name,
    album: album_name,
    albumId: album_id,
  }));
}
