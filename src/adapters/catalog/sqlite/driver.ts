import type { Database, Statement } from "bun:sqlite";
import type { Driver, SqlValue } from "../driver.ts";

/** Listings have hundreds of forms, each a statement of a few kilobytes. */
const MAX_STATEMENTS = 400;

/** What is the same on every thread. */
export const SQLITE_DIALECT: Pick<Driver, "rowKey" | "memberOf" | "elementsOf"> = {
  rowKey: "rowid",
  memberOf: (column, member) => `${column} ->> '${member}'`,
  elementsOf: (array) => `(select value from json_each(${array}))`,
};

/** Synchronous. It never iterates: a suspended iterator pins an old snapshot, and reads would miss writes. */
export function createSqliteDriver(db: Database): Driver {
  const statements = new Map<string, Statement<unknown, SqlValue[]>>();

  const prepare = (sql: string) => {
    let statement = statements.get(sql);
    if (statement === undefined) {
      if (statements.size >= MAX_STATEMENTS) {
        for (const old of statements.values()) old.finalize();
        statements.clear();
      }
      statement = db.prepare<unknown, SqlValue[]>(toSqlite(sql));
      statements.set(sql, statement);
    }
    return statement;
  };

  return {
    all: <Row>(sql: string, values: readonly SqlValue[] = []) => prepare(sql).all(...values) as Row[],
    get: <Row>(sql: string, values: readonly SqlValue[] = []) =>
      (prepare(sql).get(...values) as Row | null) ?? undefined,
    run: (sql: string, values: readonly SqlValue[] = []) => prepare(sql).run(...values).changes,
    ...SQLITE_DIALECT,
  };
}

/**
 * SQLite treats `$2` as a name and numbers names in the order of their appearance, so `select $2, $1` would swap the values; `?2`
 * is the second value everywhere. Row locks are left out (see {@link Driver}).
 */
const toSqlite = (sql: string): string => sql.replace(/\$(\d+)/g, "?$1").replace(/ for no key update$/, "");
