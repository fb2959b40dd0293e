import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * Ports for servers that are stopped and started on the same one again. They lie below those that systems give to
 * outgoing connections (from 32768 on Linux): else such a connection could take the port of a stopped server, and a
 * client that tries to reconnect to it could even meet itself (a TCP simultaneous open).
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  while (ports.size < count) {
    const port = randomInt(10_000, 32_000);
    if (await isFree(port)) ports.add(port);
  }
  return [...ports];
}

export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new Error("There is no free port.");
  return port;
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
