import { afterAll, beforeAll, setDefaultTimeout } from "bun:test";
import { Client, type QueryResultRow } from "pg";
import { openPostgresCatalog, type PostgresCatalogOptions } from "../../src/adapters/catalog/postgres.ts";
import { type PostgresServer, usePostgres } from "../services/postgres-server.ts";
import type { OpenedCatalog } from "./catalog-changes.ts";

/** A server for all tests of the file, and a database for each that asks. */
export function usePostgresCatalogs() {
  setDefaultTimeout(60_000);
  let server: (Pick<PostgresServer, "createDatabase"> & AsyncDisposable) | undefined;
  beforeAll(async () => {
    // What survives a crash is not looked at here.
    server = await usePostgres({ settings: { fsync: "off" } });
  });
  afterAll(() => server?.[Symbol.asyncDispose]());

  const createDatabase = (): Promise<string> => {
    if (server === undefined) throw new Error("There is no server before the first test.");
    return server.createDatabase();
  };
  return {
    createDatabase,
    /** Of a database of its own, unless `url` names one. */
    open: async (more: Partial<PostgresCatalogOptions> = {}): Promise<OpenedCatalog> => {
      const url = more.url ?? (await createDatabase());
      const catalog = await openPostgresCatalog({ url, poolSize: 8, as: "server", ...more });
      return { ...catalog, logged: () => allStamped(url) };
    },
  };
}

/** Rows of one statement, on a connection of its own. */
export async function query<Row extends QueryResultRow>(url: string, sql: string): Promise<Row[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Row>(sql)).rows;
  } finally {
    await client.end();
  }
}

async function allStamped(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (;;) {
      const { rows } = await client.query("select 1 from events where seq is null limit 1");
      if (rows.length === 0) return;
      await Bun.sleep(2);
    }
  } finally {
    await client.end();
  }
}
