import type { LogPosition } from "../../../domain/event.ts";
import type { OrderBy, PagePosition, PageQuery } from "../../../domain/page.ts";
import { type AlbumSet, includesAlbum } from "../../../domain/visibility.ts";
import { type Driver, recurringStatement, type SqlValue } from "../driver.ts";
import { logState } from "./events.ts";
import { bind, createListing, type Listing, type OrderColumn, orderColumn, selectRows, sorted } from "./listing.ts";
import { MAX_ENTRIES } from "./ranges.ts";
import { visibleAlbumEntries } from "./visibility.ts";

/** Records of one order that are remembered; beyond it, each page finds its own. */
const MAX_ORDERED = 10_000;
/** Positions and albums that are remembered in all, of some 150 bytes each. */
const MAX_REMEMBERED = 200_000;
/** Events that are looked through for one of a visible album. */
const MAX_EVENTS = 1000;

type Table = "albums" | "images";
/** Has the column of the order. */
export type RememberedRow = Pick<PagePosition, "id"> & {
  readonly [Column in OrderColumn]?: PagePosition["key"] | null;
} & { readonly album_id?: string; album_name?: string };

/**
 * Remembers in which order records follow each other for callers who see few albums. It would take a search in each album to find
 * the next record. An order holds until the log has an event of one of its albums, or of an album that has become visible; events
 * that are committed but have no number yet count too. The rows of a page are read anew. See docs/adr/0021.
 */
export interface RememberedOrders {
  /**
   * The rows of a page without filters, and one more if another follows. One with an `album_id` gets its `album_name`. Undefined if
   * the order of the page is not remembered.
   */
  rowsOf<Found extends RememberedRow>(db: Driver, page: OrderedPage): Promise<readonly Found[] | undefined>;
}

interface OrderedPage {
  readonly table: Table;
  readonly query: PageQuery & { readonly visibility: AlbumSet };
  /** Of that table, by the alias `a` or `i`. */
  readonly columns: string;
}

interface Seen {
  /** The albums and orders are as of this position. */
  position: LogPosition;
  readonly albums: Albums;
  readonly orders: Map<string, Order>;
  /** What it counts for among the remembered. */
  size: number;
}

/** Names by id. */
type Albums = ReadonlyMap<string, string>;

/** In ascending order; undefined if there are too many records. */
type Order = readonly Place[] | undefined;

interface Place extends PagePosition {
  readonly row: SqlValue;
}

export function createRememberedOrders(): RememberedOrders {
  /** The least recently used first. */
  const remembered = new Map<string, Seen>();

  let total = 0;

  function forget(text: string): void {
    total -= remembered.get(text)?.size ?? 0;
    remembered.delete(text);
  }

  function remember(text: string, seen: Seen): void {
    forget(text);
    seen.size = sizeOf(seen);
    total += seen.size;
    remembered.set(text, seen);
    for (const oldest of remembered.keys()) {
      if (total <= MAX_REMEMBERED) break;
      forget(oldest);
    }
  }

  /** Which albums the caller sees. The orders of their records follow, if it asks again before an album changes. */
  async function begin(db: Driver, text: string, visibility: AlbumSet): Promise<void> {
    const [{ epoch, lastSequence: seq }, albums] = await Promise.all([logState(db), fewAlbums(db, visibility)]);
    if (albums !== undefined) remember(text, { position: { epoch, seq }, albums, orders: new Map(), size: 0 });
  }

  async function orderOf(db: Driver, text: string, seen: Seen, { table, query }: OrderedPage): Promise<Order> {
    const name = orderName(table, query);
    if (!seen.orders.has(name)) {
      seen.orders.set(name, await readOrder(db, table, query));
      if (remembered.get(text) === seen) remember(text, seen);
    }
    return seen.orders.get(name);
  }

  return {
    async rowsOf<Found extends RememberedRow>(db: Driver, page: OrderedPage) {
      const { query, table } = page;
      const text = textOf(query.visibility);
      const seen = remembered.get(text);
      const places = placesOf(seen?.orders.get(orderName(table, query)), query);
      // Together, which is one round trip to PostgreSQL.
      const [position, found] = await Promise.all([
        seen && positionUnchanged(db, seen, query.visibility),
        places && readRows<Found>(db, page, places),
      ]);
      if (position === "older") return undefined;
      if (seen === undefined || position === undefined) {
        if (remembered.get(text) === seen) forget(text);
        await begin(db, text, query.visibility);
        return undefined;
      }
      if (seen.position.seq < position.seq) seen.position = position;
      if (remembered.get(text) === seen) remember(text, seen);
      const expected = places ?? placesOf(await orderOf(db, text, seen, page), query);
      if (expected === undefined) return undefined;
      const rows = found ?? (await readRows<Found>(db, page, expected));
      const column = orderColumn(query.orderBy);
      // A row number is another row's, or another reader with a later snapshot remembered the order.
      const areExpected = expected.every(
        ({ id, key }, index) => rows[index]?.id === id && rows[index]?.[column] === key,
      );
      if (areExpected && nameAlbums(rows, seen.albums)) return rows;
      if (remembered.get(text) === seen) forget(text);
      return undefined;
    },
  };
}

const orderName = (table: Table, { orderBy }: PageQuery) => `${table} ${orderColumn(orderBy)}`;

/** A caller's visibility is the same object for all of its requests, and may be a thousand ids. */
const texts = new WeakMap<AlbumSet, string>();
function textOf(visibility: AlbumSet): string {
  const known = texts.get(visibility) ?? JSON.stringify(visibility);
  texts.set(visibility, known);
  return known;
}

const sizeOf = ({ albums, orders }: Seen): number =>
  [...orders.values()].reduce((sum, order) => sum + (order?.length ?? 0), albums.size + 1);

async function fewAlbums(db: Driver, visibility: AlbumSet): Promise<Albums | undefined> {
  const values: SqlValue[] = [];
  const entries = visibleAlbumEntries(visibility, (value) => `$${values.push(value)}`);
  const rows = await db.all<{ readonly id: string; readonly name: string }>(
    `select a.id, a.name from (select entry from (${entries}) f limit ${MAX_ENTRIES + 1}) e
     cross join albums a where a.id = e.entry`,
    values,
  );
  return rows.length > MAX_ENTRIES ? undefined : new Map(rows.map(({ id, name }) => [id, name]));
}

interface Happened {
  readonly album_id: string;
  /** Of an event of the album itself. */
  readonly data: string | null;
}

const HAPPENED =
  "select album_id, case when image_id is null then data end as data from events where subject is null and";
const HAPPENED_SINCE = recurringStatement(`${HAPPENED} seq > $1 order by seq limit ${MAX_EVENTS}`);
const HAPPENED_UNNUMBERED = recurringStatement(`${HAPPENED} seq is null limit ${MAX_EVENTS}`);
const DELETING = recurringStatement(`select id from albums where state = 'deleting' limit ${MAX_EVENTS}`);

/**
 * The end of the log, if no event since the remembered position concerns the albums, nor the deletion of a large one, which has no
 * event at first. "older" where the remembered is of a later snapshot than the reader's.
 */
async function positionUnchanged(
  db: Driver,
  { albums, position: { epoch, seq } }: Seen,
  visibility: AlbumSet,
): Promise<LogPosition | "older" | undefined> {
  const [log, numbered, unnumbered, deleting] = await Promise.all([
    logState(db),
    db.all<Happened>(HAPPENED_SINCE, [seq]),
    db.all<Happened>(HAPPENED_UNNUMBERED),
    db.all<{ readonly id: string }>(DELETING),
  ]);
  if (log.epoch !== epoch || seq < log.prunedThrough) return undefined;
  if (seq > log.lastSequence) return "older";
  const concerns = ({ album_id: id, data }: Happened) =>
    albums.has(id) || (data !== null && includesAlbum(visibility, { id, ...(JSON.parse(data) as AlbumData) }));
  const few = [numbered, unnumbered, deleting].every(({ length }) => length < MAX_EVENTS);
  const unchanged = few && ![...numbered, ...unnumbered].some(concerns) && !deleting.some(({ id }) => albums.has(id));
  return unchanged ? { epoch, seq: log.lastSequence } : undefined;
}

interface AlbumData {
  readonly name: string;
  readonly visibility?: "public" | "private";
}

async function readOrder(db: Driver, table: Table, { orderBy, visibility }: OrderedPage["query"]): Promise<Order> {
  const ascending = orderBy.replace("-", "") as OrderBy;
  const listing = createListing("", "r", ascending, { uniqueNames: table === "albums" });
  const entries = visibleAlbumEntries(visibility, (value) => bind(listing, value));
  if (table === "albums") listing.conditions.push("r.id = e.entry", "r.state = 'live'");
  else listing.conditions.push("r.album_id = e.entry");
  if (orderColumn(orderBy) === "taken_at") listing.conditions.push("r.taken_at is not null");
  const from = `(${entries}) e cross join ${table} r`;
  const { key } = listing;
  if (!(await areFewRows(db, listing, from))) return undefined;
  return selectRows<Place>(db, sorted(listing), `${key} as key, r.id as id, r.${db.rowKey} as row`, from, MAX_ORDERED);
}

async function areFewRows(db: Driver, { conditions, values }: Listing, from: string): Promise<boolean> {
  const row = await db.get<{ readonly count: number }>(
    `select count(*) as count from (select 1 from ${from} where ${conditions.join(" and ")} limit ${MAX_ORDERED + 1}) c`,
    values,
  );
  return row !== undefined && row.count <= MAX_ORDERED;
}

/** Those of the page, and one more if there are as many. */
function placesOf(order: Order, { orderBy, start, limit }: PageQuery): readonly Place[] | undefined {
  if (order === undefined) return undefined;
  if (orderBy.startsWith("-")) {
    const end = start === undefined ? order.length : countBefore(order, start.after, false);
    return order.slice(Math.max(0, end - limit - 1), end).toReversed();
  }
  const begin = start === undefined ? 0 : countBefore(order, start.after, true);
  return order.slice(begin, begin + limit + 1);
}

/** How many are before the position; with `inclusive`, the position itself counts as well. */
function countBefore(order: readonly Place[], position: PagePosition, inclusive: boolean): number {
  let low = 0;
  let high = order.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const compared = compare(order[middle] as Place, position);
    if (compared < 0 || (inclusive && compared === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare(one: PagePosition, other: PagePosition): number {
  const byKey = typeof one.key === "number" ? one.key - Number(other.key) : compareText(one.key, String(other.key));
  return byKey || compareText(one.id, other.id);
}

/** As the engines order text: by code points, which is the order of its bytes in UTF-8. */
export function compareText(one: string, other: string): number {
  if (SURROGATE.test(one) || SURROGATE.test(other)) return Buffer.compare(Buffer.from(one), Buffer.from(other));
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
/** Only with it, the order of UTF-16 differs. */
const SURROGATE = /[\ud800-\udfff]/;

/** In the order of the places, without those that are not found. */
async function readRows<Found extends RememberedRow>(
  db: Driver,
  { table, columns }: OrderedPage,
  places: readonly Place[],
): Promise<readonly Found[]> {
  const alias = table === "albums" ? "a" : "i";
  const statement = recurringStatement(
    `select ${columns} from ${db.elementsOf("$1")} k cross join ${table} ${alias} where ${alias}.${db.rowKey} = k.value`,
  );
  const rows = await db.all<Found>(statement, [JSON.stringify(places.map(({ row }) => row))]);
  if (rows.every(({ id }, index) => id === places[index]?.id)) return rows;
  // PostgreSQL may find them in another order.
  const found = new Map(rows.map((row) => [row.id, row]));
  return places.map(({ id }) => found.get(id)).filter((row) => row !== undefined);
}

/**
 * Instead of a join: the name of an album changes with an event, and the order does not outlive that. Returns whether each album is
 * known.
 */
function nameAlbums(rows: readonly RememberedRow[], albums: Albums): boolean {
  for (const row of rows) {
    if (row.album_id === undefined) continue;
    const name = albums.get(row.album_id);
    if (name === undefined) return false;
    row.album_name = name;
  }
  return true;
}
