import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findTool } from "../faults/requirements.ts";
import { freePort } from "./free-ports.ts";
import { createServerProcess } from "./server-process.ts";

/** nginx with a configuration of deploy/, of which only addresses, ports and paths are others. */
export interface NginxServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Its error log so far, from `warn` on. */
  errors(): string;
  /** A line a request. */
  accesses(): string[];
  /** At once: it cuts what is open. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it and starts it again. */
  restart(): Promise<void>;
  /** As `nginx -s reload`: new workers, while those of before finish what is open. */
  reload(): void;
}

export interface NginxOptions {
  /** The text of the configuration: a whole one, or with `inHttp` one for Debian's conf.d. */
  readonly configuration: string;
  readonly inHttp?: boolean;
  /** By the `host:port` in the configuration. */
  readonly upstreams: Readonly<Record<string, string>>;
  /** A new one. */
  readonly folder: string;
}

const DEPLOY = join(import.meta.dir, "../../deploy");
export const readConfiguration = (name: "nginx.conf" | "nginx-single.conf"): string =>
  readFileSync(join(DEPLOY, name), "utf8");

/** Says so where nginx is not installed; where CI is set it fails instead. */
export function nginxIsMissing(): boolean {
  if (findTool("nginx") !== null) return false;
  if (process.env["CI"] === "true") throw new Error("These tests need nginx.");
  console.warn("SKIPPED: nginx is not installed.");
  return true;
}

export async function startNginx(options: NginxOptions): Promise<NginxServer> {
  const { folder } = options;
  const port = await freePort();
  mkdirSync(folder, { recursive: true });
  const errorLog = join(folder, "error.log");
  const accessLog = join(folder, "access.log");
  const configuration = join(folder, "nginx.conf");
  const adapted = adapt(options, port);
  if (options.inHttp === true) {
    writeFileSync(join(folder, "site.conf"), adapted);
    writeFileSync(configuration, asInDebian(folder));
  } else writeFileSync(configuration, adapted);

  // As root its workers would be another user, who may not read the folder.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const command = [findTool("nginx") ?? "nginx", "-e", errorLog, "-p", folder, "-c", configuration];
  const checked = Bun.spawnSync([...command, "-t"], { stderr: "pipe" });
  const said = checked.stderr.toString();
  if (!checked.success || /\[(?:warn|error|emerg)\]/.test(said)) throw new Error(`nginx -t: ${said}`);
  const url = `http://127.0.0.1:${port}`;
  const server = createServerProcess({
    name: "nginx",
    command: [...command, "-g", `daemon off; ${user}`],
    logFile: join(folder, "output.log"),
    // Also without a node behind it.
    answers: () =>
      fetch(`${url}/metrics`, { keepalive: false }).then(
        () => true,
        () => false,
      ),
    orphanSignal: "QUIT",
  });
  await server.start();
  return {
    url,
    port,
    errors: () => read(errorLog),
    accesses: () => read(accessLog).trimEnd().split("\n"),
    stop: () => server.end("SIGTERM"),
    start: () => server.start(),
    async restart() {
      await server.end("SIGTERM");
      await server.start();
    },
    reload() {
      if (server.pid !== undefined) process.kill(server.pid, "SIGHUP");
    },
    [Symbol.asyncDispose]: () => server.end("SIGTERM"),
  };
}

const read = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");

function adapt({ configuration, upstreams, folder }: NginxOptions, port: number): string {
  let text = configuration
    .replace(/^(\s*)listen \d+ default_server;/m, `$1listen 127.0.0.1:${port} default_server;`)
    .replaceAll(/ \/tmp\//g, ` ${folder}/`)
    .replace("error_log stderr warn;", `error_log ${join(folder, "error.log")} warn;`)
    .replace(/^(\s*)access_log (?:\/dev\/stdout|\S+\.log) /m, `$1access_log ${join(folder, "access.log")} `);
  for (const [from, to] of Object.entries(upstreams)) text = text.replaceAll(`server ${from}`, `server ${to}`);
  return text;
}

/** What Debian's own nginx.conf says, and where it includes sites. */
const asInDebian = (folder: string): string => `
worker_processes auto;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log warn;
events { worker_connections 768; }
http {
  sendfile on;
  tcp_nopush on;
  types_hash_max_size 2048;
  types { text/html html; image/jpeg jpg; }
  default_type application/octet-stream;
  access_log ${folder}/default.log;
  gzip on;
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join("\n  ")}
  include ${folder}/site.conf;
}
`;
