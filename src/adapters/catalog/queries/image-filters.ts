import type { ImageQuery } from "../../../ports.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { type OrderColumn, orderColumn } from "./listing.ts";
import { type KeyRange, MAX_ENTRIES, prefixRange } from "./ranges.ts";

/** One walk of an index. A walk by `takenAt` leaves out images without that time; `undated` selects only those. */
export interface WalkQuery extends ImageQuery {
  readonly undated?: true;
}

/** A filter that has an index: its table, its column and the range that passes. */
export interface IndexedFilter {
  readonly table: "images" | "image_tags";
  readonly column: string;
  readonly operators: readonly (readonly [operator: ">=" | "<" | "=" | "is", value: SqlValue])[];
  /** Undefined if the index does not include the album. */
  readonly albumId: string | undefined;
}

/** Returns the first filter that at most {@link MAX_ENTRIES} images pass. */
export async function rareFilter(db: Driver, filters: readonly IndexedFilter[]): Promise<IndexedFilter | undefined> {
  for (const candidate of filters) {
    const values: SqlValue[] = [];
    const entries = entriesOf(candidate, (value) => `$${values.push(value)}`);
    const found = await db.get<{ count: number }>(`select count(*) as count from (${entries}) c`, values);
    if (found !== undefined && found.count <= MAX_ENTRIES) return candidate;
  }
  return undefined;
}

/** All filters except the one on the column of the order. */
export function filtersWithIndex({ albumId, sha256, tag, contentType, undated, ...query }: WalkQuery): IndexedFilter[] {
  const images = (column: string, operators: IndexedFilter["operators"]): IndexedFilter => {
    return { table: "images", column, operators, albumId };
  };
  const found: IndexedFilter[] = [];
  if (sha256 !== undefined) found.push({ ...images("sha256", [["=", sha256]]), albumId: undefined });
  if (tag !== undefined)
    found.push({ table: "image_tags", column: "tag", operators: [["=", tag]], albumId: undefined });
  if (undated) found.push({ ...images("taken_at", [["is", null]]), albumId: undefined });
  if (contentType !== undefined) found.push(images("content_type", [["=", contentType]]));
  const ordered = orderColumn(query.orderBy);
  for (const [column, range] of Object.entries(rangesOf(query)))
    if (range !== undefined && column !== ordered) found.push(images(column, boundsOf(range)));
  return found;
}

/** The ranges of the query, by column. */
export const rangesOf = ({
  q,
  createdAfter,
  createdBefore,
  takenAfter,
  takenBefore,
}: ImageQuery): {
  readonly [Column in OrderColumn]?: KeyRange | undefined;
} => ({
  name: q ? prefixRange(q) : undefined,
  created_at: isBounded(createdAfter, createdBefore) ? timeRange(createdAfter, createdBefore) : undefined,
  taken_at: isBounded(takenAfter, takenBefore) ? timeRange(takenAfter, takenBefore) : undefined,
});

const isBounded = (...bounds: readonly (number | undefined)[]) => bounds.some((bound) => bound !== undefined);

const boundsOf = ({ low, high }: KeyRange): IndexedFilter["operators"] => [
  ...(low === null ? [] : [[">=", low] as const]),
  ...(high === null ? [] : [["<", high] as const]),
];

/** Selects the ids that pass the filter, at most one more than {@link MAX_ENTRIES}. */
export function entriesOf(
  { table, column, operators, albumId }: IndexedFilter,
  bindValue: (value: SqlValue) => string,
): string {
  const conditions = operators.map(
    ([operator, value]) => `${column} ${operator} ${value === null ? "null" : bindValue(value)}`,
  );
  if (albumId !== undefined) conditions.push(`album_id = ${bindValue(albumId)}`);
  if (column === "taken_at" && !conditions.includes("taken_at is null")) conditions.push("taken_at is not null");
  const id = table === "images" ? "id" : "image_id";
  // Ordered like the index, so a planner that expects every image to pass still uses that index.
  const order = operators.some(([operator]) => operator === "is") ? "" : ` order by ${column}`;
  return `select ${id} as entry from ${table} where ${conditions.join(" and ")}${order} limit ${MAX_ENTRIES + 1}`;
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
