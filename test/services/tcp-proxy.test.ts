import { describe, expect, test } from "bun:test";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { freePort } from "./free-ports.ts";
import { startProxy, type TcpProxy, type TcpProxyOptions } from "./tcp-proxy.ts";

describe("the TCP test proxy", () => {
  test("forwards bytes both ways and in order", async () => {
    await using bench = await startBench();
    const { client, server } = await bench.open();
    const bytes = crypto.getRandomValues(Buffer.alloc(60_000));
    const received = collect(server, 100 * bytes.length);
    for (let count = 0; count < 100; count++) client.write(bytes);
    expect((await received).equals(Buffer.concat(Array.from({ length: 100 }, () => bytes)))).toBe(true);
    const answer = collect(client, 6);
    server.end("answer");
    expect(String(await answer)).toBe("answer");
    await once(client, "end");
  });

  test("closes connections on both sides and accepts new ones", async () => {
    await using bench = await startBench();
    const { client, server } = await bench.open();
    const ends = Promise.all([closed(client), closed(server)]);
    const reset = once(client, "error");
    bench.proxy.cut();
    expect(await reset).toMatchObject([{ code: "ECONNRESET" }]);
    await ends;
    await bench.open();
  });

  test("holds bytes while it is paused, of new connections too", async () => {
    await using bench = await startBench();
    const { client, server } = await bench.open();
    bench.proxy.pause();
    let received = "";
    server.on("data", (chunk) => {
      received += String(chunk);
    });
    client.write("held");
    const later = await bench.open();
    later.client.write("held too");
    const laterReceived = collect(later.server, 8);
    await Bun.sleep(100);
    expect(received).toBe("");
    bench.proxy.resume();
    expect(String(await laterReceived)).toBe("held too");
    expect(received).toBe("held");
  });

  test("refuses new connections, keeps existing ones, and accepts again", async () => {
    await using bench = await startBench();
    const { client, server } = await bench.open();
    bench.proxy.refuse();
    expect(await once(connect(bench.proxy.port, "127.0.0.1"), "connect").catch(String)).toContain("ECONNREFUSED");
    client.write("still");
    expect(String(await collect(server, 5))).toBe("still");
    await bench.proxy.accept();
    await bench.open();
  });

  test("delays every byte by the same time", async () => {
    const DELAY_MS = 1000;
    await using bench = await startBench();
    const { client, server } = await bench.open();
    bench.proxy.delay(DELAY_MS);
    const first = once(server, "data");
    const all = collect(server, 20);
    const started = performance.now();
    for (let count = 0; count < 20; count++) {
      client.write("x");
      await Bun.sleep(5);
    }
    await first;
    expect(performance.now() - started).toBeGreaterThanOrEqual(DELAY_MS - 1);
    await all;
    // Not one delay after the other.
    expect(performance.now() - started).toBeLessThan(20 * DELAY_MS);
  });

  test("closes one direction while the other stays open", async () => {
    await using bench = await startBench();
    const { client, server } = await bench.open();
    server.resume();
    const ended = once(server, "end");
    bench.proxy.halfClose();
    await ended;
    const answer = collect(client, 6);
    server.write("answer");
    expect(String(await answer)).toBe("answer");
    client.write("dropped");
    server.end();
    await once(client, "end");
  });

  test("closes a connection where a hook says, without forwarding what the hook saw", async () => {
    const seen: string[] = [];
    await using bench = await startBench({
      onData(direction, chunk, connection) {
        seen.push(`${direction} ${String(chunk)}`);
        if (chunk.includes("COMMIT")) connection.cut();
      },
    });
    const [one, other] = [await bench.open(), await bench.open()];
    const begin = collect(one.server, 5);
    one.client.write("BEGIN");
    expect(String(await begin)).toBe("BEGIN");
    let received = "";
    one.server.on("data", (chunk) => {
      received += String(chunk);
    });
    const cut = closed(one.server);
    one.client.write("COMMIT");
    await cut;
    expect(received).toBe("");
    other.server.write("answer");
    await collect(other.client, 6);
    expect(seen).toEqual(["toServer BEGIN", "toServer COMMIT", "toClient answer"]);
  });

  test("closes its clients when nothing listens behind it", async () => {
    await using proxy = await startProxy(await freePort());
    const client = connect(proxy.port, "127.0.0.1");
    client.on("error", () => {});
    await closed(client);
  });

  test("replaces a server in its URL", async () => {
    await using bench = await startBench();
    const url = "postgres://user:password@localhost:5432/name?sslmode=disable";
    expect(bench.proxy.through(url)).toBe(
      `postgres://user:password@127.0.0.1:${bench.proxy.port}/name?sslmode=disable`,
    );
  });
});

interface Bench extends AsyncDisposable {
  readonly proxy: TcpProxy;
  /** A new connection through the proxy, by its two ends. */
  open(): Promise<{ client: Socket; server: Socket }>;
}

async function startBench(options?: TcpProxyOptions): Promise<Bench> {
  const sockets: Socket[] = [];
  const target = createServer({ allowHalfOpen: true });
  target.listen(0, "127.0.0.1");
  await once(target, "listening");
  const proxy = await startProxy((target.address() as AddressInfo).port, options);
  return {
    proxy,
    async open() {
      const accepted = once(target, "connection");
      const client = connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true });
      const [[server]] = (await Promise.all([accepted, once(client, "connect")])) as unknown as [[Socket]];
      for (const socket of [client, server]) socket.on("error", () => {});
      sockets.push(client, server);
      return { client, server };
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await proxy[Symbol.asyncDispose]();
      target.close();
    },
  };
}

/** However it ends. */
const closed = (socket: Socket): Promise<unknown> =>
  new Promise((resolve) => {
    socket.once("close", resolve);
  });

/** The next so many bytes. */
async function collect(socket: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let count = 0;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const take = (chunk: Buffer) => {
    chunks.push(chunk);
    count += chunk.length;
    if (count >= length) resolve();
  };
  socket.on("data", take);
  socket.once("close", () => reject(new Error(`The connection ended after ${count} of ${length} bytes.`)));
  try {
    await promise;
  } finally {
    socket.off("data", take);
  }
  return Buffer.concat(chunks);
}
