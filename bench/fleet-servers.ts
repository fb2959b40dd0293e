import { Client } from "pg";
import { postgresIsMissing, startPostgres } from "../test/services/postgres-server.ts";
import { type S3Server, s3IsMissing, startS3 } from "../test/services/s3-server.ts";
import { cpuSeconds, parentOf } from "./cpu-time.ts";
import type { StoreOptions } from "./store.ts";

/** The database and bucket that the nodes of one fleet share. */
export interface Place {
  readonly catalogUrl: string;
  readonly bucket: string;
}

export interface FleetServers extends AsyncDisposable {
  readonly s3: S3Server;
  /** An empty database and an empty bucket. */
  createPlace(): Promise<Place>;
  /** Processor time of all PostgreSQL processes since the start, in seconds. */
  postgresCpuSeconds(): number;
}

/** @throws Error in CI, where nothing may be missing */
export const serversAreMissing = (): boolean => [postgresIsMissing(), s3IsMissing()].includes(true);

let servers: Promise<FleetServers> | undefined;

/** The servers that all benchmarks share on this machine. */
export function runningServers(): Promise<FleetServers> {
  servers ??= startServers();
  return servers;
}

export async function disposeOfServers(): Promise<void> {
  await (await servers)?.[Symbol.asyncDispose]();
  servers = undefined;
}

/** PostgreSQL with default settings, which include fsync. */
async function startServers(): Promise<FleetServers> {
  await using starting = new AsyncDisposableStack();
  const postgres = starting.use(await startPostgres());
  const s3 = starting.use(await startS3());
  const pid = await serverPid(postgres.url);
  const stack = starting.move();
  return {
    s3,
    createPlace: async () => ({ catalogUrl: await postgres.createDatabase(), bucket: await s3.createBucket() }),
    postgresCpuSeconds: () => cpuSeconds(pid, { family: true }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** The settings of a node of this fleet. */
export const nodeOptions = ({ s3 }: FleetServers, { catalogUrl, bucket }: Place) =>
  ({
    settings: { CATALOG_URL: catalogUrl, BLOBS_URL: s3.blobsUrl(bucket) },
    env: s3.env,
  }) satisfies Partial<StoreOptions>;

/** Each connection has a process, whose parent it is. */
async function serverPid(url: string): Promise<number> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ pid: number }>("select pg_backend_pid() as pid");
    return parentOf(rows[0]?.pid ?? 0);
  } finally {
    await client.end();
  }
}
