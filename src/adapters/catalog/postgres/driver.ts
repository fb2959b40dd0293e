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
  /** Refuses whatever comes after: it would be outside of the transaction. */
  end(): void;
}

/**
 * @param options.prepared for the few statements that come again and again, which then take a third of the time. A
 * listing has hundreds of forms, and a plan of its own for its values may be the better one.
 */
export function createPostgresDriver(client: ClientBase, { prepared }: { readonly prepared: boolean }): PostgresDriver {
  let ended = false;

  const query = (sql: string, values: readonly SqlValue[] = []) => {
    if (ended) return Promise.reject(new TypeError("A statement after the end of its transaction"));
    const name = prepared ? nameOf(sql) : undefined;
    return client.query({ text: sql, values: values.map(toParameter), ...(name === undefined ? {} : { name }) });
  };

  return {
    all: async <Row>(sql: string, values?: readonly SqlValue[]) => (await query(sql, values)).rows as Row[],
    get: async <Row>(sql: string, values?: readonly SqlValue[]) =>
      (await query(sql, values)).rows[0] as Row | undefined,
    run: async (sql, values) => (await query(sql, values)).rowCount ?? 0,
    end: () => {
      ended = true;
    },
  };
}

/**
 * PostgreSQL has no U+0000. Nothing that is kept has one, nor U+0001, so that a comparison with this comes out as it would
 * with the other.
 */
const toParameter = (value: SqlValue): SqlValue =>
  typeof value === "string" && value.includes("\0") ? value.replaceAll("\0", "\u0001") : value;
