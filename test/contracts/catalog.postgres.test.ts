import { describe, expect, test } from "bun:test";
import { applyChange } from "../../src/adapters/catalog/changes.ts";
import { CatalogOpenError } from "../../src/adapters/catalog/open-error.ts";
import { connectionOptions } from "../../src/adapters/catalog/postgres/connection-options.ts";
import { createPostgresDriver } from "../../src/adapters/catalog/postgres/driver.ts";
import { createPool } from "../../src/adapters/catalog/postgres/pool.ts";
import { NUMBER_UNSTAMPED, STAMPED_AT_ONCE } from "../../src/adapters/catalog/postgres/stamp.ts";
import type { Catalog } from "../../src/ports.ts";
import { postgresIsMissing } from "../services/postgres-server.ts";
import { catalogContract } from "./catalog.ts";
import { createAlbum } from "./catalog-changes.ts";
import { connectTo, SEED, usePostgresCatalogs } from "./catalog-postgres.ts";
import { statementsOfReads } from "./catalog-reads.ts";

const failureOf = async (opening: Promise<unknown>): Promise<unknown> =>
  opening.then(
    () => "It opened.",
    (error: unknown) => (error instanceof CatalogOpenError ? error.reason : error),
  );

if (!postgresIsMissing()) {
  const { open, openEmpty, createDatabase } = usePostgresCatalogs();

  catalogContract("PostgreSQL", openEmpty);

  describe("opening", () => {
    test("nodes that start at once make one store", async () => {
      const url = await createDatabase();
      const nodes = await Promise.all(Array.from({ length: 6 }, () => open(url, { poolSize: 2 })));
      expect(new Set(nodes.map(({ storeId }) => storeId)).size).toBe(1);
      await createAlbum(nodes[0] as Catalog, "a");
      expect(await (nodes[5] as Catalog).album("a")).toBeDefined();
    });

    test("a store of another version is left as it is; beside one, nothing is made", async () => {
      const url = await createDatabase();
      await using database = await connectTo(url);
      expect(await failureOf(open(url, { as: "beside" }))).toEqual(new Error("There is no store in this database."));
      const { storeId } = await open(url);
      expect((await open(url, { as: "beside" })).storeId).toBe(storeId);
      for (const [version, asServer, beside] of [
        [99, "newer_version", "newer_version"],
        [0, undefined, "older_version"],
      ] as const) {
        await database.query("update store set version = $1", [version]);
        expect(await failureOf(open(url, { as: "beside" }))).toBe(beside);
        if (asServer !== undefined) expect(await failureOf(open(url))).toBe(asServer);
        expect(await database.query("select version from store")).toEqual([{ version }]);
      }
    });

    test("a migration that fails leaves nothing", async () => {
      const url = await createDatabase();
      await using database = await connectTo(url);
      await database.query("create table leases (x integer)");
      expect(await failureOf(open(url))).toMatchObject({ code: "42P07" });
      expect(await database.query("select to_regclass('albums') as albums")).toEqual([{ albums: null }]);
      await database.query("drop table leases");
      await open(url);
    });

    test("a database that is not for UTF-8 is refused, and no error tells the password", async () => {
      const url = new URL(await createDatabase());
      await using database = await connectTo(url.href);
      const name = `latin_${crypto.randomUUID().replaceAll("-", "")}`;
      await database.query(
        `create database ${name} encoding 'LATIN1' locale_provider libc locale 'C' template template0`,
      );
      url.pathname = `/${name}`;
      expect(await failureOf(open(url.href))).toBe("unsafe_engine");
      await database.query(`drop database ${name}`);
      url.password = "very-secret";
      const error = (await failureOf(open(url.href))) as Error;
      expect(Bun.inspect(error)).toContain("28P01");
      expect(Bun.inspect(error) + JSON.stringify(error)).not.toContain("very-secret");
    });

    test("what is committed is durable, whatever the database is set up for", async () => {
      const url = await createDatabase();
      await using database = await connectTo(url);
      const name = new URL(url).pathname.slice(1);
      for (const [setting, expected] of [
        ["off", "on"],
        ["local", "on"],
        ["remote_apply", "remote_apply"],
      ]) {
        await database.query(`alter database ${name} set synchronous_commit = ${setting}`);
        await using pool = createPool({ connection: await connectionOptions(url), size: 1, maxWaiting: 1 });
        const { client, release } = await pool.acquire("read");
        expect((await client.query("show synchronous_commit")).rows).toEqual([{ synchronous_commit: expected }]);
        release(false);
      }
    });
  });

  describe("query plans", () => {
    test.each([true, false])(
      "enter an index, and sort nothing but what few pass (filters pass many: %p)",
      async (manyPass) => {
        const url = await createDatabase();
        await open(url);
        await using database = await connectTo(url);
        await database.query(SEED);
        await database.query("analyze");
        await using pool = createPool({ connection: await connectionOptions(url), size: 1, maxWaiting: 1 });
        const { client, release } = await pool.acquire("read");
        const statements = await statementsOfReads(createPostgresDriver(client, { prepared: false }), { manyPass });
        expect(statements.size).toBeGreaterThan(100);
        for (const [sql, values] of statements) {
          const { rows } = await client.query<{ "QUERY PLAN": string }>(`explain (costs off) ${sql}`, [...values]);
          const plan = rows.map((row) => row["QUERY PLAN"]);
          const slow = plan.filter((step) =>
            /Seq Scan on (?!log_state|cursors)|Hash|Merge|Bitmap|Gather|Incremental/.test(step),
          );
          // What a filter of few rows found.
          if (!sql.includes(" r cross join ")) slow.push(...plan.filter((step) => step.endsWith("Sort")));
          expect({ sql, slow }).toEqual({ sql, slow: [] });
        }
        release(false);
      },
    );

    test("delete an album without comparing each blob with each image, though statistics know of one", async () => {
      const url = await createDatabase();
      await (await open(url))[Symbol.asyncDispose]();
      await using pool = createPool({ connection: await connectionOptions(url), size: 1, maxWaiting: 1 });
      const { client, release } = await pool.acquire("read");
      await client.query(`
        insert into albums (id, name, metadata, revision, created_at, updated_at) values ('f', 'f', '{}', 1, 0, 0);
        insert into images (id, album_id, name, metadata, tags, content_type, size, sha256, width, height, frames,
          has_alpha, orientation, revision, created_at, updated_at)
          values ('f', 'f', 'f', '{}', '[]', 'image/png', 1, 'f', 1, 1, 1, 0, 1, 1, 0, 0);
        insert into blobs (key, location, size, sha256, image_id, state, changed_at)
          values ('f', 'f', 1, 'f', 'f', 'live', 0);
      `);
      await client.query("analyze");
      await client.query(SEED);
      await client.query("begin; update albums set state = 'deleting' where id = 'a'");
      const driver = createPostgresDriver(client, { prepared: false });
      await applyChange(driver, { now: 1, appended: 0 }, { type: "deleteAlbumChunk", albumId: "a", limit: 500 });
      const { rows } = await client.query<{ relname: string; read: number }>(
        `select relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as read from pg_stat_xact_user_tables
         where relname in ('images', 'blobs')`,
      );
      expect(rows).toHaveLength(2);
      // Of 20,000 each: not their product.
      for (const { read } of rows) expect(read).toBeWithin(500, 100_000);
      await client.query("rollback");
      release(false);
    });

    test("number many events without comparing each with all others", async () => {
      const url = await createDatabase();
      await (await open(url))[Symbol.asyncDispose]();
      await using pool = createPool({ connection: await connectionOptions(url), size: 1, maxWaiting: 1 });
      const { client, release } = await pool.acquire("read");
      await client.query(SEED);
      // As statistics always are: hardly an event is without a number.
      await client.query("analyze");
      await client.query(`begin; insert into events (id, type, album_id, time, data)
        select 'n' || g, 'imagestore.image.deleted', 'a1', g, 'x' from generate_series(1, 3000) g`);
      const { rows } = await client.query<{ "QUERY PLAN": string }>(
        `explain (analyze, costs off, timing off) ${NUMBER_UNSTAMPED}`,
      );
      const plan = rows.map((row) => row["QUERY PLAN"]);
      expect(plan.filter((step) => step.includes("Removed by"))).toEqual([]);
      const numbered = await client.query("select 1 from events where seq > 20000");
      expect(numbered.rowCount).toBe(STAMPED_AT_ONCE);
      await client.query("rollback");
      release(false);
    });
  });
}
