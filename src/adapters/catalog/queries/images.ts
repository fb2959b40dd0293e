import type { LogPosition } from "../../../domain/event.ts";
import { type Image, type StoredImage, takenAtTime } from "../../../domain/image.ts";
import type { Page } from "../../../domain/page.ts";
import type { ImageQuery } from "../../../ports.ts";
import type { Driver } from "../driver.ts";
import { IMAGE_COLUMNS, type ImageRow, toImage } from "../rows.ts";
import { addPrefixFilter } from "./albums.ts";
import {
  bind,
  createKeylessListing,
  createListing,
  type KeyRange,
  type Listing,
  limitWindow,
  orderColumn,
  prefixRange,
  selectRows,
  toPage,
  WINDOW,
  walkFrom,
  watermarkOf,
} from "./listing.ts";

type ListedRow = ImageRow & { readonly album_name: string };

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

/** By `takenAt` in two parts, each the walk of an index: the images that have one, then the others. */
export async function listImages(db: Driver, query: ImageQuery): Promise<Page<Image>> {
  const watermark = await watermarkOf(db, query);
  if (orderColumn(query.orderBy) !== "taken_at") return listPart(db, query, watermark, createListing);
  const { start, limit } = query;
  if (start?.after.key === null) return listPart(db, query, watermark, createKeylessListing);

  const dated = await listPart(db, query, watermark, createListing);
  const onlyDated = query.takenAfter !== undefined || query.takenBefore !== undefined;
  if (dated.next !== undefined || onlyDated) return dated;
  const left = limit - dated.items.length;
  const { start: _, ...fromTheFirst } = query;
  // At least one is looked for, since a page that is full has to say whether there is another.
  const others = await listPart(db, { ...fromTheFirst, limit: left || 1 }, watermark, createKeylessListing);
  if (left > 0) return { ...others, items: [...dated.items, ...others.items] };
  const last = dated.items.at(-1);
  const more = others.items.length > 0 || others.next !== undefined;
  if (last === undefined || !more) return dated;
  return { ...dated, next: { after: { key: takenAtTime(last.exif), id: last.id }, watermark } };
}

/**
 * Two ways to the same page. A filter that few rows pass is entered by its own index, and what it finds is sorted.
 * Otherwise the order's index is walked, a window at a time, and what the filter leaves out is passed over. Tables are
 * joined by `cross join`, which SQLite takes in the order in which they are written.
 */
async function listPart(
  db: Driver,
  query: ImageQuery,
  watermark: LogPosition,
  create: typeof createListing,
): Promise<Page<Image>> {
  const listing = create("images i", "i", query.orderBy);
  const { key } = listing;
  if (query.albumId !== undefined) listing.conditions.push(`i.album_id = ${bind(listing, query.albumId)}`);
  walkFrom(listing, query.start?.after, create === createListing ? keyRange(query) : undefined);

  const rare = await rareFilter(db, query);
  const walksPast = hasFilters(query, key) || (query.albumId === undefined && (await anyAlbumDying(db)));
  const windowEnd = rare === undefined && walksPast ? await limitWindow(db, listing) : undefined;

  addFilters(listing, query, key);
  listing.conditions.push("a.id = i.album_id", "a.state = 'live'");
  let from = "images i cross join albums a";
  if (rare !== undefined) {
    from = `${rare.table} r cross join ${from}`;
    listing.conditions.push(`r.${rare.column} = ${bind(listing, rare.value)}`, `i.id = r.${rare.imageId}`);
  }
  const rows = await selectRows<ListedRow>(db, listing, `${IMAGE_COLUMNS}, a.name as album_name`, from, query.limit);
  return toPage(rows, query, watermark, windowEnd, (row) => toImage(row, row.album_name));
}

/** The filter that the order itself answers. */
function keyRange(query: ImageQuery): KeyRange | undefined {
  const column = orderColumn(query.orderBy);
  if (column === "name") return query.q ? prefixRange(query.q) : undefined;
  if (column === "created_at") return timeRange(query.createdAfter, query.createdBefore);
  // Bounded always, and so without those that have no such time.
  if (column === "taken_at") return timeRange(query.takenAfter ?? Number.MIN_SAFE_INTEGER, query.takenBefore);
  return undefined;
}

function timeRange(after: number | undefined, before: number | undefined): KeyRange {
  const low = after === undefined ? null : after + 1;
  const high = before ?? null;
  return {
    low,
    high,
    includes: (time) => (low === null || Number(time) >= low) && (high === null || Number(time) < high),
  };
}

const hasFilters = (query: ImageQuery, key: string): boolean =>
  query.contentType !== undefined ||
  query.tag !== undefined ||
  query.sha256 !== undefined ||
  (key !== "i.name" && Boolean(query.q)) ||
  (key !== "i.created_at" && (query.createdAfter !== undefined || query.createdBefore !== undefined)) ||
  (key !== "i.taken_at" && (query.takenAfter !== undefined || query.takenBefore !== undefined));

function addFilters(listing: Listing, query: ImageQuery, key: string): void {
  const { conditions } = listing;
  const { contentType, tag, sha256, q, createdAfter, createdBefore, takenAfter, takenBefore } = query;
  if (contentType !== undefined) conditions.push(`i.content_type = ${bind(listing, contentType)}`);
  if (tag !== undefined)
    conditions.push(`exists (select 1 from image_tags t where t.image_id = i.id and t.tag = ${bind(listing, tag)})`);
  // Expressions, so that no engine leaves the order's index for another and sorts what it finds there.
  if (sha256 !== undefined) conditions.push(`i.sha256 || '' = ${bind(listing, sha256)}`);
  if (q && key !== "i.name") addPrefixFilter(listing, "i.name || ''", q);
  if (key !== "i.created_at") {
    if (createdAfter !== undefined) conditions.push(`i.created_at + 0 > ${bind(listing, createdAfter)}`);
    if (createdBefore !== undefined) conditions.push(`i.created_at + 0 < ${bind(listing, createdBefore)}`);
  }
  if (key !== "i.taken_at") {
    if (takenAfter !== undefined) conditions.push(`i.taken_at + 0 > ${bind(listing, takenAfter)}`);
    if (takenBefore !== undefined) conditions.push(`i.taken_at + 0 < ${bind(listing, takenBefore)}`);
  }
}

interface RareFilter {
  readonly table: string;
  readonly column: string;
  readonly imageId: string;
  readonly value: string;
}

/** A filter with an index of its own that at most a window of images passes. */
async function rareFilter(db: Driver, { sha256, tag }: ImageQuery): Promise<RareFilter | undefined> {
  const candidates: RareFilter[] = [];
  if (sha256 !== undefined) candidates.push({ table: "images", column: "sha256", imageId: "id", value: sha256 });
  if (tag !== undefined) candidates.push({ table: "image_tags", column: "tag", imageId: "image_id", value: tag });
  for (const candidate of candidates) {
    const { table, column, value } = candidate;
    const sql = `select count(*) as count from (select 1 from ${table} where ${column} = $1 limit ${WINDOW + 1}) c`;
    const found = await db.get<{ count: number }>(sql, [value]);
    if (found !== undefined && found.count <= WINDOW) return candidate;
  }
  return undefined;
}

/** Its images are still there, for as long as it takes, but are nobody's to see. */
const anyAlbumDying = async (db: Driver): Promise<boolean> =>
  (await db.get("select 1 from albums where state = 'deleting' limit 1")) !== undefined;
