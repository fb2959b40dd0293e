import type { StoredContent, StoredImage } from "../../../domain/image.ts";
import type { Driver } from "../driver.ts";
import { IMAGE_COLUMNS, type ImageRow, type InfoColumns, toFocalPoint, toImage, toInfo } from "../rows.ts";

const LOCATION = "select b.location from blobs b where b.image_id = i.id and b.state = 'live'";
const BY_NAME = "where i.album_id = (select id from albums where name = $1 and state = 'live') and i.name = $2";
const BY_ID = "where i.id = $1";

/**
 * One row by a unique key, with what the other tables have of it as scalar subqueries: SQLite takes 20 µs for the join
 * and 4 for this. They are null where the album is not live.
 */
const FIND = `select ${IMAGE_COLUMNS},
  (select a.name from albums a where a.id = i.album_id and a.state = 'live') as album_name, (${LOCATION}) as location
  from images i`;
type FoundRow = ImageRow & { readonly album_name: string | null; readonly location: string | null };

export const findImage = async (db: Driver, album: string, name: string): Promise<StoredImage | undefined> =>
  toStoredImage(await db.get<FoundRow>(`${FIND} ${BY_NAME}`, [album, name]));

export const findImageById = async (db: Driver, id: string): Promise<StoredImage | undefined> =>
  toStoredImage(await db.get<FoundRow>(`${FIND} ${BY_ID}`, [id]));

function toStoredImage(row: FoundRow | undefined): StoredImage | undefined {
  if (row === undefined || row.album_name === null || row.location === null) return undefined;
  return { image: toImage(row, row.album_name), location: row.location };
}

const CONTENT_COLUMNS =
  "i.id, i.name, i.size, i.sha256, i.content_type, i.width, i.height, i.frames, i.has_alpha, i.orientation, " +
  "i.focal_x, i.focal_y";
/** The name leads through an album that is live; of an id that is to be asked. */
const CONTENT_BY_NAME = `select ${CONTENT_COLUMNS}, (${LOCATION}) as location from images i ${BY_NAME}`;
const CONTENT_BY_ID = `select ${CONTENT_COLUMNS},
  (${LOCATION} and exists (select 1 from albums a where a.id = i.album_id and a.state = 'live')) as location
  from images i ${BY_ID}`;
type ContentRow = InfoColumns & Pick<FoundRow, "id" | "name" | "size" | "sha256" | "focal_x" | "focal_y" | "location">;

export const findContent = async (db: Driver, album: string, name: string): Promise<StoredContent | undefined> =>
  toStoredContent(await db.get<ContentRow>(CONTENT_BY_NAME, [album, name]));

export const findContentById = async (db: Driver, id: string): Promise<StoredContent | undefined> =>
  toStoredContent(await db.get<ContentRow>(CONTENT_BY_ID, [id]));

function toStoredContent(row: ContentRow | undefined): StoredContent | undefined {
  if (row === undefined || row.location === null) return undefined;
  const { id, name, size, sha256 } = row;
  return { image: { id, name, size, sha256, ...toInfo(row), focalPoint: toFocalPoint(row) }, location: row.location };
}
