import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client } from "pg";
import { type PostgresServer, postgresIsMissing, startPostgres } from "./postgres-server.ts";

// What other tests take for granted about the servers that they start.

if (!postgresIsMissing()) {
  describe("PostgreSQL", () => {
    let postgres: PostgresServer;
    beforeAll(async () => {
      postgres = await startPostgres();
    });
    afterAll(() => postgres[Symbol.asyncDispose]());

    test("is durable, and sorts as most of its installations do", async () => {
      expect(await query(postgres.url, "SHOW fsync")).toEqual([{ fsync: "on" }]);
      const sorted = await query(postgres.url, "SELECT name FROM (VALUES ('B'), ('a')) AS v (name) ORDER BY name");
      expect(sorted).toEqual([{ name: "a" }, { name: "B" }]);
    });

    test("gives each test an empty database of its own", async () => {
      const [one, other] = await Promise.all([postgres.createDatabase(), postgres.createDatabase()]);
      await query(one, "CREATE TABLE t (x integer)");
      const tables = "SELECT count(*)::integer AS count FROM pg_tables WHERE schemaname = 'public'";
      expect(await query(one, tables)).toEqual([{ count: 1 }]);
      expect(await query(other, tables)).toEqual([{ count: 0 }]);
    });

    for (const end of ["restart", "stop", "kill"] as const) {
      test(`keeps its data and its port over a ${end}`, async () => {
        const url = await postgres.createDatabase();
        await query(url, "CREATE TABLE t (x integer)");
        await query(url, "INSERT INTO t VALUES (1)");
        const idle = new Client({ connectionString: url });
        await idle.connect();
        const wasCut = new Promise((resolve) => {
          idle.on("error", resolve);
        });
        await postgres[end]();
        await wasCut;
        if (end !== "restart") {
          expect(await query(url, "SELECT 1").catch(String)).toContain("ECONNREFUSED");
          await postgres.start();
        }
        expect(await query(url, "SELECT x FROM t")).toEqual([{ x: 1 }]);
      });
    }
  });
}

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
