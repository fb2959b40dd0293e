import { randomUUID } from "node:crypto";
import { chown, rm } from "node:fs/promises";
import { join } from "node:path";
import { Client } from "pg";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { cachedFolder } from "./cached-folder.ts";
import { freePort } from "./free-ports.ts";
import { missingForPostgres, type PostgresBinaries, postgresBinaries } from "./postgres-binaries.ts";
import { run } from "./run.ts";
import { createServerProcess } from "./server-process.ts";

export interface PostgresServer extends AsyncDisposable {
  /** Of its database `postgres`, as its super user. */
  readonly url: string;
  readonly port: number;
  /** Its certificate, which is of `localhost`, for `sslrootcert`. Where it has one: see {@link PostgresOptions.tls}. */
  readonly caFile: string | undefined;
  /** @returns the URL of a new, empty database, so that each test has its own */
  createDatabase(name?: string): Promise<string>;
  /** Resolves when it answers. Data and port are those of before. */
  start(): Promise<void>;
  /** Rolls open transactions back and disconnects everybody, as an administrator's restart does. */
  stop(): Promise<void>;
  restart(): Promise<void>;
  /** As a crash of the machine would, as far as processes go: SIGKILL for all of them at once. */
  kill(): Promise<void>;
}

export interface PostgresOptions {
  /** Of postgresql.conf, such as `fsync: "off"` where no test looks at what survives. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Takes connections with TLS too. */
  readonly tls?: boolean;
}

/** As `kafkaIsMissing`. */
export function postgresIsMissing(): boolean {
  const missing = process.env["IMAGE_STORE_TEST_POSTGRES"] === undefined ? missingForPostgres() : undefined;
  if (missing === undefined) return false;
  const message = `The tests against PostgreSQL need ${missing}.`;
  if (process.env["CI"] === "true") throw new Error(message);
  console.warn(`SKIPPED: ${message}`);
  return true;
}

/**
 * For tests that do not stop it: the server that `IMAGE_STORE_TEST_POSTGRES` (a URL of somebody who may create
 * databases) names, else one of our own. What `createDatabase` made there is dropped in the end.
 */
export async function usePostgres(
  options: PostgresOptions = {},
): Promise<Pick<PostgresServer, "url" | "createDatabase"> & AsyncDisposable> {
  const url = process.env["IMAGE_STORE_TEST_POSTGRES"];
  if (url === undefined) return startPostgres(options);
  const databases: string[] = [];
  return {
    url,
    createDatabase(name = freshName()) {
      databases.push(name);
      return createDatabase(url, name);
    },
    async [Symbol.asyncDispose]() {
      for (const name of databases) await query(url, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    },
  };
}

/**
 * A real PostgreSQL on a free port, in a temporary folder. Its databases sort by the rules of English, as most do out
 * there, so that a column that lacks its `COLLATE "C"` shows.
 */
export async function startPostgres(options: PostgresOptions = {}): Promise<PostgresServer> {
  const binaries = await postgresBinaries();
  const { bin, user } = binaries;
  const template = await dataTemplate(binaries);
  const port = await freePort();
  const folder = await newFolder("postgres");
  const data = join(folder, "data");
  const url = `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`;
  const certificate = join(folder, "certificate.pem");
  const key = join(folder, "key.pem");
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: "200",
    shared_buffers: "64MB",
    // In the data folder rather than in /dev/shm, where a killed server would leave it.
    dynamic_shared_memory_type: "mmap",
    ...(options.tls === true ? { ssl: "on", ssl_cert_file: certificate, ssl_key_file: key } : {}),
    ...options.settings,
  };
  const server = createServerProcess({
    name: "PostgreSQL",
    command: [
      join(bin, "postgres"),
      "-D",
      data,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    logFile: join(folder, "server.log"),
    answers: () => answers(url),
    user,
    orphanSignal: "QUIT",
  });

  const postgres: PostgresServer = {
    url,
    port,
    caFile: options.tls === true ? certificate : undefined,
    createDatabase: (name = freshName()) => createDatabase(url, name),
    start: () => server.start(),
    // The modes of shutdown have a signal each: SIGINT is "fast", SIGQUIT "immediate".
    stop: () => server.end("SIGINT"),
    async restart() {
      await server.end("SIGINT");
      await server.start();
    },
    async kill() {
      const { pid } = server;
      if (pid === undefined) return;
      // Stopped first, so that it neither starts further processes nor tells those that there are.
      process.kill(pid, "SIGSTOP");
      const children = (await processes()).filter((other) => other.parent === pid).map((child) => child.pid);
      for (const child of children) tryToKill(child);
      await server.end("SIGKILL");
      // Until the last is gone the shared memory is in use, and the next start refuses.
      while ((await processes()).some((other) => children.includes(other.pid))) await Bun.sleep(5);
    },
    async [Symbol.asyncDispose]() {
      await server.end("SIGQUIT");
      await removeFolder(folder);
    },
  };
  try {
    await run(["cp", "-a", template, data]);
    if (options.tls === true) await makeCertificate(certificate, key);
    if (user !== undefined) {
      for (const path of [folder, ...(options.tls === true ? [key] : [])]) await chown(path, user.uid, user.gid);
    }
    await server.start();
  } catch (error) {
    await postgres[Symbol.asyncDispose]();
    throw error;
  }
  return postgres;
}

const PASSWORD = "password";

/** What `initdb` makes, which takes longer than to copy it. */
async function dataTemplate({ bin, user, cache }: PostgresBinaries): Promise<string> {
  const version = /\d+(\.\d+)*/.exec(await run([join(bin, "postgres"), "--version"]))?.[0];
  const options = ["--username=postgres", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"];
  options.push("--locale-provider=icu", "--icu-locale=en-US");
  const key = Bun.hash(options.join(" ")).toString(36);
  const made = await cachedFolder(join(cache, `data-${version}-${key}`), async (folder) => {
    // It is made elsewhere, since only we may enter a folder that is being filled.
    const elsewhere = await newFolder("initdb");
    try {
      const password = join(elsewhere, "password");
      await Bun.write(password, PASSWORD);
      if (user !== undefined) await chown(elsewhere, user.uid, user.gid);
      const data = join(elsewhere, "data");
      await run([join(bin, "initdb"), ...options, `--pwfile=${password}`, "-D", data], { user, cwd: elsewhere });
      await run(["cp", "-a", data, folder]);
    } finally {
      await rm(elsewhere, { recursive: true, force: true });
    }
  });
  return join(made, "data");
}

/** Signed by itself, so that it is the authority too. */
async function makeCertificate(certificate: string, key: string): Promise<void> {
  const what = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
  const whose = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  await run(["openssl", "req", ...what, ...whose, "-keyout", key, "-out", certificate]);
}

const freshName = () => `test_${randomUUID().replaceAll("-", "")}`;

async function createDatabase(serverUrl: string, name: string): Promise<string> {
  await query(serverUrl, `CREATE DATABASE "${name}"`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function query(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Not yet while it recovers from a crash, though it accepts connections. */
async function answers(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 1000 });
  client.on("error", () => {});
  try {
    await client.connect();
    return true;
  } catch {
    return false;
  } finally {
    await client.end().catch(() => {});
  }
}

/** Those that live: one that is dead may still be listed until somebody asks how it ended. */
async function processes(): Promise<{ pid: number; parent: number }[]> {
  const lines = (await run(["ps", "-A", "-o", "pid=,ppid=,stat="])).trim().split("\n");
  return lines
    .map((line) => line.trim().split(/\s+/))
    .filter(([, , state]) => state?.startsWith("Z") === false)
    .map(([pid, parent]) => ({ pid: Number(pid), parent: Number(parent) }));
}

function tryToKill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has gone by itself.
  }
}
