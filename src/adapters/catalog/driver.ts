/** What an engine answers at once, another answers after a round trip. Always awaited. */
export type MaybePromise<Value> = Value | Promise<Value>;

export type SqlValue = string | number | null;

/**
 * All that changes and queries know of an engine. SQL is written once, in the dialect that SQLite and PostgreSQL share:
 * placeholders are `$1`, `$2`, …; columns are snake_case; booleans are 0 and 1; times are milliseconds since 1970.
 *
 * Statements run in the order in which they are begun. Those that need none of each other's answers may be begun together
 * and awaited by one `Promise.all`: then they take one round trip, where there are any. Whatever can fail otherwise than by
 * its statement comes last among them, since an engine without round trips throws at once.
 *
 * The one exception to the dialect is ` for no key update` at the end of a select: PostgreSQL locks the row; SQLite, which
 * has one writer at a time, leaves it out.
 */
export interface Driver {
  all<Row>(sql: string, values?: readonly SqlValue[]): MaybePromise<Row[]>;
  /** The first row. */
  get<Row>(sql: string, values?: readonly SqlValue[]): MaybePromise<Row | undefined>;
  /** How many rows it changed. */
  run(sql: string, values?: readonly SqlValue[]): MaybePromise<number>;
}
