import { Client, type ClientConfig } from "pg";
import { StoreError } from "../../domain/errors.ts";
import type { Catalog } from "../../ports.ts";
import type { Driver } from "./driver.ts";
import { migrate, requireMigrated } from "./migrations/postgres.ts";
import { CatalogOpenError } from "./open-error.ts";
import { connectionOptions } from "./postgres/connection-options.ts";
import { startLogConnection } from "./postgres/log-connection.ts";
import { createPool } from "./postgres/pool.ts";
import { createPostgresReader } from "./postgres/reader.ts";
import { databaseTime } from "./postgres/time.ts";
import { createPostgresWriter, type WriterOptions } from "./postgres/writer.ts";
import { createQueries, readStoreId } from "./queries.ts";

const OLDEST_POSTGRES = 15;
const DEFAULT_MAX_WAITING = 1000;

export interface PostgresCatalogOptions extends Pick<WriterOptions, "observe"> {
  /** `postgres://user:password@host/database`; the database is the store's alone. */
  readonly url: string;
  /** Most connections for reads and writes; a server has one more for the log. */
  readonly poolSize: number;
  /** `server`: a node, one of any number. `beside`: a subcommand, which makes nothing and migrates nothing. */
  readonly as: "server" | "beside";
  /** Requests that may wait for a connection, and changes that may wait for one before them; past it, `busy`. */
  readonly maxWaiting?: number;
}

/**
 * The catalog of a fleet. Events get their numbers a moment after their change, and are readable then.
 * @throws CatalogOpenError when a newer version wrote it, an older one did and this is no server, or PostgreSQL is too old
 * or not for UTF-8; Error where there is none, or it cannot be reached
 */
export async function openPostgresCatalog(options: PostgresCatalogOptions): Promise<Catalog> {
  const { url, poolSize, as, observe, maxWaiting = DEFAULT_MAX_WAITING } = options;
  const connection = await connectionOptions(url);
  await prepare(connection, as);

  await using opening = new AsyncDisposableStack();
  const pool = opening.use(createPool({ connection, size: poolSize, maxWaiting }));
  const reader = createPostgresReader(pool);
  const storeId = await reader.read(readStoreId);

  const listeners = new Set<() => void>();
  const onStamped = () => {
    for (const listener of listeners) listener();
  };
  const log = as === "server" ? opening.use(startLogConnection(connection, onStamped)) : undefined;
  const write = createPostgresWriter(pool, { maxWaiting, observe, onAppended: () => log?.stampSoon() });
  const stack = opening.move();

  return {
    storeId,
    shared: true,
    write,
    ...createQueries(reader, databaseTime),
    probe: () => reader.read(requirePrimary),
    onEvents: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function requirePrimary(db: Driver): Promise<void> {
  const standby = await db.get("select 1 where pg_is_in_recovery()");
  if (standby !== undefined) throw new StoreError("unavailable", "PostgreSQL is a standby.");
}

async function prepare(connection: ClientConfig, as: PostgresCatalogOptions["as"]): Promise<void> {
  // A migration takes as long as it takes.
  const client = new Client({ ...connection, query_timeout: undefined });
  // What breaks it fails what waits for it.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await requireEngine(client);
    await (as === "server" ? migrate(client) : requireMigrated(client));
  } finally {
    await client.end().catch(() => undefined);
  }
}

async function requireEngine(client: Client): Promise<void> {
  const { rows } = await client.query<{ version: number; encoding: string }>(
    "select current_setting('server_version_num')::integer as version, current_setting('server_encoding') as encoding",
  );
  const [engine] = rows;
  if (engine === undefined || engine.version < OLDEST_POSTGRES * 10_000)
    throw new CatalogOpenError("unsafe_engine", `PostgreSQL ${OLDEST_POSTGRES} or later is needed.`);
  if (engine.encoding !== "UTF8")
    throw new CatalogOpenError("unsafe_engine", `The database's encoding is ${engine.encoding}; UTF8 is needed.`);
}
