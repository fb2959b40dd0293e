import type { Database, Statement } from "bun:sqlite";
import type { Driver, SqlValue } from "../driver.ts";

/** Listings have some hundreds of forms, each a statement of some kilobytes. */
const MAX_STATEMENTS = 400;

/** Answers without waiting. Never iterates: a suspended iterator pins an old snapshot, and reads would miss writes. */
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
  };
}

/**
 * SQLite takes `$2` for a name and numbers names as they first appear, so that `select $2, $1` would swap its values;
 * `?2` is the second value wherever it stands. Row locks mean nothing here (see {@link Driver}).
 */
const toSqlite = (sql: string): string => sql.replace(/\$(\d+)/g, "?$1").replace(/ for no key update$/, "");
