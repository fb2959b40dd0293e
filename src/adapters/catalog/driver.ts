import type { MaybePromise } from "../../concurrency/maybe-promise.ts";

export type SqlValue = string | number | null;

/**
 * What changes and queries know of an engine. SQLite returns values, PostgreSQL promises; both are always awaited. SQL is
 * written once, in the dialect that SQLite and PostgreSQL share: placeholders are `$1`, `$2`, …; columns are snake_case;
 * booleans are 0 and 1; times are milliseconds since 1970.
 *
 * Statements run in the order in which they start. Independent statements may start together and be awaited by one
 * `Promise.all`: PostgreSQL then runs them in one round trip. Among them, code that can throw for another reason than its
 * statement comes last, since SQLite throws synchronously.
 *
 * The one exception to the dialect is ` for no key update` at the end of a select: PostgreSQL locks the row; SQLite has one
 * writer at a time and leaves it out.
 */
export interface Driver {
  all<Row>(sql: string, values?: readonly SqlValue[]): MaybePromise<Row[]>;
  /** The first row. */
  get<Row>(sql: string, values?: readonly SqlValue[]): MaybePromise<Row | undefined>;
  /** Returns the number of changed rows. */
  run(sql: string, values?: readonly SqlValue[]): MaybePromise<number>;
  /**
   * The column that finds a row of `albums` or `images` with the fewest steps. Its value may be another row's later, so compare
   * the id after a read by a remembered value.
   */
  readonly rowKey: "id" | "rowid";
  /** The expression of a text member of the JSON object in a column, which the dialects write differently. */
  memberOf(column: string, member: string): string;
  /** A table of the elements of a JSON array, with the column `value`. So lists of all lengths are one statement. */
  elementsOf(array: string): string;
}

const recurring = new Set<string>();

/**
 * Marks a statement of a listing that has one form. PostgreSQL then prepares it once for each connection, which it does with no
 * other statement of a snapshot: listings have hundreds of forms, and a plan for its own values may be better.
 */
export function recurringStatement(sql: string): string {
  recurring.add(sql);
  return sql;
}

export const isRecurring = (sql: string): boolean => recurring.has(sql);
