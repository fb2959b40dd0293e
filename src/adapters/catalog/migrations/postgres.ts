import type { ClientBase } from "pg";
import { CatalogOpenError } from "../open-error.ts";
import { BEGIN } from "./postgres-0001-begin.ts";

/**
 * In order; the version of a catalog is how many of them it has had. One that was released is never changed. Nodes of the
 * version before go on while one of this version starts, so each only adds to what they know.
 */
const MIGRATIONS: readonly string[] = [BEGIN];

/** Of the advisory lock that one node at a time migrates under. Any number, as long as all agree. */
const MIGRATION_LOCK = 0x69_6d_67_73;

/**
 * All in one transaction, so that a catalog is never between two versions; of several nodes that start at once, one.
 * @throws CatalogOpenError `newer_version`
 */
export async function migrate(client: ClientBase): Promise<void> {
  if ((await versionOf(client)) === MIGRATIONS.length) return;
  await client.query("begin isolation level read committed read write");
  try {
    // Others wait here for as long as it takes.
    await client.query("set local lock_timeout = 0; set local statement_timeout = 0");
    await client.query("select pg_advisory_xact_lock($1)", [MIGRATION_LOCK]);
    const version = (await versionOf(client)) ?? 0;
    requireKnown(version);
    for (const sql of MIGRATIONS.slice(version)) await client.query(sql);
    await client.query(
      `insert into store (id, store_id, version) values (1, $1, $2)
       on conflict (id) do update set version = excluded.version`,
      [Bun.randomUUIDv7(), MIGRATIONS.length],
    );
    await client.query("commit");
  } catch (error) {
    // What went wrong first is what is told; a connection that is gone has rolled back by itself.
    await client.query("rollback").catch(() => undefined);
    throw error;
  }
}

/**
 * For whoever opens it beside the nodes: those may be of an older version.
 * @throws CatalogOpenError `newer_version`, `older_version`; Error where there is none
 */
export async function requireMigrated(client: ClientBase): Promise<void> {
  const version = await versionOf(client);
  if (version === undefined) throw new Error("There is no store in this database.");
  requireKnown(version);
  if (version < MIGRATIONS.length)
    throw new CatalogOpenError(
      "older_version",
      "The catalog was written by an older version of Image Store. Start a node of this version, which brings it up to " +
        "date, or use the version that it is of.",
    );
}

function requireKnown(version: number): void {
  if (version > MIGRATIONS.length)
    throw new CatalogOpenError(
      "newer_version",
      `The catalog was written by a newer version of Image Store (catalog version ${version}; this one knows up to ` +
        `${MIGRATIONS.length}). Start that version, or a later one.`,
    );
}

/** Undefined where there is no store. */
async function versionOf(client: ClientBase): Promise<number | undefined> {
  // Read as a table: `to_regclass` alone answers from a cache, in which a table that another has just made is missing.
  const { rows: tables } = await client.query<{ there: boolean }>(
    "select exists (select 1 from pg_class where relname = 'store' and pg_table_is_visible(oid)) as there",
  );
  if (tables[0]?.there !== true) return undefined;
  const { rows } = await client.query<{ version: number }>("select version from store where id = 1");
  return rows[0]?.version;
}
