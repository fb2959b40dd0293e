import type { LogPosition } from "../../../domain/event.ts";
import type { Image, ImageLayout } from "../../../domain/image.ts";
import type { Page } from "../../../domain/page.ts";
import type { AlbumSet } from "../../../domain/visibility.ts";
import type { ImageQuery } from "../../../ports.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { IMAGE_COLUMNS, type ImageRow, toImage } from "../rows.ts";
import { addPrefixFilter } from "./albums.ts";
import { entriesOf, filtersWithIndex, rangesOf, rareFilter, type WalkQuery } from "./image-filters.ts";
import {
  bind,
  createListing,
  type Listing,
  limitWindow,
  orderColumn,
  selectRows,
  sorted,
  toPage,
  walkFrom,
  watermarkOf,
} from "./listing.ts";
import { MAX_ENTRIES } from "./ranges.ts";
import { createRememberedOrders, type RememberedOrders, type RememberedRow } from "./remembered-orders.ts";
import {
  andVisible,
  columnsOf,
  countFewVisibleAlbums,
  type Entries,
  fewVisibleImages,
  visibleAlbumEntries,
  visibleCondition,
} from "./visibility.ts";

export async function listImages(
  db: Driver,
  query: ImageQuery,
  orders: RememberedOrders = createRememberedOrders(),
): Promise<Page<Image>> {
  const page = await listRows<NamedRow>(db, query, { columns: IMAGE_COLUMNS, withAlbumNames: true }, orders);
  return { ...page, items: page.items.map((row) => toImage(row, row.album_name)) };
}

type NamedRow = ImageRow & { readonly album_name: string };

/** Columns of `images`, by the alias `i`. */
interface Selection {
  readonly columns: string;
  /** Whether each row has the name of its album too. */
  readonly withAlbumNames: boolean;
}

type LayoutRow = PlacedRow & Pick<ImageRow, "width" | "height" | "placeholder" | "created_at" | "sha256">;
const LAYOUT_COLUMNS = [
  "id",
  "name",
  "sha256",
  "width",
  "height",
  "placeholder",
  "taken_at",
  "created_at",
  "updated_at",
]
  .map((column) => `i.${column}`)
  .join(", ");

export async function listImageLayout(
  db: Driver,
  query: ImageQuery,
  orders: RememberedOrders = createRememberedOrders(),
): Promise<Page<ImageLayout>> {
  const page = await listRows<LayoutRow>(db, query, { columns: LAYOUT_COLUMNS, withAlbumNames: false }, orders);
  return { ...page, items: page.items.map(toLayout) };
}

const toLayout = ({ id, sha256, width, height, placeholder, taken_at, created_at }: LayoutRow): ImageLayout => ({
  id,
  sha256,
  width,
  height,
  placeholder,
  takenAt: taken_at,
  createdAt: created_at,
});

/** What a listing reads of every row, for its place in the order. */
type PlacedRow = Pick<ImageRow, "id" | "name" | "created_at" | "updated_at" | "taken_at">;

/**
 * A listing by `takenAt` has two walks: the images with that time, then the others by name. The type of a position's key says in
 * which walk it is.
 */
async function listRows<Row extends PlacedRow>(
  db: Driver,
  asked: ImageQuery,
  selection: Selection,
  orders: RememberedOrders,
): Promise<Page<Row>> {
  const walk = (query: WalkQuery) => walkImages<Row>(db, query, { ...selection, watermark, orders });
  const watermark = await watermarkOf(db, asked);
  const query = await inVisibleAlbum(db, asked);
  if (query === undefined) return { items: [], next: undefined, watermark };
  if (orderColumn(query.orderBy) !== "taken_at") return walk(query);
  const { start, ...rest } = query;
  const undated = { ...rest, orderBy: query.orderBy.startsWith("-") ? "-name" : "name", undated: true } as const;
  if (typeof start?.after.key === "string") return walk({ ...undated, start });

  const dated = await walk(query);
  const onlyDated = query.takenAfter !== undefined || query.takenBefore !== undefined;
  if (dated.next !== undefined || onlyDated) return dated;
  const left = query.limit - dated.items.length;
  // Looks for at least one image, since a full page has to say whether another follows.
  const others = await walk({ ...undated, limit: left || 1 });
  if (left > 0) return { ...others, items: [...dated.items, ...others.items] };
  const last = dated.items.at(-1);
  const key = last?.taken_at ?? null;
  const more = others.items.length > 0 || others.next !== undefined;
  return last === undefined || key === null || !more
    ? dated
    : { ...dated, next: { after: { key, id: last.id }, watermark } };
}

interface Walk extends Selection {
  readonly watermark: LogPosition;
  readonly orders: RememberedOrders;
}

/**
 * There are two ways to a page. If few rows pass a filter, they are read by the filter's index and sorted. Otherwise the index of
 * the order is walked, a window at a time, and rows that do not pass are skipped. Tables are joined by `cross join`, which SQLite
 * executes in the order in which they are written.
 */
async function walkImages<Row extends PlacedRow>(
  db: Driver,
  query: WalkQuery,
  { columns: ofImages, withAlbumNames, watermark, orders }: Walk,
): Promise<Page<Row>> {
  const columns = withAlbumNames ? `${ofImages}, a.name as album_name` : ofImages;
  const listing = createListing("images i", "i", query.orderBy, { uniqueNames: query.albumId !== undefined });
  const { key } = listing;
  if (query.albumId !== undefined) listing.conditions.push(`i.album_id = ${bind(listing, query.albumId)}`);
  // Redundant beside a bound on the column, but engines need it to use the partial index.
  if (key === "i.taken_at") listing.conditions.push("i.taken_at is not null");
  const range = rangesOf(query)[orderColumn(query.orderBy)];
  walkFrom(listing, query.start?.after, range);

  const { visibility } = query;
  const filters = filtersWithIndex(query);
  if (filters.length === 0 && query.albumId === undefined && visibility !== "all") {
    const page = { table: "images", query: { ...query, visibility }, columns: ofImages } as const;
    const remembered = range === undefined ? await orders.rowsOf<Row & RememberedRow>(db, page) : undefined;
    const rows = remembered ?? (await selectOfFewAlbums<Row>(db, listing, columns, visibility, query.limit));
    if (rows !== undefined) return toPage(rows, query, watermark, undefined, (row) => row);
  }
  const filter = await rareFilter(db, filters);
  const rare: Entries | undefined =
    filter === undefined ? await fewVisibleImages(db, visibility) : (bindValue) => entriesOf(filter, bindValue);
  const walksPast =
    filters.length > 0 || visibility !== "all" || (query.albumId === undefined && (await anyAlbumDeleting(db)));
  const windowEnd = rare === undefined && walksPast ? await limitWindow(db, listing) : undefined;

  addFilters(listing, query, key);
  listing.conditions.push("a.id = i.album_id", "a.state = 'live'");
  const bindValue = (value: SqlValue) => bind(listing, value);
  if (visibility !== "all") listing.conditions.push(visibleCondition(visibility, columnsOf("a"), bindValue));
  let from = "images i cross join albums a";
  if (rare !== undefined) {
    // The limit is never reached. It makes the engine begin with this subquery.
    from = `(${rare(bindValue)}) r cross join ${from}`;
    listing.conditions.push("i.id = r.entry");
  }
  const walked = rare === undefined ? listing : sorted(listing);
  const rows = await selectRows<Row>(db, walked, columns, from, query.limit);
  return toPage(rows, query, watermark, windowEnd, (row) => row);
}

/**
 * The rows of a page of images in few albums, by the index that each album has for the order: it finds a key up to which there is a
 * full page, and reads the images up to that. Undefined if there are too many albums, or too many images and no such key.
 */
async function selectOfFewAlbums<Row>(
  db: Driver,
  listing: Listing,
  columns: string,
  visibility: AlbumSet,
  limit: number,
): Promise<readonly Row[] | undefined> {
  const albums = await countFewVisibleAlbums(db, visibility);
  if (albums === undefined) return undefined;
  if (albums === 0) return [];
  const within = { ...listing, conditions: [...listing.conditions], values: [...listing.values] };
  const entries = visibleAlbumEntries(visibility, (value) => bind(within, value));
  const found = await keyOfFullPage(db, within, entries, { albums, limit });
  if (found === undefined && !(await areFewImages(db, within, entries))) return undefined;
  if (found !== undefined)
    within.conditions.push(`${listing.key} ${listing.descending ? ">=" : "<="} ${bind(within, found)}`);
  within.conditions.push("i.album_id = e.entry", "a.id = i.album_id");
  const from = `(${entries}) e cross join images i cross join albums a`;
  return selectRows<Row>(db, sorted(within), columns, from, limit);
}

/** A key up to which albums have more images than a page: of each the same number, of as many albums as that takes. */
async function keyOfFullPage(
  db: Driver,
  listing: Listing,
  entries: string,
  { albums, limit }: { readonly albums: number; readonly limit: number },
): Promise<SqlValue | undefined> {
  const values = [...listing.values];
  const bound = (value: SqlValue) => `$${values.push(value)}`;
  const ofEach = Math.ceil((limit + 1) / albums);
  const direction = listing.descending ? " desc" : "";
  const conditions = ["i.album_id = e.entry", ...listing.conditions].join(" and ");
  const key = `select ${listing.key} from images i where ${conditions} order by ${listing.key}${direction} limit 1 offset ${bound(ofEach - 1)}`;
  const row = await db.get<{ readonly key: SqlValue }>(
    // The limit is never reached. It keeps SQLite from asking for each key twice.
    `select f.key from (select (${key}) as key from (${entries}) e limit ${MAX_ENTRIES + 1}) f where f.key is not null
     order by f.key${direction} limit 1 offset ${bound(Math.ceil((limit + 1) / ofEach) - 1)}`,
    values,
  );
  return row?.key;
}

async function areFewImages(db: Driver, { conditions, values }: Listing, entries: string): Promise<boolean> {
  const where = ["i.album_id = e.entry", ...conditions].join(" and ");
  const row = await db.get<{ readonly count: number }>(
    `select count(*) as count from
       (select 1 from (${entries}) e cross join images i where ${where} limit ${MAX_ENTRIES + 1}) c`,
    values,
  );
  return row !== undefined && row.count <= MAX_ENTRIES;
}

function addFilters(listing: Listing, query: WalkQuery, key: string): void {
  const { conditions } = listing;
  const { contentType, tag, sha256, q, createdAfter, createdBefore, takenAfter, takenBefore } = query;
  if (tag !== undefined)
    conditions.push(`exists (select 1 from image_tags t where t.image_id = i.id and t.tag = ${bind(listing, tag)})`);
  // Expressions keep the engine from using another index and sorting.
  if (query.undated) conditions.push("i.taken_at + 0 is null");
  if (contentType !== undefined) conditions.push(`i.content_type || '' = ${bind(listing, contentType)}`);
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

/** Of one album all images are visible, or none: then there is no query. */
async function inVisibleAlbum(db: Driver, query: ImageQuery): Promise<ImageQuery | undefined> {
  const { albumId, visibility } = query;
  if (albumId === undefined || visibility === "all") return query;
  const values: SqlValue[] = [albumId];
  const and = andVisible(visibility, columnsOf("a"), (value) => `$${values.push(value)}`);
  const seen = await db.get(`select 1 from albums a where a.id = $1 and a.state = 'live'${and}`, values);
  return seen === undefined ? undefined : { ...query, visibility: "all" };
}

/** The images of an album that is being deleted remain for a while, and listings must leave them out. */
const anyAlbumDeleting = async (db: Driver): Promise<boolean> =>
  (await db.get("select 1 from albums where state = 'deleting' limit 1")) !== undefined;
