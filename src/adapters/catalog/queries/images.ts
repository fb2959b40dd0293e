import type { StoredImage } from "../../../domain/image.ts";
import type { Driver } from "../driver.ts";
import { IMAGE_COLUMNS, type ImageRow, toImage } from "../rows.ts";

/**
 * One row by a unique key, with what the other tables have of it as scalar subqueries: SQLite takes 20 µs for the join
 * and 4 for this. They are null where the album is not live.
 */
const FIND = `select ${IMAGE_COLUMNS},
  (select a.name from albums a where a.id = i.album_id and a.state = 'live') as album_name,
  (select b.location from blobs b where b.image_id = i.id and b.state = 'live') as location
  from images i`;
type FoundRow = ImageRow & { readonly album_name: string | null; readonly location: string | null };

export const findImage = async (db: Driver, album: string, name: string): Promise<StoredImage | undefined> =>
  toStoredImage(
    await db.get<FoundRow>(
      `${FIND} where i.album_id = (select id from albums where name = $1 and state = 'live') and i.name = $2`,
      [album, name],
    ),
  );

export const findImageById = async (db: Driver, id: string): Promise<StoredImage | undefined> =>
  toStoredImage(await db.get<FoundRow>(`${FIND} where i.id = $1`, [id]));

function toStoredImage(row: FoundRow | undefined): StoredImage | undefined {
  if (row === undefined || row.album_name === null || row.location === null) return undefined;
  return { image: toImage(row, row.album_name), location: row.location };
}
