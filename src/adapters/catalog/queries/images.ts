import type { StoredContent, StoredImage } from "../../../domain/image.ts";
import type { Visibility } from "../../../domain/visibility.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { IMAGE_COLUMNS, type ImageRow, type InfoColumns, toFocalPoint, toImage, toInfo } from "../rows.ts";
import { andVisible, columnsOf } from "./visibility.ts";

const LOCATION = "select b.location from blobs b where b.image_id = i.id and b.state = 'live'";
/** `and` is a further condition on the album `a`, empty for a caller who sees all. */
const byName = (and: string) =>
  `where i.album_id = (select a.id from albums a where a.name = $1 and a.state = 'live'${and}) and i.name = $2`;
const albumOf = (columns: string, and: string) =>
  `select ${columns} from albums a where a.id = i.album_id and a.state = 'live'${and}`;

/**
 * One row by a unique key; scalar subqueries read the other tables, which takes SQLite 4 µs instead of 20 µs for a join. They are
 * null if the album is not live and visible.
 */
const find = (and: string, where: string) => `select ${IMAGE_COLUMNS},
  (${albumOf("a.name", and)}) as album_name, (${LOCATION}) as location
  from images i ${where}`;
const FIND_BY_NAME = find("", byName(""));
const FIND_BY_ID = find("", "where i.id = $1");
type FoundRow = ImageRow & { readonly album_name: string | null; readonly location: string | null };

export async function findImage(db: Driver, album: string, name: string, visibility: Visibility) {
  const { and, values } = narrow(visibility, [album, name]);
  const sql = and === "" ? FIND_BY_NAME : find("", byName(and));
  return toStoredImage(await db.get<FoundRow>(sql, values));
}

export async function findImageById(db: Driver, id: string, visibility: Visibility) {
  const { and, values } = narrow(visibility, [id]);
  const sql = and === "" ? FIND_BY_ID : find(and, "where i.id = $1");
  return toStoredImage(await db.get<FoundRow>(sql, values));
}

/** The condition on the album, and the values that it takes after the given ones. */
function narrow(visibility: Visibility, given: readonly string[]): { and: string; values: readonly SqlValue[] } {
  if (visibility === "all") return { and: "", values: given };
  const values: SqlValue[] = [...given];
  return { and: andVisible(visibility, columnsOf("a"), (value) => `$${values.push(value)}`), values };
}

function toStoredImage(row: FoundRow | undefined): StoredImage | undefined {
  if (row === undefined || row.album_name === null || row.location === null) return undefined;
  return { image: toImage(row, row.album_name), location: row.location };
}

const CONTENT_COLUMNS =
  "i.id, i.name, i.album_id, i.size, i.sha256, i.content_type, i.width, i.height, i.frames, i.has_alpha, i.orientation, " +
  "i.focal_x, i.focal_y, i.updated_at";
const ALBUM_PUBLIC = "select a.public from albums a where a.id = i.album_id";
/** A name finds only live albums; by id, the query checks it. By name, a rename of the album counts as a modification. */
const contentByName = (
  and: string,
) => `select ${CONTENT_COLUMNS}, (${LOCATION}) as location, (${ALBUM_PUBLIC}) as public,
  (select a.updated_at from albums a where a.id = i.album_id) as album_updated_at
  from images i ${byName(and)}`;
const contentById = (and: string) => `select ${CONTENT_COLUMNS}, null as album_updated_at, (${ALBUM_PUBLIC}) as public,
  (${LOCATION} and exists (${albumOf("1", and)})) as location
  from images i where i.id = $1`;
const CONTENT_BY_NAME = contentByName("");
const CONTENT_BY_ID = contentById("");
type ContentRow = InfoColumns &
  Pick<FoundRow, "id" | "name" | "album_id" | "size" | "sha256" | "focal_x" | "focal_y" | "location" | "updated_at"> & {
    readonly album_updated_at: number | null;
    readonly public: number;
  };

export async function findContent(db: Driver, album: string, name: string, visibility: Visibility) {
  const { and, values } = narrow(visibility, [album, name]);
  return toStoredContent(await db.get<ContentRow>(and === "" ? CONTENT_BY_NAME : contentByName(and), values));
}

export async function findContentById(db: Driver, id: string, visibility: Visibility) {
  const { and, values } = narrow(visibility, [id]);
  return toStoredContent(await db.get<ContentRow>(and === "" ? CONTENT_BY_ID : contentById(and), values));
}

function toStoredContent(row: ContentRow | undefined): StoredContent | undefined {
  if (row === undefined || row.location === null) return undefined;
  const { id, name, album_id: albumId, size, sha256 } = row;
  return {
    image: { id, name, albumId, size, sha256, ...toInfo(row), focalPoint: toFocalPoint(row) },
    modifiedAt: Math.max(row.updated_at, row.album_updated_at ?? 0),
    location: row.location,
    isPublic: row.public !== 0,
  };
}
