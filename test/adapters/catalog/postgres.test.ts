import { describe, expect, test } from "bun:test";
import { createContext } from "../../../src/adapters/catalog/changes/context.ts";
import { applyChange } from "../../../src/adapters/catalog/changes.ts";
import type { Driver } from "../../../src/adapters/catalog/driver.ts";
import { connectionOptions } from "../../../src/adapters/catalog/postgres/connection-options.ts";
import { createPostgresDriver } from "../../../src/adapters/catalog/postgres/driver.ts";
import { createPool } from "../../../src/adapters/catalog/postgres/pool.ts";
import { NUMBER_UNSTAMPED, STAMPED_AT_ONCE } from "../../../src/adapters/catalog/postgres/stamp.ts";
import { readEvents } from "../../../src/adapters/catalog/queries/events.ts";
import { EVENT_TYPES } from "../../../src/domain/event.ts";
import { StoreOpenError } from "../../../src/domain/open-error.ts";
import type { Catalog, EventQuery } from "../../../src/ports.ts";
import { createAlbum } from "../../catalog-changes.ts";
import { catalogContract } from "../../contracts/catalog.ts";
import { postgresIsMissing } from "../../services/postgres-server.ts";
import { connectTo, SEED, usePostgresCatalogs } from "./open-postgres.ts";
import { statementsOfReads } from "./statements-of-reads.ts";

const failureOf = async (opening: Promise<unknown>): Promise<unknown> =>
  opening.then(
    () => "It opened.",
    (error: unknown) => (error instanceof StoreOpenError ? error.reason : error),
  );

if (!postgresIsMissing()) {
  const { open, openEmpty, createDatabase } = usePostgresCatalogs();

  catalogContract("PostgreSQL", openEmpty);

  describe("opening a PostgreSQL catalog", () => {
    test("nodes that start at the same time create one store", async () => {
      const url = await createDatabase();
      const nodes = await Promise.all(Array.from({ length: 6 }, () => open(url, { poolSize: 2 })));
      expect(new Set(nodes.map(({ storeId }) => storeId)).size).toBe(1);
      await createAlbum(nodes[0] as Catalog, "a");
      expect(await (nodes[5] as Catalog).album("a", "all")).toBeDefined();
    });

    test("a catalog of another version is not changed, and a reader creates nothing", async () => {
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

    test("a failed migration changes nothing", async () => {
      const url = await createDatabase();
      await using database = await connectTo(url);
      await database.query("create table leases (x integer)");
      expect(await failureOf(open(url))).toBe("foreign_schema");
      expect(await database.query("select to_regclass('albums') as albums")).toEqual([{ albums: null }]);
      await database.query("drop table leases");
      await open(url);
    });

    test("a database that is not UTF-8 is refused, and no error contains the password", async () => {
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
      const error = (await open(url.href).catch((failure: unknown) => failure)) as Error;
      expect(error).toMatchObject({ reason: "unusable", message: expect.stringContaining(url.host) });
      expect(Bun.inspect(error)).toContain("28P01");
      expect(Bun.inspect(error) + JSON.stringify(error)).not.toContain("very-secret");
    });

    test("commits are durable whatever the database's own settings are", async () => {
      const url = await createDatabase();
      await using database = await connectTo(url);
      const name = new URL(url).pathname.slice(1);
      for (const [setting, expected] of [
        ["off", "on"],
        ["local", "on"],
        ["remote_apply", "remote_apply"],
      ]) {
        await database.query(`alter database ${name} set synchronous_commit = ${setting}`);
        await using connection = await connect(url);
        const { client } = connection;
        expect((await client.query("show synchronous_commit")).rows).toEqual([{ synchronous_commit: expected }]);
      }
    });
  });

  describe("PostgreSQL query plans", () => {
    test.each([true, false])(
      "every read uses an index and sorts only filtered rows (filters pass many: %p)",
      async (manyPass) => {
        const url = await createDatabase();
        await open(url);
        await using database = await connectTo(url);
        await database.query(SEED);
        await database.query("analyze");
        await using connection = await connect(url);
        const { client } = connection;
        const statements = await statementsOfReads(createPostgresDriver(client, { prepared: false }), { manyPass });
        expect(statements.size).toBeGreaterThan(100);
        for (const [sql, values] of statements) {
          const { rows } = await client.query<{ "QUERY PLAN": string }>(`explain (costs off) ${sql}`, [...values]);
          const plan = rows.map((row) => row["QUERY PLAN"]);
          const slow = plan.filter((step) =>
            /Seq Scan on (?!log_state|cursors)|Hash|Merge(?! Append)|Bitmap|Gather|Incremental/.test(step),
          );
          // What a filter of few rows found, or a page of each type of event.
          if (!/ r cross join | f cross join /.test(sql)) slow.push(...plan.filter((step) => step.endsWith("Sort")));
          expect({ sql, slow }).toEqual({ sql, slow: [] });
        }
      },
    );

    test("deleting an album does not compare every blob with every image, even with stale statistics", async () => {
      const url = await createDatabase();
      await (await open(url))[Symbol.asyncDispose]();
      await using connection = await connect(url);
      const { client } = connection;
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
      await applyChange(driver, createContext(1), { type: "deleteAlbumChunk", albumId: "a", limit: 500 });
      const { rows } = await client.query<{ relname: string; read: number }>(
        `select relname, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) as read from pg_stat_xact_user_tables
         where relname in ('images', 'blobs')`,
      );
      expect(rows).toHaveLength(2);
      // Of 20,000 each: not their product.
      for (const { read } of rows) expect(read).toBeWithin(500, 100_000);
      await client.query("rollback");
    });

    test("reading filtered events takes three statements and reads only the rows that it returns", async () => {
      const url = await createDatabase();
      await (await open(url))[Symbol.asyncDispose]();
      await using connection = await connect(url);
      const { client } = connection;
      await client.query(SEED);
      await client.query("analyze");
      const rowsSoFar = async () => {
        const { rows } = await client.query<{ read: number }>(
          "select seq_tup_read + idx_tup_fetch as read from pg_stat_xact_user_tables where relname = 'events'",
        );
        return rows[0]?.read as number;
      };
      const rowsRead = async (query: Omit<EventQuery, "limit">) => {
        await client.query("begin isolation level repeatable read read only");
        const before = await rowsSoFar();
        let statements = 0;
        const driver = createPostgresDriver(client, { prepared: false });
        const counting: Driver = {
          ...driver,
          all: (sql, values) => (statements++, driver.all(sql, values)),
          get: (sql, values) => (statements++, driver.get(sql, values)),
        };
        const { events, atEnd } = await readEvents(counting, { limit: 20, ...query });
        const read = (await rowsSoFar()) - before;
        await client.query("rollback");
        expect(statements).toBeLessThanOrEqual(3);
        return { events: events.length, atEnd, read };
      };
      const none = { events: 0, atEnd: true, read: 0 };
      expect(await rowsRead({ visibility: "all", albumId: "none" })).toEqual(none);
      expect(await rowsRead({ visibility: "all", types: ["imagestore.album.deleted"] })).toEqual(none);
      expect(await rowsRead({ visibility: "all", albumId: "a1", types: ["imagestore.image.updated"] })).toEqual(none);
      for (const filter of [{ albumId: "a1" }, { types: EVENT_TYPES }]) {
        const found = await rowsRead({ visibility: "all", ...filter });
        expect(found).toMatchObject({ events: 20, atEnd: false });
        // Once in the index, where it may have to look at the row, and once for the columns.
        expect(found.read).toBeLessThanOrEqual(42);
      }
    });

    test("numbering many events does not compare them with each other", async () => {
      const url = await createDatabase();
      await (await open(url))[Symbol.asyncDispose]();
      await using connection = await connect(url);
      const { client } = connection;
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
    });
  });
}

/** A connection as readers have it. */
async function connect(url: string) {
  const pool = createPool({ connection: await connectionOptions(url), size: 1, maxWaiting: 1 });
  const { client, release } = await pool.acquire("read");
  return {
    client,
    async [Symbol.asyncDispose]() {
      release(false);
      await pool[Symbol.asyncDispose]();
    },
  };
}
