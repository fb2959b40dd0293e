import type { LogPosition } from "../../../domain/event.ts";
import { type Image, takenAtTime } from "../../../domain/image.ts";
import type { Page } from "../../../domain/page.ts";
import type { ImageQuery } from "../../../ports.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { IMAGE_COLUMNS, type ImageRow, toImage } from "../rows.ts";
import { addPrefixFilter } from "./albums.ts";
import {
  bind,
  createListing,
  type KeyRange,
  type Listing,
  limitWindow,
  orderColumn,
  prefixRange,
  selectRows,
  sorted,
  toPage,
  WINDOW,
  walkFrom,
  watermarkOf,
} from "./listing.ts";

type ListedRow = ImageRow & { readonly album_name: string };

/** One walk. By `takenAt` it passes those that have none; `undated` asks for those only. */
interface WalkQuery extends ImageQuery {
  readonly undated?: true;
}

/** By `takenAt` in two walks: the images that have one, then the others by name. A position says by its key in which. */
export async function listImages(db: Driver, query: ImageQuery): Promise<Page<Image>> {
  const watermark = await watermarkOf(db, query);
  if (orderColumn(query.orderBy) !== "taken_at") return walkImages(db, query, watermark);
  const { start, ...rest } = query;
  const undated = { ...rest, orderBy: query.orderBy.startsWith("-") ? "-name" : "name", undated: true } as const;
  if (typeof start?.after.key === "string") return walkImages(db, { ...undated, start }, watermark);

  const dated = await walkImages(db, query, watermark);
  const onlyDated = query.takenAfter !== undefined || query.takenBefore !== undefined;
  if (dated.next !== undefined || onlyDated) return dated;
  const left = query.limit - dated.items.length;
  // At least one is looked for, since a page that is full has to say whether there is another.
  const others = await walkImages(db, { ...undated, limit: left || 1 }, watermark);
  if (left > 0) return { ...others, items: [...dated.items, ...others.items] };
  const last = dated.items.at(-1);
  const key = takenAtTime(last?.exif ?? null);
  const more = others.items.length > 0 || others.next !== undefined;
  return last === undefined || key === null || !more
    ? dated
    : { ...dated, next: { after: { key, id: last.id }, watermark } };
}

/**
 * Two ways to the same page. A filter that few rows pass is entered by its own index, and what it finds is sorted.
 * Otherwise the order's index is walked, a window at a time, and what the filter leaves out is passed over. Tables are
 * joined by `cross join`, which SQLite takes in the order in which they are written.
 */
async function walkImages(db: Driver, query: WalkQuery, watermark: LogPosition): Promise<Page<Image>> {
  const listing = createListing("images i", "i", query.orderBy, { uniqueNames: query.albumId !== undefined });
  const { key } = listing;
  if (query.albumId !== undefined) listing.conditions.push(`i.album_id = ${bind(listing, query.albumId)}`);
  // Says no more than a bound on it would, but engines take a partial index for nothing less.
  if (key === "i.taken_at") listing.conditions.push("i.taken_at is not null");
  walkFrom(listing, query.start?.after, keyRange(query));

  const rare = await rareFilter(db, query);
  const walksPast = hasFilters(query, key) || (query.albumId === undefined && (await anyAlbumDying(db)));
  const windowEnd = rare === undefined && walksPast ? await limitWindow(db, listing) : undefined;

  addFilters(listing, query, key);
  listing.conditions.push("a.id = i.album_id", "a.state = 'live'");
  let from = "images i cross join albums a";
  if (rare !== undefined) {
    from = `${rare.table} r cross join ${from}`;
    const placeholder = rare.value === null ? "" : bind(listing, rare.value);
    listing.conditions.push(conditionOf(rare, placeholder), `i.id = r.${rare.imageId}`);
  }
  const columns = `${IMAGE_COLUMNS}, a.name as album_name`;
  const walked = rare === undefined ? listing : sorted(listing);
  const rows = await selectRows<ListedRow>(db, walked, columns, from, query.limit);
  return toPage(rows, query, watermark, windowEnd, (row) => toImage(row, row.album_name));
}

/** The filter that the order itself answers. */
function keyRange(query: ImageQuery): KeyRange | undefined {
  const column = orderColumn(query.orderBy);
  if (column === "name") return query.q ? prefixRange(query.q) : undefined;
  if (column === "created_at") return timeRange(query.createdAfter, query.createdBefore);
  if (column === "taken_at") return timeRange(query.takenAfter, query.takenBefore);
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

const hasFilters = (query: WalkQuery, key: string): boolean =>
  query.undated === true ||
  query.contentType !== undefined ||
  query.tag !== undefined ||
  query.sha256 !== undefined ||
  (key !== "i.name" && Boolean(query.q)) ||
  (key !== "i.created_at" && (query.createdAfter !== undefined || query.createdBefore !== undefined)) ||
  (key !== "i.taken_at" && (query.takenAfter !== undefined || query.takenBefore !== undefined));

function addFilters(listing: Listing, query: WalkQuery, key: string): void {
  const { conditions } = listing;
  const { contentType, tag, sha256, q, createdAfter, createdBefore, takenAfter, takenBefore } = query;
  if (contentType !== undefined) conditions.push(`i.content_type = ${bind(listing, contentType)}`);
  if (tag !== undefined)
    conditions.push(`exists (select 1 from image_tags t where t.image_id = i.id and t.tag = ${bind(listing, tag)})`);
  // Expressions, so that no engine leaves the order's index for another and sorts what it finds there.
  if (query.undated) conditions.push("i.taken_at + 0 is null");
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
  readonly imageId: string;
  readonly column: string;
  /** With null, the rows without a value. */
  readonly value: SqlValue;
}

/** A filter with an index of its own that at most a window of images passes. */
async function rareFilter(db: Driver, { sha256, tag, undated }: WalkQuery): Promise<RareFilter | undefined> {
  const candidates: RareFilter[] = [];
  if (sha256 !== undefined) candidates.push({ table: "images", column: "sha256", imageId: "id", value: sha256 });
  if (tag !== undefined) candidates.push({ table: "image_tags", column: "tag", imageId: "image_id", value: tag });
  if (undated) candidates.push({ table: "images", column: "taken_at", imageId: "id", value: null });
  for (const candidate of candidates) {
    const values = candidate.value === null ? [] : [candidate.value];
    const found = await db.get<{ count: number }>(
      `select count(*) as count
       from (select 1 from ${candidate.table} r where ${conditionOf(candidate, "$1")} limit ${WINDOW + 1}) c`,
      values,
    );
    if (found !== undefined && found.count <= WINDOW) return candidate;
  }
  return undefined;
}

const conditionOf = ({ column, value }: RareFilter, placeholder: string): string =>
  value === null ? `r.${column} is null` : `r.${column} = ${placeholder}`;

/** Its images are still there, for as long as it takes, but are nobody's to see. */
const anyAlbumDying = async (db: Driver): Promise<boolean> =>
  (await db.get("select 1 from albums where state = 'deleting' limit 1")) !== undefined;
