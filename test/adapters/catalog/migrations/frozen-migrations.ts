import type { Database } from "bun:sqlite";
import { MIGRATIONS as POSTGRES } from "../../../../src/adapters/catalog/migrations/postgres.ts";
import { MIGRATIONS as SQLITE } from "../../../../src/adapters/catalog/migrations/sqlite.ts";

/** What each migration does, in order, as a digest of its statements without comments and line breaks. */
export const digestsOf = {
  sqlite: (): readonly string[] => SQLITE.map((migration) => digest(statementsOf(migration))),
  postgres: (): readonly string[] => POSTGRES.map(digest),
};

/** Which statements a migration runs does not depend on what is in the database. */
function statementsOf(migration: (db: Database) => void): string {
  const statements: string[] = [];
  migration({ run: (sql: string) => void statements.push(sql) } as unknown as Database);
  return statements.join(";");
}

const digest = (sql: string): string =>
  new Bun.CryptoHasher("sha256")
    .update(sql.replaceAll(/--.*$/gm, "").replaceAll(/\s+/g, " ").trim())
    .digest("hex")
    .slice(0, 16);
