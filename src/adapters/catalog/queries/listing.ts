import type { LogPosition } from "../../../domain/event.ts";
import type { OrderBy, Page, PagePosition, PageQuery } from "../../../domain/page.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { logState } from "./events.ts";
import { type KeyRange, WINDOW } from "./ranges.ts";

/** A listing under construction: a table with an alias, the order, and conditions with their values. */
export interface Listing {
  readonly table: string;
  readonly key: string;
  /** Orders rows with the same key; undefined if keys are unique. */
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

/** @param options.uniqueNames whether the rows that pass have unique names */
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

/** Adds a value and returns its placeholder. */
export const bind = (listing: Listing, value: SqlValue): string => `$${listing.values.push(value)}`;

/** Starts after the position and within the range, so the engine enters the index right there. */
export function walkFrom(listing: Listing, after: PagePosition | undefined, range: KeyRange | undefined): void {
  const { key, descending } = listing;
  if (after !== undefined) addKeyset(listing, descending ? "<" : ">", after);
  if (range === undefined) return;
  // With two bounds on one side the engine might enter the index by the wrong one, so a position within the range is the only bound.
  const entered = after !== undefined && range.includes(after.key);
  if (range.low !== null && !(entered && !descending)) listing.conditions.push(`${key} >= ${bind(listing, range.low)}`);
  if (range.high !== null && !(entered && descending)) listing.conditions.push(`${key} < ${bind(listing, range.high)}`);
}

/** Ends the walk after {@link WINDOW} rows. Returns the last position; undefined if there are fewer rows. */
export async function limitWindow(db: Driver, listing: Listing): Promise<PagePosition | undefined> {
  // The only OFFSET: it skips at most one window of index entries.
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

/** Selects one row more than the page has, which tells whether another page follows. */
export const selectRows = <Row>(db: Driver, listing: Listing, columns: string, from: string, limit: number) =>
  db.all<Row>(`select ${columns} ${body(listing, from)} limit ${bind(listing, limit + 1)}`, listing.values);

/** For few rows that another index found: the order is an expression, so the engine sorts them and does not walk the order's index. */
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

/** A listed row has a value in the column of the order. */
const keyOf = (row: OrderedRow, { orderBy }: PageQuery) => row[orderColumn(orderBy)] as PagePosition["key"];

type OrderedRow = { readonly id: string } & { readonly [Column in OrderColumn]?: PagePosition["key"] | null };

export function toPage<Row extends OrderedRow, Item>(
  rows: readonly Row[],
  query: PageQuery,
  watermark: LogPosition,
  windowEnd: PagePosition | undefined,
  toItem: (row: Row) => Item,
): Page<Item> {
  const items = rows.slice(0, query.limit).map(toItem);
  // A full page goes on from its last item, also where the window ends later: that row may be hidden from the caller.
  const goesOn = rows.length > query.limit || (rows.length === query.limit && windowEnd !== undefined);
  const last = goesOn ? rows[query.limit - 1] : undefined;
  const after = last === undefined ? windowEnd : { key: keyOf(last, query), id: last.id };
  return { items, next: after === undefined ? undefined : { after, watermark }, watermark };
}

/** The end of the log in the snapshot of the first page. Later pages repeat it. */
export async function watermarkOf(db: Driver, query: PageQuery): Promise<LogPosition> {
  if (query.start !== undefined) return query.start.watermark;
  const { epoch, lastSequence } = await logState(db);
  return { epoch, seq: lastSequence };
}
