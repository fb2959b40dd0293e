import type { Album } from "../../../domain/album.ts";
import type { LogPosition } from "../../../domain/event.ts";
import type { Page, PagePosition, PageQuery } from "../../../domain/page.ts";
import { type AlbumSet, prefixOf, type Visibility } from "../../../domain/visibility.ts";
import type { AlbumQuery, Totals } from "../../../ports.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { ALBUM_COLUMNS, type AlbumRow, toAlbum } from "../rows.ts";
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
import { afterPrefix, type KeyRange, MAX_ENTRIES, prefixRange } from "./ranges.ts";
import { compareText, createRememberedOrders, type RememberedOrders } from "./remembered-orders.ts";
import {
  andVisible,
  areFew,
  columnsOf,
  countFew,
  type Entries,
  fewVisibleAlbums,
  visibleCondition,
} from "./visibility.ts";

const FIND_ALBUM = `select ${ALBUM_COLUMNS} from albums a where name = $1 and state = 'live'`;

export async function findAlbum(db: Driver, name: string, visibility: Visibility): Promise<Album | undefined> {
  const values: SqlValue[] = [name];
  const and = andVisible(visibility, columnsOf("a"), (value) => `$${values.push(value)}`);
  const row = await db.get<AlbumRow>(and === "" ? FIND_ALBUM : FIND_ALBUM + and, values);
  return row && toAlbum(row);
}

export async function listAlbums(
  db: Driver,
  query: AlbumQuery,
  orders: RememberedOrders = createRememberedOrders(),
): Promise<Page<Album>> {
  const watermark = await watermarkOf(db, query);
  const listing = createListing("albums a", "a", query.orderBy, { uniqueNames: true });
  listing.conditions.push("a.state = 'live'");
  const { q, visibility } = query;
  const byName = orderColumn(query.orderBy) === "name";
  if (visibility !== "all") {
    const page = { table: "albums", query: { ...query, visibility }, columns: ALBUM_COLUMNS } as const;
    // Names that begin alike are in order.
    const onlyPrefixes =
      byName && visibility.ids.length === 0 && visibility.names.every((name) => prefixOf(name) !== undefined);
    const remembered = q || onlyPrefixes ? undefined : await orders.rowsOf<AlbumRow>(db, page);
    const rows = remembered ?? (await selectOfParts(db, query, visibility));
    if (rows !== undefined) return toPage(rows, query, watermark, undefined, toAlbum);
  }
  walkFrom(listing, query.start?.after, byName && q ? prefixRange(q) : undefined);
  const prefix = byName || !q ? undefined : q;
  const rare = (await rarePrefix(db, prefix)) ?? (await fewVisibleAlbums(db, visibility));
  const walksPast = prefix !== undefined || visibility !== "all";
  const windowEnd = rare === undefined && walksPast ? await limitWindow(db, listing) : undefined;

  const bindValue = (value: SqlValue) => bind(listing, value);
  if (prefix !== undefined) addPrefixFilter(listing, "a.name || ''", prefix);
  if (visibility !== "all") listing.conditions.push(visibleCondition(visibility, columnsOf("a"), bindValue));
  if (rare === undefined) return selectAlbums(db, listing, query, watermark, windowEnd);
  const table = `(${rare(bindValue)}) r cross join albums a`;
  listing.conditions.push("a.id = r.entry");
  return selectAlbums(db, { ...sorted(listing), table }, query, watermark, undefined);
}

const among = (part: Listing, column: string, values: readonly string[]) =>
  `${column} in (${values.map((value) => bind(part, value)).join(", ")})`;

/**
 * The rows of a page, from each way to see albums by itself: names that begin alike are read in the order of names, the others by
 * their index and sorted. Undefined if some way leads to too many.
 */
async function selectOfParts(db: Driver, query: AlbumQuery, visibility: AlbumSet): Promise<AlbumRow[] | undefined> {
  const { orderBy, start, q, limit } = query;
  const byName = orderColumn(orderBy) === "name";
  const parts: Listing[] = [];
  const add = (where: (part: Listing) => string | undefined, range?: KeyRange): Listing => {
    const inOrderOfIndex = createListing("albums a", "a", orderBy, { uniqueNames: true });
    // An expression keeps the engine from walking the order's index instead of the part's.
    const part = range !== undefined && byName ? inOrderOfIndex : sorted(inOrderOfIndex);
    part.conditions.push("a.state = 'live'");
    const condition = where(part);
    if (condition !== undefined) part.conditions.push(condition);
    walkFrom(part, start?.after, byName ? range : undefined);
    if (q) addPrefixFilter(part, "a.name || ''", q);
    parts.push(part);
    return part;
  };
  const { ids, names, public: withPublic } = visibility;
  const exact = names.filter((pattern) => prefixOf(pattern) === undefined);
  if (ids.length > MAX_ENTRIES || exact.length > MAX_ENTRIES) return undefined;
  if (ids.length > 0) add((part) => among(part, "a.id", ids));
  if (exact.length > 0) add((part) => among(part, "a.name", exact));
  if (withPublic) {
    const count = await countFew(db, () => PUBLIC_ENTRIES);
    if (count === undefined) return undefined;
    // A subquery, since SQLite may prefer to scan all albums by the index of another order.
    if (count > 0) add(() => "a.id in (select id from albums where public = 1 order by id)");
  }
  for (const prefix of names.map(prefixOf).filter((found) => found !== undefined)) {
    const range = prefixRange(prefix);
    if (byName) add(() => undefined, range);
    else if (await areFew(db, (bindValue) => prefixEntries(prefix, bindValue)))
      add((part) => {
        const end = range.high === null ? "" : ` and a.name < ${bind(part, range.high)}`;
        return `a.name >= ${bind(part, range.low)}${end}`;
      });
    else return undefined;
  }
  const found: AlbumRow[][] = [];
  for (const part of parts) found.push(await selectRows<AlbumRow>(db, part, ALBUM_COLUMNS, part.table, limit));
  if (found.length <= 1) return found[0] ?? [];
  return [...new Map(found.flat().map((row) => [row.id, row])).values()].toSorted(inOrder(query));
}

const PUBLIC_ENTRIES = `select id as entry from albums where state = 'live' and public = 1 limit ${MAX_ENTRIES + 1}`;

const inOrder = ({ orderBy }: AlbumQuery) => {
  const column = orderColumn(orderBy) as "name" | "created_at" | "updated_at";
  const turn = orderBy.startsWith("-") ? -1 : 1;
  return (one: AlbumRow, other: AlbumRow): number => {
    const byKey =
      column === "name"
        ? compareText(one.name, other.name)
        : one[column] - other[column] || (one.id < other.id ? -1 : 1);
    return turn * byKey;
  };
};

async function selectAlbums(
  db: Driver,
  listing: Listing,
  query: PageQuery,
  watermark: LogPosition,
  windowEnd: PagePosition | undefined,
): Promise<Page<Album>> {
  const rows = await selectRows<AlbumRow>(db, listing, ALBUM_COLUMNS, listing.table, query.limit);
  return toPage(rows, query, watermark, windowEnd, toAlbum);
}

async function rarePrefix(db: Driver, prefix: string | undefined): Promise<Entries | undefined> {
  if (prefix === undefined) return undefined;
  const entries: Entries = (bindValue) => prefixEntries(prefix, bindValue);
  return (await areFew(db, entries)) ? entries : undefined;
}

/** Selects the ids of albums whose name has the prefix, at most one more than {@link MAX_ENTRIES}. */
function prefixEntries(prefix: string, bindValue: (value: SqlValue) => string): string {
  const end = afterPrefix(prefix);
  const below = end === null ? "" : ` and name < ${bindValue(end)}`;
  return `select id as entry from albums where state = 'live' and name >= ${bindValue(prefix)}${below} order by name limit ${MAX_ENTRIES + 1}`;
}

/** For a listing in another order. `column` must be an expression, so the engine stays with the index of that order. */
export function addPrefixFilter(listing: Listing, column: string, prefix: string): void {
  listing.conditions.push(`${column} >= ${bind(listing, prefix)}`);
  const end = afterPrefix(prefix);
  if (end !== null) listing.conditions.push(`${column} < ${bind(listing, end)}`);
}

export async function albumsBeingDeleted(db: Driver, limit: number): Promise<readonly string[]> {
  const rows = await db.all<{ id: string }>("select id from albums where state = 'deleting' order by id limit $1", [
    limit,
  ]);
  return rows.map((row) => row.id);
}

export async function totals(db: Driver): Promise<Totals> {
  const row = await db.get<Totals>(
    `select count(*) as albums, coalesce(sum(image_count), 0) as images, coalesce(sum(byte_count), 0) as bytes
     from albums where state = 'live'`,
  );
  return row as Totals;
}
