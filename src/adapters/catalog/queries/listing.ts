import type { LogPosition } from "../../../domain/event.ts";
import type { OrderBy, Page, PagePosition, PageQuery } from "../../../domain/page.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { logState } from "./events.ts";

/**
 * How many rows one page may look at. What a filter leaves out costs time too: a page that finds little within the
 * window ends there, short, with the position to go on from, and never holds up everyone else.
 */
export const WINDOW = 2000;

/** A listing in the making: a table under an alias, the order it is walked in, and conditions with their values. */
export interface Listing {
  readonly table: string;
  readonly key: string;
  /** Tells rows of the same key apart; undefined where there are none. */
  readonly id: string | undefined;
  readonly descending: boolean;
  readonly conditions: string[];
  readonly values: SqlValue[];
}

const ORDER_COLUMNS = {
  name: "name",
  createdAt: "created_at",
  updatedAt: "updated_at",
  takenAt: "taken_at",
} as const;
export type OrderColumn = (typeof ORDER_COLUMNS)[keyof typeof ORDER_COLUMNS];

export const orderColumn = (orderBy: OrderBy): OrderColumn =>
  ORDER_COLUMNS[orderBy.replace("-", "") as keyof typeof ORDER_COLUMNS];

/** @param options.uniqueNames of the rows that the conditions will let through */
export const createListing = (
  table: string,
  alias: string,
  orderBy: OrderBy,
  { uniqueNames }: { readonly uniqueNames: boolean },
): Listing => ({
  table,
  key: `${alias}.${orderColumn(orderBy)}`,
  id: uniqueNames && orderColumn(orderBy) === "name" ? undefined : `${alias}.id`,
  descending: orderBy.startsWith("-"),
  conditions: [],
  values: [],
});

/** Takes a value in; answers its placeholder. */
export const bind = (listing: Listing, value: SqlValue): string => `$${listing.values.push(value)}`;

/** What the order key may be: from `low` up to, not including, `high`. */
export interface KeyRange {
  readonly low: SqlValue;
  readonly high: SqlValue;
  readonly includes: (key: PagePosition["key"]) => boolean;
}

/** Begins after the position, within the range, so that the index is entered right there however far in it is. */
export function walkFrom(listing: Listing, after: PagePosition | undefined, range: KeyRange | undefined): void {
  const { key, descending } = listing;
  if (after !== undefined) addKeyset(listing, descending ? "<" : ">", after);
  if (range === undefined) return;
  // Two bounds on one side, and the engine might enter by the wrong one: the position alone, where it is in the range.
  const entered = after !== undefined && range.includes(after.key);
  if (range.low !== null && !(entered && !descending)) listing.conditions.push(`${key} >= ${bind(listing, range.low)}`);
  if (range.high !== null && !(entered && descending)) listing.conditions.push(`${key} < ${bind(listing, range.high)}`);
}

/** Ends the walk after {@link WINDOW} rows. Answers where that is; undefined when there are not so many. */
export async function limitWindow(db: Driver, listing: Listing): Promise<PagePosition | undefined> {
  // The one OFFSET: it skips entries of an index, and never more than a window of them.
  const id = listing.id ?? "''";
  const sql = `select ${listing.key} as key, ${id} as id ${body(listing, listing.table)} limit 1 offset ${WINDOW - 1}`;
  const end = await db.get<PagePosition>(sql, listing.values);
  if (end !== undefined) addKeyset(listing, listing.descending ? ">=" : "<=", end);
  return end;
}

const addKeyset = (listing: Listing, operator: string, position: PagePosition): void => {
  const { key, id } = listing;
  listing.conditions.push(
    id === undefined
      ? `${key} ${operator} ${bind(listing, position.key)}`
      : `(${key}, ${id}) ${operator} (${bind(listing, position.key)}, ${bind(listing, position.id)})`,
  );
};

/** One row more than the page takes, which tells whether another page follows. */
export const selectRows = <Row>(db: Driver, listing: Listing, columns: string, from: string, limit: number) =>
  db.all<Row>(`select ${columns} ${body(listing, from)} limit ${bind(listing, limit + 1)}`, listing.values);

/** Few rows are found otherwise than in the listing's order, and then sorted: so that no engine walks the order's index. */
export const sorted = (listing: Listing): Listing => ({
  ...listing,
  key: listing.key.endsWith("name") ? `${listing.key} || ''` : `${listing.key} + 0`,
});

const body = ({ conditions, key, id, descending }: Listing, from: string): string => {
  const where = conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`;
  const direction = descending ? " desc" : "";
  const order = [key, id].filter((column) => column !== undefined).map((column) => column + direction);
  return `from ${from}${where} order by ${order.join(", ")}`;
};

/** Whatever is listed by a column has it. */
const keyOf = (row: OrderedRow, { orderBy }: PageQuery) => row[orderColumn(orderBy)] as PagePosition["key"];

type OrderedRow = { readonly id: string } & { readonly [Column in OrderColumn]?: PagePosition["key"] | null };

export function toPage<Row extends OrderedRow, Item>(
  rows: readonly Row[],
  query: PageQuery,
  watermark: LogPosition,
  windowEnd: PagePosition | undefined,
  toItem: (row: Row) => Item,
): Page<Item> {
  const full = rows.length > query.limit;
  const last = full ? rows[query.limit - 1] : undefined;
  const after = last === undefined ? windowEnd : { key: keyOf(last, query), id: last.id };
  const items = (full ? rows.slice(0, query.limit) : rows).map(toItem);
  return { items, next: after === undefined ? undefined : { after, watermark }, watermark };
}

/** Read in the same snapshot as the rows; later pages repeat the first one's. */
export async function watermarkOf(db: Driver, query: PageQuery): Promise<LogPosition> {
  if (query.start !== undefined) return query.start.watermark;
  const { epoch, head } = await logState(db);
  return { epoch, seq: head };
}

export const prefixRange = (prefix: string): KeyRange => ({
  low: prefix,
  high: afterPrefix(prefix),
  includes: (key) => String(key).startsWith(prefix),
});

/** The least text above all that begins with the prefix, in the order of code points; null when there is none. */
export function afterPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return null;
  // Surrogates are no characters: U+D7FF is followed by U+E000.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}
