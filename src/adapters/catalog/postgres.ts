import { Client, type ClientConfig } from "pg";
import { StoreError } from "../../domain/errors.ts";
import { StoreOpenError } from "../../domain/open-error.ts";
import type { Catalog } from "../../ports.ts";
import type { Driver } from "./driver.ts";
import { hasCatalog, migrate, requireMigrated } from "./migrations/postgres.ts";
import { connectionOptions } from "./postgres/connection-options.ts";
import { databaseTime } from "./postgres/driver.ts";
import { type LogObserver, startLogConnection } from "./postgres/log-connection.ts";
import { explainOpenFailure } from "./postgres/open-failure.ts";
import { createPool } from "./postgres/pool.ts";
import { createPostgresReader } from "./postgres/reader.ts";
import { settingsOf, unnumberedEvents } from "./postgres/stamp.ts";
import { createPostgresWriter, type WriterOptions } from "./postgres/writer.ts";
import { createQueries, readStoreId } from "./queries.ts";

const OLDEST_POSTGRES = 15;
const DEFAULT_MAX_WAITING = 1000;

export interface PostgresCatalogOptions extends Pick<WriterOptions, "observe"> {
  /** `postgres://user:password@host/database`. The database belongs to the store alone. */
  readonly url: string;
  /** Maximum number of connections for reads and writes. A server has one more for the log. */
  readonly poolSize: number;
  /** `server`: a node. `beside`: a subcommand, which creates and migrates nothing. `first`: one that creates what is not there. */
  readonly as: "server" | "beside" | "first";
  readonly observeLog?: LogObserver | undefined;
  /** Requests that may wait for a connection, and changes that may wait in lanes; above it, `busy`. */
  readonly maxWaiting?: number;
}

/**
 * The catalog that nodes share. An event gets its number shortly after its change, and is readable then.
 * @throws StoreOpenError if a newer version wrote the catalog, or an older one did and this is no server; if PostgreSQL is too old,
 * refuses the store or does not use UTF-8; or if the database belongs to another program. StoreError `unavailable` while
 * PostgreSQL is unreachable. Error if there is no catalog
 */
export async function openPostgresCatalog(options: PostgresCatalogOptions): Promise<Catalog> {
  try {
    return await openCatalog(options);
  } catch (error) {
    const { host, pathname } = new URL(options.url);
    throw explainOpenFailure(`postgres://${host}${pathname}`, error);
  }
}

async function openCatalog(options: PostgresCatalogOptions): Promise<Catalog> {
  const { url, poolSize, as, observe, observeLog, maxWaiting = DEFAULT_MAX_WAITING } = options;
  const connection = await connectionOptions(url);
  const settings = await prepare(connection, as);

  await using opening = new AsyncDisposableStack();
  const pool = opening.use(createPool({ connection, size: poolSize, maxWaiting }));
  const reader = createPostgresReader(pool);
  const storeId = await reader.read(readStoreId);

  const listeners = new Set<() => void>();
  const onStamped = () => {
    for (const listener of listeners) listener();
  };
  const log =
    as === "server"
      ? opening.use(
          startLogConnection({ connection, settings, onStamped, onSettingsChanged: pool.renew, observer: observeLog }),
        )
      : undefined;
  const write = createPostgresWriter(pool, { maxWaiting, observe, onAppended: () => log?.stampSoon() });
  const stack = opening.move();

  return {
    storeId,
    shared: true,
    write,
    ...createQueries(reader, {
      now: databaseTime,
      unnumbered: unnumberedEvents,
    }),
    probe: () => reader.read(requireWritable),
    onEvents: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function requireWritable(db: Driver): Promise<void> {
  const state = await db.get<{ standby: boolean; readonly: string }>(
    "select pg_is_in_recovery() as standby, current_setting('transaction_read_only') as readonly",
  );
  if (state?.standby === true) throw new StoreError("unavailable", "PostgreSQL is a standby.");
  if (state?.readonly === "on")
    throw new StoreError("unavailable", "PostgreSQL is read-only: default_transaction_read_only is on.");
}

/** Prepares the database and returns its settings. */
async function prepare(connection: ClientConfig, as: PostgresCatalogOptions["as"]): Promise<string> {
  // A migration has no time limit.
  const client = new Client({ ...connection, query_timeout: undefined });
  // A broken connection fails its queries.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await requireEngine(client);
    const creates = as === "server" || (as === "first" && !(await hasCatalog(client)));
    await (creates ? migrate(client) : requireMigrated(client));
    return await settingsOf(client);
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
    throw new StoreOpenError("unsafe_engine", `The store needs PostgreSQL ${OLDEST_POSTGRES} or later.`);
  if (engine.encoding !== "UTF8")
    throw new StoreOpenError(
      "unsafe_engine",
      `The encoding of the database is ${engine.encoding}. The store needs UTF8.`,
    );
}
