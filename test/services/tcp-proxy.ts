import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { freePort } from "./free-ports.ts";

export type Direction = "toServer" | "toClient";

/** One client's. The same object in every call about it. */
export interface ProxyConnection {
  /** Resets it on both sides. Bytes that were not sent on are lost. */
  cut(): void;
}

/** A way to a server that can be bad. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** @returns `url` with its host and port replaced by the proxy's */
  through(url: string): string;
  /** Resets all connections; new ones are accepted. */
  cut(): void;
  /** Holds all bytes back, both ways. Connections stay open, and new ones are accepted and held too. */
  pause(): void;
  resume(): void;
  /** Refuses new connections; those that there are stay. */
  refuse(): void;
  accept(): Promise<void>;
  /** Each byte arrives that much later, each way, from the next on. */
  delay(milliseconds: number): void;
  /** Tells the server, or the clients, that no more will come (FIN), and drops what does. The other way goes on. */
  halfClose(direction?: Direction): void;
}

export interface TcpProxyOptions {
  /** Called before a chunk is sent on. Where it cuts the connection, the chunk does not arrive. */
  onData?(this: void, direction: Direction, chunk: Buffer, connection: ProxyConnection): void;
}

interface Connection extends ProxyConnection {
  readonly client: Socket;
  readonly server: Socket;
}

/** What one direction may hold in memory, so that a delay is one of each byte and not one of each chunk. */
const MAX_BYTES_HELD = 4 * 1024 * 1024;

/** @param targetPort of 127.0.0.1; a server may begin to listen there later */
export async function startProxy(targetPort: number, { onData }: TcpProxyOptions = {}): Promise<TcpProxy> {
  const connections = new Set<Connection>();
  let delayMilliseconds = 0;
  /** Open unless paused. */
  let gate: Promise<void> | undefined;
  let open: (() => void) | undefined;

  async function relay(direction: Direction, connection: Connection): Promise<void> {
    const { client, server } = connection;
    const [from, to] = direction === "toServer" ? [client, server] : [server, client];
    let held = 0;
    let sent = Promise.resolve();
    const send = async (chunk: Buffer | undefined, due: number, previous: Promise<void>): Promise<void> => {
      await previous;
      const wait = due - performance.now();
      if (wait > 0) await Bun.sleep(wait);
      await gate;
      if (to.writableEnded || to.destroyed) return;
      if (chunk === undefined) to.end();
      else if (!to.write(chunk)) await once(to, "drain");
    };
    // Left alone, the iteration destroys the socket when it ends, and with it the other direction.
    for await (const data of from.iterator({ destroyOnReturn: false })) {
      const chunk = data as Buffer;
      onData?.(direction, chunk, connection);
      held += chunk.length;
      sent = send(chunk, performance.now() + delayMilliseconds, sent).then(() => {
        held -= chunk.length;
      });
      // Whatever ends a connection ends its other socket too, which is where that shows.
      sent.catch(() => {});
      if (held > MAX_BYTES_HELD || gate !== undefined) await sent;
    }
    await send(undefined, performance.now() + delayMilliseconds, sent);
  }

  const listener: Server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const server = connect({ port: targetPort, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
    const connection: Connection = {
      client,
      server,
      cut() {
        client.resetAndDestroy();
        server.resetAndDestroy();
      },
    };
    connections.add(connection);
    for (const socket of [client, server]) {
      // A reset, or no server there: the other side gets a reset.
      socket.on("error", () => connection.cut());
      socket.on("close", () => {
        if (client.destroyed && server.destroyed) connections.delete(connection);
      });
    }
    relay("toServer", connection).catch(() => connection.cut());
    relay("toClient", connection).catch(() => connection.cut());
  });

  const port = await freePort();
  const listen = async (): Promise<void> => {
    listener.listen(port, "127.0.0.1");
    await once(listener, "listening");
  };
  const cut = (): void => {
    for (const connection of connections) connection.cut();
  };
  const resume = (): void => {
    open?.();
    gate = undefined;
  };
  await listen();

  return {
    port,
    through(url) {
      const rewritten = new URL(url);
      rewritten.hostname = "127.0.0.1";
      rewritten.port = String(port);
      return rewritten.href;
    },
    cut,
    pause() {
      gate ??= new Promise((resolve) => {
        open = resolve;
      });
    },
    resume,
    refuse() {
      listener.close();
    },
    async accept() {
      if (!listener.listening) await listen();
    },
    delay(milliseconds) {
      delayMilliseconds = milliseconds;
    },
    halfClose(direction = "toServer") {
      for (const { client, server } of connections) (direction === "toServer" ? server : client).end();
    },
    async [Symbol.asyncDispose]() {
      listener.close();
      cut();
      resume();
    },
  };
}
