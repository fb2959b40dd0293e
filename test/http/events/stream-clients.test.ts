import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { encodeCursor, type LogState } from "../../../src/domain/event.ts";
import { createAccess } from "../../../src/http/access.ts";
import { type EventRouteDeps, eventRoutes } from "../../../src/http/routes/events.ts";
import { createHttpApp, serve } from "../../../src/http/server.ts";
import { createEventFeed } from "../../../src/operations/event-feed.ts";
import { until } from "../../waiting.ts";
import { openStream } from "../event-stream.ts";
import { WITHOUT_KEYS } from "../no-credentials.ts";

/** Only the events' routes, on a catalog whose log is as long as the test wants. */
async function serveEvents(needs: Partial<EventRouteDeps>) {
  const log: LogState = { epoch: 7, prunedThrough: 0, lastSequence: 0, bytes: 0 };
  const catalog = {
    storeId: "store",
    log: async () => log,
    events: async () => ({ events: [], next: { epoch: 7, seq: 0 }, atEnd: true }),
    onEvents: () => () => {},
  };
  let clients = 0;
  const sseClients = { inc: () => void clients++, dec: () => void clients-- };
  const eventFeed = createEventFeed(catalog);
  const access = createAccess(WITHOUT_KEYS);
  const app = createHttpApp(
    eventRoutes,
    { catalog, eventFeed, sseClients, heartbeat: 100, ...needs },
    { access, corsOrigins: [], maxJson: 1 },
  );
  const server = serve(app, { host: "127.0.0.1", port: 0 });
  return {
    url: `${server.url.origin}/v1/events/stream`,
    port: Number(server.url.port),
    clients: () => clients,
    async [Symbol.asyncDispose]() {
      eventFeed[Symbol.dispose]();
      await server.stop(0);
    },
  };
}

const endless = (fail: () => boolean): EventRouteDeps["catalog"] => ({
  storeId: "store",
  log: async () => ({ epoch: 7, prunedThrough: 0, lastSequence: 1e9, bytes: 0 }),
  events: async ({ after }) => {
    if (fail()) throw new Error("the catalog broke");
    const seq = (after?.seq ?? 0) + 1;
    const event = {
      seq,
      id: `id ${seq}`,
      type: "imagestore.album.updated",
      albumId: "a",
      imageId: null,
      subject: null,
    } as const;
    const data = JSON.stringify({ description: "x".repeat(30_000) });
    return { events: [{ ...event, time: 0, traceparent: null, data }], next: { epoch: 7, seq }, atEnd: false };
  },
});

describe("an event stream with short intervals", () => {
  test("sends heartbeats with its present cursor", async () => {
    await using server = await serveEvents({});
    const stream = await openStream(server.url);
    for (let count = 0; count < 4; count++) {
      const place = encodeCursor({ epoch: 7, seq: 0 });
      expect(await stream.nextBlock()).toEqual({ id: place, event: undefined, data: undefined });
    }
    await stream.close();
  });

  test("drops a client that does not read; the client resumes without a gap", async () => {
    let reads = 0;
    await using server = await serveEvents({ catalog: endless(() => reads++ < 0) });
    const socket = connect(server.port, "127.0.0.1");
    socket.pause();
    socket.write("GET /v1/events/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    await until(() => server.clients() === 1);
    await until(() => server.clients() === 0);
    // No more than the sockets' buffers were filled, however long the log is.
    expect(reads).toBeLessThan(1000);
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
    });
    const ended = new Promise((resolve) => socket.once("end", resolve));
    socket.write("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    socket.resume();
    await ended;
    const lastId = [...received.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? "";
    const last = [...received.matchAll(/"sequence":"(\d+)"/g)].at(-1)?.[1] ?? "";
    const resumed = await openStream(server.url, { "Last-Event-ID": lastId });
    expect(JSON.parse((await resumed.next())?.data ?? "")).toMatchObject({
      sequence: String(BigInt(last) + 1n).padStart(20, "0"),
    });
    await resumed.close();
  });

  test("ends when the catalog fails", async () => {
    let reads = 0;
    await using server = await serveEvents({ catalog: endless(() => reads++ > 3) });
    const stream = await openStream(server.url);
    let blocks = 0;
    while ((await stream.nextBlock()) !== undefined) blocks++;
    expect(blocks).toBe(4);
    expect(server.clients()).toBe(0);
  });
});
