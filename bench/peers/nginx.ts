import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "../load.ts";
import { NGINX, onCore, SERVER_CORE } from "../machine.ts";
import type { Peer } from "./peer.ts";

/**
 * nginx with one worker on the server's core that serves a folder by sendfile, with connections that are never closed. Not
 * tcp_nopush, which Debian sets: its answers of 100 KB stood still for 41 ms once in a hundred. Undefined where it is not
 * installed.
 * @param options.accessLog whether it logs each request, as Debian's does; default: no
 */
export async function startNginx(
  root: string,
  folder: string,
  { accessLog = false }: { readonly accessLog?: boolean } = {},
): Promise<Peer | undefined> {
  if (NGINX === undefined) return undefined;
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const config = join(folder, "nginx.conf");
  await Bun.write(config, configuration({ root, folder, port, log: accessLog ? `${folder}/access.log` : "off" }));
  const server = Bun.spawn(onCore(SERVER_CORE, [NGINX, "-p", folder, "-c", config]), { stderr: "inherit" });
  for (let attempt = 0; attempt < 200 && !(await answers(port)); attempt++) await Bun.sleep(10);
  return {
    pid: server.pid,
    port,
    async [Symbol.asyncDispose]() {
      server.kill();
      await server.exited;
    },
  };
}

async function answers(port: number): Promise<boolean> {
  try {
    await fetch(`http://127.0.0.1:${port}/`);
    return true;
  } catch {
    return false;
  }
}

// Started as root, the worker would run as the user `nobody`, which may not read root's files.
const configuration = ({ root, folder, port, log }: { root: string; folder: string; port: number; log: string }) => `
${process.getuid?.() === 0 ? "user root;" : ""}
worker_processes 1;
daemon off;
pid ${folder}/nginx.pid;
error_log ${folder}/error.log;
events { worker_connections 768; }
http {
  access_log ${log};
  sendfile on;
  keepalive_requests 1000000000;
  types { image/jpeg jpg; }
  ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((kind) => `${kind}_temp_path ${folder}/${kind};`).join(" ")}
  server { listen 127.0.0.1:${port}; root ${root}; }
}
`;
