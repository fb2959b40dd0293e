import type { ClientBase } from "pg";
import { StoreOpenError } from "../../../domain/open-error.ts";
import { BEGIN } from "./postgres-0001-begin.ts";
import { FILTERS } from "./postgres-0002-filters.ts";
import { ACCESS } from "./postgres-0003-access.ts";
import { CHECKSUMS } from "./postgres-0004-checksums.ts";
import { WEBHOOKS } from "./postgres-0005-webhooks.ts";

/**
 * The version of a catalog is the number of migrations that it has had. A migration never changes once it is released; a test
 * checks that. Nodes of the previous version go on while a node of this one starts, so a migration only adds to the schema.
 */
export const MIGRATIONS: readonly string[] = [BEGIN, FILTERS, ACCESS, CHECKSUMS, WEBHOOKS];

/** Key of the advisory lock under which one node at a time migrates. An arbitrary number that all versions share. */
const MIGRATION_LOCK = 0x69_6d_67_73;

/**
 * Migrates in one transaction, so a catalog is never between two versions. Of several nodes that start at once, one migrates.
 * @throws StoreOpenError `newer_version`
 */
export async function migrate(client: ClientBase): Promise<void> {
  if ((await versionOf(client)) === MIGRATIONS.length) return;
  await client.query("begin isolation level read committed");
  try {
    // Other nodes wait here without a limit.
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
    // The first error is thrown. On a lost connection the server rolls back by itself.
    await client.query("rollback").catch(() => undefined);
    throw error;
  }
}

/**
 * For a process beside the nodes, which may have an older version.
 * @throws StoreOpenError `newer_version`, `older_version`; Error if there is no store
 */
export async function requireMigrated(client: ClientBase): Promise<void> {
  const version = await versionOf(client);
  if (version === undefined) throw new Error("There is no store in this database.");
  requireKnown(version);
  if (version < MIGRATIONS.length)
    throw new StoreOpenError(
      "older_version",
      "The catalog was written by an older version of Image Store. Start a node of this version, which migrates it, or use " +
        "the older version.",
    );
}

export const hasCatalog = async (client: ClientBase): Promise<boolean> => (await versionOf(client)) !== undefined;

function requireKnown(version: number): void {
  if (version > MIGRATIONS.length)
    throw new StoreOpenError(
      "newer_version",
      `The catalog was written by a newer version of Image Store (catalog version ${version}; this one knows up to ` +
        `${MIGRATIONS.length}). Start that version, or a later one.`,
    );
}

/** Returns undefined if there is no store. */
async function versionOf(client: ClientBase): Promise<number | undefined> {
  // Reads pg_class: `to_regclass` uses a cache, which may lack a table that another connection has just created.
  const { rows: tables } = await client.query<{ there: boolean }>(
    "select exists (select 1 from pg_class where relname = 'store' and pg_table_is_visible(oid)) as there",
  );
  if (tables[0]?.there !== true) return undefined;
  const { rows } = await client.query<{ version: number }>("select version from store where id = 1");
  return rows[0]?.version;
}
