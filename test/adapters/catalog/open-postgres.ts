import { afterAll, afterEach, beforeAll, setDefaultTimeout } from "bun:test";
import { Client, type QueryResultRow } from "pg";
import { openPostgresCatalog, type PostgresCatalogOptions } from "../../../src/adapters/catalog/postgres.ts";
import type { Catalog } from "../../../src/ports.ts";
import type { OpenedCatalog } from "../../catalog-changes.ts";
import { type PostgresServer, usePostgres } from "../../services/postgres-server.ts";

type Databases = Pick<PostgresServer, "createDatabase"> & AsyncDisposable;

/** A server for all tests of the file. What survives a crash is not looked at here. */
export function usePostgresCatalogs() {
  setDefaultTimeout(60_000);
  let server: Databases | undefined;
  const opened: Catalog[] = [];
  beforeAll(async () => {
    server = await usePostgres({ settings: { fsync: "off", full_page_writes: "off" } });
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((catalog) => catalog[Symbol.asyncDispose]()));
  });

  let cleared: ReturnType<typeof openCleared> | undefined;
  afterAll(async () => {
    await (await cleared)?.[Symbol.asyncDispose]();
    await server?.[Symbol.asyncDispose]();
  });

  const createDatabase = (): Promise<string> => {
    if (server === undefined) throw new Error("There is no server before the first test.");
    return server.createDatabase();
  };
  const open = async (url: string, more: Partial<PostgresCatalogOptions> = {}): Promise<Catalog> => {
    const catalog = await openPostgresCatalog({ url, poolSize: 8, as: "server", ...more });
    opened.push(catalog);
    return catalog;
  };
  return {
    createDatabase,
    /** Closed after the test. */
    open,
    /** The same one each time, empty again: to make a database and to connect takes longer than most tests. */
    openEmpty: async (): Promise<OpenedCatalog> => {
      cleared ??= createDatabase().then(openCleared);
      return (await cleared).clear();
    },
  };
}

async function openCleared(url: string) {
  const catalog = await openPostgresCatalog({ url, poolSize: 8, as: "server" });
  const client = new Client({ connectionString: url });
  await client.connect();
  const logged = () => allStamped(client);
  return {
    clear: async (): Promise<OpenedCatalog> => {
      await logged();
      for (const table of [...TABLES, "link_keys", "leases"]) await client.query(`delete from ${table}`);
      await client.query("update log_state set floor = 0, head = 0, bytes = 0");
      await client.query("update access_state set revision = 0");
      return { ...catalog, logged, [Symbol.asyncDispose]: logged };
    },
    [Symbol.asyncDispose]: async () => {
      await client.end();
      await catalog[Symbol.asyncDispose]();
    },
  };
}

/** What refers to others before what it refers to. */
const TABLES = [
  "webhook_deliveries",
  "webhook_blocked_albums",
  "webhook_readers",
  "webhooks",
  "image_tags",
  "images",
  "tickets",
  "shares",
  "sessions",
  "keys",
  "quotas",
  "albums",
  "blobs",
  "events",
  "cursors",
  "idempotency",
  "holds",
];

async function allStamped(client: Client): Promise<void> {
  while ((await client.query("select 1 from events where seq is null limit 1")).rows.length > 0) await Bun.sleep(2);
}

/** A connection for what no port shows. */
export async function connectTo(url: string) {
  const client = new Client({ connectionString: url });
  // It may be there when the server goes.
  client.on("error", () => undefined);
  await client.connect();
  return {
    query: async <Row extends QueryResultRow>(sql: string, values: unknown[] = []): Promise<Row[]> =>
      (await client.query<Row>(sql, values)).rows,
    [Symbol.asyncDispose]: () => client.end(),
  };
}

/** Enough of everything that no plan is as good as another. */
export const SEED = `
insert into albums (id, name, metadata, state, revision, created_at, updated_at)
  select 'a' || nullif(g, 0), 'album ' || g, '{}', case when g = 7 then 'deleting' else 'live' end, 1, g, -g
  from generate_series(1, 200) g union all select 'a', 'a', '{}', 'live', 1, 0, 0;
insert into images (id, album_id, name, metadata, tags, content_type, size, sha256, width, height, frames, has_alpha,
    orientation, described, taken_at, revision, created_at, updated_at)
  select 'i' || g, case when g % 4 = 0 then 'a' else 'a' || (g % 200 + 1) end, 'x' || g, '{}', '[]',
    case when g % 500 = 0 then 'image/png' else 'image/jpeg' end, 1000, 's' || g / 2, 1, 1, 1, 0, 1,
    (g % 10 <> 0)::integer, case when g % 3 = 0 then null else g * 7 end, 1, g, -g
  from generate_series(1, 20000) g;
insert into image_tags (tag, image_id) select 't' || case when g % 2 = 0 then '' else 'x' end, 'i' || g
  from generate_series(1, 20000) g;
insert into blobs (key, location, size, sha256, image_id, state, changed_at)
  select 's' || g, 'l' || g, 1000, 's' || g, 'i' || g, 'live', g from generate_series(1, 20000) g;
insert into events (seq, id, type, album_id, time, data)
  select g, 'e' || g, 'imagestore.image.created', 'a' || (g % 200 + 1), g, 'x' from generate_series(1, 20000) g;
update log_state set head = 20000;
`;
