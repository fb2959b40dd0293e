import { readFile } from "node:fs/promises";
import { type ClientConfig, TypeOverrides, types } from "pg";

/** In milliseconds. A timeout of the client must be longer than the server's own. */
const CONNECT_TIMEOUT = 5000;
const STATEMENT_TIMEOUT = 30_000;
const QUERY_TIMEOUT = STATEMENT_TIMEOUT + 5000;
/** Time to wait for an album's lock: the deletion of a large album takes seconds. */
const LOCK_TIMEOUT = 10_000;
/** Limits how long a paused node holds its locks. */
const IDLE_IN_TRANSACTION_TIMEOUT = 5000;
const KEEP_ALIVE_DELAY = 10_000;

/**
 * Every statement is written to walk an index over a bounded number of rows and to look up related rows by key. These settings
 * keep the planner to that, whatever its statistics say.
 */
const PLANNER = [
  "enable_seqscan=off",
  "enable_bitmapscan=off",
  "enable_hashjoin=off",
  "enable_mergejoin=off",
  "enable_sort=off",
  "random_page_cost=1.1",
  "jit=off",
  "max_parallel_workers_per_gather=0",
];

/**
 * @param url `postgres://user:password@host:5432/database`, with `sslmode` and the files `sslrootcert`, `sslcert` and
 * `sslkey` of libpq, except that TLS is off without `sslmode`. Translated here, since the library treats every mode as
 * `verify-full`, and will change that.
 * @throws Error when a file cannot be read
 */
export async function connectionOptions(url: string): Promise<ClientConfig> {
  const { hostname, port, username, password, pathname, searchParams } = new URL(url);
  return {
    host: decodeURIComponent(hostname.replace(/^\[(.*)\]$/, "$1")),
    port: Number(port || 5432),
    database: decodeURIComponent(pathname.slice(1)),
    ...(username === "" ? {} : { user: decodeURIComponent(username) }),
    ...(password === "" ? {} : { password: decodeURIComponent(password) }),
    ssl: await tlsOptions(searchParams),
    application_name: "image-store",
    options: PLANNER.map((setting) => `-c ${setting}`).join(" "),
    connectionTimeoutMillis: CONNECT_TIMEOUT,
    statement_timeout: STATEMENT_TIMEOUT,
    query_timeout: QUERY_TIMEOUT,
    lock_timeout: LOCK_TIMEOUT,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY,
    // Independent statements take one round trip.
    pipeline: true,
    types: parsers,
  };
}

async function tlsOptions(parameters: URLSearchParams): Promise<ClientConfig["ssl"]> {
  const mode = parameters.get("sslmode") ?? "disable";
  if (mode === "disable") return false;
  const [ca, cert, key] = await Promise.all(
    ["sslrootcert", "sslcert", "sslkey"].map(async (name) => {
      const path = parameters.get(name);
      return path === null ? undefined : readFile(path, "utf8");
    }),
  );
  // `require` accepts any certificate unless `sslrootcert` names an authority.
  const trusted = mode !== "require" || ca !== undefined;
  return {
    rejectUnauthorized: trusted,
    ...(mode === "verify-full" ? {} : { checkServerIdentity: () => undefined }),
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

/** Counts, sizes and times: all far below 2⁵³. The library gives them as text. */
const parsers = new TypeOverrides();
parsers.setTypeParser(types.builtins.INT8, Number);
parsers.setTypeParser(types.builtins.NUMERIC, Number);
