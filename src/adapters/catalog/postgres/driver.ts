import type { ClientBase } from "pg";
import { type Driver, isRecurring, type SqlValue } from "../driver.ts";

/** A connection keeps every prepared statement with its plan. */
const MAX_PREPARED = 200;

/** Names of prepared statements by their SQL, for all connections. */
const names = new Map<string, string>();

function nameOf(sql: string): string | undefined {
  const known = names.get(sql);
  if (known !== undefined || names.size >= MAX_PREPARED) return known;
  const name = `s${names.size}`;
  names.set(sql, name);
  return name;
}

export interface PostgresDriver extends Driver {
  /** Refuses every later statement: it would run outside the transaction. */
  end(): void;
}

/**
 * When pipelined statements fail, each throws the failure of the first: PostgreSQL says of the others only that the
 * transaction is aborted, and the caller may see any of them first.
 *
 * @param options.prepared for the few statements that recur, which then take a third of the time. Without it, only those that are
 * marked so.
 */
export function createPostgresDriver(client: ClientBase, { prepared }: { readonly prepared: boolean }): PostgresDriver {
  let ended = false;
  let failure: unknown;

  const query = async (sql: string, values: readonly SqlValue[] = []) => {
    if (ended) throw new TypeError("The transaction of this statement has ended.");
    const name = prepared || isRecurring(sql) ? nameOf(sql) : undefined;
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
    rowKey: "id",
    memberOf: (column, member) => `${column}::json ->> '${member}'`,
    elementsOf: (array) => `json_array_elements_text(${array}::json)`,
  };
  return {
    ...driver,
    end: () => {
      ended = true;
    },
  };
}

/**
 * PostgreSQL's text has no U+0000. Stored text has neither U+0000 nor U+0001, so a comparison with the replacement has the same
 * result.
 */
const toParameter = (value: SqlValue): SqlValue =>
  typeof value === "string" && value.includes("\0") ? value.replaceAll("\0", "\u0001") : value;

/** The clock that all nodes share, in milliseconds since 1970. */
export const SELECT_NOW = "select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now";

export const databaseTime = async (db: Driver): Promise<number> =>
  (await db.get<{ now: number }>(SELECT_NOW))?.now as number;
