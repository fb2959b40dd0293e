/** What an engine answers at once, another answers after a round trip. Always awaited. */
export type MaybePromise<Value> = Value | Promise<Value>;

export type SqlValue = string | number | null;

/**
 * All that changes and queries know of an engine. SQL is written once, in the dialect that SQLite and PostgreSQL share:
 * placeholders are `$1`, `$2`, …; columns are snake_case; booleans are 0 and 1; times are milliseconds since 1970.
 *
 * The one exception is ` for no key update` at the end of a select: PostgreSQL locks the row, SQLite, which has one
 * writer at a time, leaves it out.
 */
export interface Driver {
  all<Row>(sql: string, values?: readonly SqlValue[]): MaybePromise<Row[]>;
  /** The first row. */
  get<Row>(sql: string, values?: readonly SqlValue[]): MaybePromise<Row | undefined>;
  /** How many rows it changed. */
  run(sql: string, values?: readonly SqlValue[]): MaybePromise<number>;
}
