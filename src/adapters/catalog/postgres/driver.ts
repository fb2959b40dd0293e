import type { ClientBase } from "pg";
import type { Driver, SqlValue } from "../driver.ts";

/** Each connection keeps all that it was given, plan included. */
const MAX_PREPARED = 200;

/** Of the statements that are prepared, on whatever connection. */
const names = new Map<string, string>();

function nameOf(sql: string): string | undefined {
  const known = names.get(sql);
  if (known !== undefined || names.size >= MAX_PREPARED) return known;
  const name = `s${names.size}`;
  names.set(sql, name);
  return name;
}

export interface PostgresDriver extends Driver {
  /** A view of it for one change of several. */
  watch(): WatchedDriver;
  /** Refuses whatever comes after: it would be outside of the transaction. */
  end(): void;
}

export interface WatchedDriver extends Driver {
  /** Whether it was given anything but selects. */
  hasWritten(): boolean;
}

/**
 * Of statements that go together the first one's failure is told for all: after it a transaction only says so of the others,
 * and which of them is seen first is anybody's guess.
 *
 * @param options.prepared for the few statements that come again and again, which then take a third of the time. A
 * listing has hundreds of forms, and a plan of its own for its values may be the better one.
 */
export function createPostgresDriver(client: ClientBase, { prepared }: { readonly prepared: boolean }): PostgresDriver {
  let ended = false;
  let failure: unknown;

  const query = async (sql: string, values: readonly SqlValue[] = []) => {
    if (ended) throw new TypeError("A statement after the end of its transaction");
    const name = prepared ? nameOf(sql) : undefined;
    try {
      return await client.query({
        text: sql,
        values: values.map(toParameter),
        ...(name === undefined ? {} : { name }),
      });
    } catch (error) {
      throw (failure ??= error);
    }
  };

  const driver: Driver = {
    all: async <Row>(sql: string, values?: readonly SqlValue[]) => (await query(sql, values)).rows as Row[],
    get: async <Row>(sql: string, values?: readonly SqlValue[]) =>
      (await query(sql, values)).rows[0] as Row | undefined,
    run: async (sql, values) => (await query(sql, values)).rowCount ?? 0,
  };
  return {
    ...driver,
    watch: () => watchWrites(driver),
    end: () => {
      ended = true;
    },
  };
}

function watchWrites(driver: Driver): WatchedDriver {
  let written = false;
  const note = (sql: string) => {
    written ||= !sql.startsWith("select ");
  };
  return {
    all: <Row>(sql: string, values?: readonly SqlValue[]) => {
      note(sql);
      return driver.all<Row>(sql, values);
    },
    get: <Row>(sql: string, values?: readonly SqlValue[]) => {
      note(sql);
      return driver.get<Row>(sql, values);
    },
    run: (sql, values) => {
      note(sql);
      return driver.run(sql, values);
    },
    hasWritten: () => written,
  };
}

/**
 * PostgreSQL has no U+0000. Nothing that is kept has one, nor U+0001, so that a comparison with this comes out as it would
 * with the other.
 */
const toParameter = (value: SqlValue): SqlValue =>
  typeof value === "string" && value.includes("\0") ? value.replaceAll("\0", "\u0001") : value;
