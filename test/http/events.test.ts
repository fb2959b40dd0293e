import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import type { Album } from "../../src/domain/album.ts";
import { type CloudEvent, encodeCursor, type LogState } from "../../src/domain/event.ts";
import { createAccess } from "../../src/http/access.ts";
import { type EventRouteDeps, eventRoutes } from "../../src/http/routes/events.ts";
import { createHttpApp, serve } from "../../src/http/server.ts";
import { createEventFeed } from "../../src/operations/event-feed.ts";
import { type Block, openStream } from "./event-stream.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { WITHOUT_KEYS } from "./no-credentials.ts";

interface EventPage {
  readonly items: readonly CloudEvent[];
  readonly nextCursor: string;
}

/** Seconds, the longest that a poll may wait: a poll that is answered sooner did not wait for its end. */
const WAIT = 30;

let store: TestStore;
/** The end of the log when the test began. */
let start: string;

beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  start = (await read("after=latest")).nextCursor;
});

const read = async (query: string): Promise<EventPage> => jsonOf(await store.fetch(`/v1/events?${query}`));
const since = (query = ""): Promise<EventPage> => read(`after=${start}${query}`);

let names = 0;
async function createAlbum(fields: object = {}): Promise<Album> {
  const response = await store.send("POST", "/v1/albums", { name: `album ${names++}`, ...fields });
  expect(response.status).toBe(201);
  return jsonOf(response);
}

const seconds = async <Value>(work: Promise<Value>): Promise<[Value, number]> => {
  const started = performance.now();
  return [await work, (performance.now() - started) / 1000];
};

const streamUrl = (query = "") => `${store.url}/v1/events/stream?after=${start}${query}`;

async function openStreams(): Promise<number> {
  const metrics = await (await store.fetch("/metrics")).text();
  return Number(/^image_store_sse_clients (\d+)$/m.exec(metrics)?.[1]);
}

describe("reading events", () => {
  test("each change has an event with the whole record, in the order of the changes", async () => {
    const album = await createAlbum({ title: 'Tïtle "quoted"', metadata: { ключ: "\t\n" } });
    const path = `/v1/albums/${encodeURIComponent(album.name)}`;
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const renamed = await store.send(
      "PATCH",
      path,
      { name: `${album.name} renamed` },
      {
        "Content-Type": "application/merge-patch+json",
        traceparent,
      },
    );
    const renamedAlbum = await jsonOf<Album>(renamed);
    expect((await store.fetch(`${path}%20renamed`, { method: "DELETE" })).status).toBe(204);

    const { items } = await since();
    const actor = { kind: "local", id: null, name: null };
    expect(items.map(({ type, data }) => [type, data])).toEqual([
      ["imagestore.album.created", { ...album, reason: "user", actor }],
      ["imagestore.album.updated", { ...renamedAlbum, reason: "user", actor, previousName: album.name }],
      ["imagestore.album.deleted", { ...renamedAlbum, reason: "user", actor }],
    ] as never);
    const sequences = items.map(({ sequence }) => sequence);
    expect([...new Set(sequences)].sort()).toEqual(sequences);
    const [created, updated] = items;
    expect(created).toMatchObject({
      specversion: "1.0",
      source: expect.stringMatching(/^\/image-store\/[0-9a-f-]{36}$/),
      subject: `albums/${album.id}`,
      time: album.createdAt,
      datacontenttype: "application/json",
      partitionkey: album.id,
    });
    expect(updated).toMatchObject({ traceparent, time: renamedAlbum.updatedAt });
    expect(new Set(items.map(({ id }) => id)).size).toBe(3);
  });

  test("reading does not remove events", async () => {
    await createAlbum();
    const [first, second] = await Promise.all([since(), since()]);
    expect(first).toEqual(second);
  });

  test("pages and their links give each event once", async () => {
    const albums = await Promise.all(Array.from({ length: 7 }, () => createAlbum()));
    const expected = (await since()).items.map(({ id }) => id);
    expect(expected.length).toBe(albums.length);
    const seen: string[] = [];
    for (let after = start; ; ) {
      const { items, nextCursor } = await read(`after=${after}&limit=3`);
      if (items.length === 0) break;
      seen.push(...items.map(({ id }) => id));
      after = nextCursor;
    }
    expect(seen).toEqual(expected);

    const linked: string[] = [];
    for (let path = `/v1/events?after=${start}&limit=2&type=album.created`; ; ) {
      const response = await store.fetch(path);
      const { items } = await jsonOf<EventPage>(response);
      if (items.length === 0) break;
      linked.push(...items.map(({ id }) => id));
      path = /^<(.+)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1] ?? "";
    }
    expect(linked).toEqual(expected);
  });

  test("starts without a cursor at the oldest event, and with `latest` after the newest", async () => {
    const album = await createAlbum();
    const all: string[] = [];
    for (let page = await read("limit=1000"); page.items.length > 0; page = await read(`after=${page.nextCursor}`)) {
      all.push(...page.items.map(({ partitionkey }) => partitionkey));
    }
    expect(all.at(-1)).toBe(album.id);
    const latest = await read("after=latest");
    expect(latest.items).toEqual([]);
    const later = await createAlbum();
    const { items } = await read(`after=${latest.nextCursor}`);
    expect(items.map(({ partitionkey }) => partitionkey)).toEqual([later.id]);
  });

  test("starts with `latest-2` two events before the end, also those that a filter leaves out", async () => {
    const albums = [await createAlbum(), await createAlbum(), await createAlbum()];
    const last = albums.slice(1).map(({ id }) => id);
    expect((await since()).items.length).toBe(3);
    const { items, nextCursor } = await read("after=latest-2");
    expect(items.map(({ partitionkey }) => partitionkey)).toEqual(last);
    expect(nextCursor).toBe((await read("after=latest")).nextCursor);
    expect((await read(`after=latest-2&albumId=${albums[0]?.id}`)).items).toEqual([]);
    const stream = await store.fetch("/v1/events/stream?duration=1&after=latest-2");
    const streamed = [...(await stream.text()).matchAll(/"partitionkey":"([^"]+)"/g)].map(([, id]) => id);
    expect(streamed).toEqual(last);
  });

  test("starts with `latest-` and more than the log has at the oldest event", async () => {
    await using short = await startStore();
    const { id } = await jsonOf<Album>(await short.send("POST", "/v1/albums", { name: "only" }));
    const page = await jsonOf<EventPage>(await short.fetch("/v1/events?after=latest-999999999"));
    expect(page.items.map(({ partitionkey }) => partitionkey)).toEqual([id]);
  });

  test.each(["latest-", "latest-0", "latest--1", "latest-1.5", "latest-1e3", "latest-1000000000"])(
    "%s is no cursor",
    async (after) => {
      const response = await store.fetch(`/v1/events?after=${after}`);
      expect([response.status, (await jsonOf<{ code: string }>(response)).code]).toEqual([410, "cursor_unknown"]);
    },
  );

  test.each([
    ["type=album.deleted", ["deleted"]],
    ["type=imagestore.album.deleted", ["deleted"]],
    ["type=album.created,imagestore.album.deleted", ["created", "deleted"]],
    ["type=album.deleted&type=album.created", ["created", "deleted"]],
    ["type=image.created", []],
  ])("%s filters events, and the cursor moves past the others", async (query, expected) => {
    const album = await createAlbum();
    await store.fetch(`/v1/albums/${encodeURIComponent(album.name)}`, { method: "DELETE" });
    const { items, nextCursor } = await since(`&${query}`);
    expect(items.map(({ type }) => type.replace("imagestore.album.", ""))).toEqual(expected);
    expect(nextCursor).toBe((await read("after=latest")).nextCursor);
  });

  test("albumId filters events", async () => {
    const [album] = await Promise.all([createAlbum(), createAlbum()]);
    const { items } = await since(`&albumId=${album.id}`);
    expect(items.map(({ partitionkey }) => partitionkey)).toEqual([album.id]);
  });

  test("a filter finds events far ahead", async () => {
    await using far = await startStore();
    const { id } = await jsonOf<Album>(await far.send("POST", "/v1/albums", { name: "far" }));
    const catalog = await far.openCatalog();
    for (let batch = 0; batch < 120; batch++) {
      const writes = Array.from({ length: 50 }, (_, index) =>
        catalog.write({ type: "updateAlbum", albumId: id, patch: { title: `${batch} ${index}` } }),
      );
      await Promise.all(writes);
    }
    await catalog[Symbol.asyncDispose]();
    await far.fetch("/v1/albums/far", { method: "DELETE" });
    const page = await jsonOf<EventPage>(await far.fetch("/v1/events?type=album.deleted"));
    expect(page.items.map(({ partitionkey }) => partitionkey)).toEqual([id]);
  });

  test("reading from a listing's watermark misses no event", async () => {
    const before = await createAlbum();
    const listing = await jsonOf<{ items: Album[]; watermark: string }>(await store.fetch("/v1/albums?pageSize=1000"));
    const after = await createAlbum();
    expect(listing.items.some(({ id }) => id === before.id)).toBe(true);
    const { items } = await read(`after=${listing.watermark}`);
    expect(items.map(({ partitionkey }) => partitionkey)).toEqual([after.id]);
  });

  test("HEAD has the headers of GET and no body", async () => {
    const got = await store.fetch(`/v1/events?after=${start}`);
    const head = await store.fetch(`/v1/events?after=${start}`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(head.headers.get("content-length")).toBe(String((await got.arrayBuffer()).byteLength));
  });
});

describe("media types of events", () => {
  const batch = "application/cloudevents-batch+json";
  test.each([
    ["*/*", "application/json"],
    ["application/*", "application/json"],
    ["application/json", "application/json"],
    [batch, batch],
    [`application/json;q=0.5, ${batch}`, batch],
    [`${batch};q=0, */*`, "application/json"],
    [`application/json;q=0, */*;q=0.1`, batch],
  ])("Accept: %s is answered with %s", async (accept, type) => {
    await createAlbum();
    const response = await store.fetch(`/v1/events?after=${start}`, { headers: { accept } });
    expect(response.headers.get("content-type")).toBe(type);
    const { items } = await since();
    const body = await jsonOf<EventPage | CloudEvent[]>(response);
    expect(Array.isArray(body) ? body : body.items).toEqual(items as CloudEvent[]);
  });

  test.each(["text/html", "application/cloudevents+json", "application/json;q=0"])(
    "Accept: %s is 406",
    async (accept) => {
      const response = await store.fetch("/v1/events", { headers: { accept } });
      expect([response.status, (await jsonOf<{ code: string }>(response)).code]).toEqual([406, "not_acceptable"]);
    },
  );

  test("an Accept with only the error type gets the default type of the path", async () => {
    const accept = "application/problem+json";
    const page = await store.fetch("/v1/events", { headers: { accept } });
    expect(page.headers.get("content-type")).toBe("application/json");
    const stream = await store.fetch("/v1/events/stream?duration=1&after=latest", { headers: { accept } });
    expect(stream.headers.get("content-type")).toBe("text/event-stream");
    await stream.body?.cancel();
  });

  test("batches have a path of their own with a link to the next", async () => {
    await createAlbum();
    const { items, nextCursor } = await since();
    const response = await store.fetch(`/v1/events/batch?after=${start}`);
    expect(response.headers.get("content-type")).toBe(batch);
    expect(await jsonOf<CloudEvent[]>(response)).toEqual(items as CloudEvent[]);
    expect(response.headers.get("link")).toBe(`</v1/events/batch?after=${nextCursor}>; rel="next"`);
    const refused = await store.fetch("/v1/events/batch", { headers: { accept: "application/json" } });
    expect(refused.status).toBe(406);
  });

  test("a stream with a duration ends after it, with all events until then", async () => {
    await createAlbum();
    const { items } = await since();
    const stream = await openStream(`${store.url}/v1/events/stream?duration=1&after=${start}`);
    const blocks: Block[] = [];
    for (let block = await stream.next(); block !== undefined; block = await stream.next()) blocks.push(block);
    expect(blocks.map(({ data }) => JSON.parse(data ?? "") as CloudEvent)).toEqual(items as CloudEvent[]);
  });

  test("the stream path has only server-sent events", async () => {
    const response = await store.fetch("/v1/events/stream", { headers: { accept: "application/json" } });
    expect(response.status).toBe(406);
  });
});

describe("GET /v1/events refuses", () => {
  test.each([
    ["limit=0", 400, "invalid_request"],
    ["limit=1001", 400, "invalid_request"],
    ["wait=31", 400, "invalid_request"],
    ["wait=1s", 400, "invalid_request"],
    ["type=album", 400, "invalid_request"],
    ["type=", 400, "invalid_request"],
    ["albumId=name", 400, "invalid_request"],
    ["cursor=x", 400, "unknown_parameter"],
    ["after=x&after=y", 400, "unknown_parameter"],
    ["after=", 410, "cursor_unknown"],
    ["after=nonsense", 410, "cursor_unknown"],
    [`after=${Buffer.from("1.1.1e3").toString("base64url")}`, 410, "cursor_unknown"],
  ])("%s with %d %s", async (query, status, code) => {
    const response = await store.fetch(`/v1/events?${query}`);
    expect([response.status, (await jsonOf<{ code: string }>(response)).code]).toEqual([status, code]);
  });

  test("a cursor of another epoch or beyond the end, on both routes", async () => {
    const catalog = await store.openCatalog();
    const { epoch, lastSequence } = await catalog.log();
    await catalog[Symbol.asyncDispose]();
    const foreign = [
      { epoch: epoch + 1, seq: lastSequence },
      { epoch: epoch - 1, seq: 0 },
      { epoch, seq: lastSequence + 1 },
    ];
    for (const after of foreign.map(encodeCursor)) {
      for (const route of ["events", "events/stream"]) {
        const response = await store.fetch(`/v1/${route}?after=${after}`);
        expect([response.status, (await jsonOf<{ code: string }>(response)).code]).toEqual([410, "cursor_unknown"]);
      }
    }
  });

  test("a cursor whose events were pruned, and names the oldest cursor", async () => {
    await using pruned = await startStore();
    const old = await jsonOf<EventPage>(await pruned.fetch("/v1/events?after=latest"));
    await pruned.send("POST", "/v1/albums", { name: "a" });
    const catalog = await pruned.openCatalog();
    await catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 10 });
    await catalog[Symbol.asyncDispose]();
    await pruned.send("POST", "/v1/albums", { name: "b" });
    for (const route of ["events", "events/stream"]) {
      const response = await pruned.fetch(`/v1/${route}?after=${old.nextCursor}`);
      const problem = await jsonOf<{ code: string; oldestCursor: string }>(response);
      expect([response.status, problem.code]).toEqual([410, "cursor_expired"]);
      const { items } = await jsonOf<EventPage>(await pruned.fetch(`/v1/events?after=${problem.oldestCursor}`));
      expect(items.map(({ data }) => data.name)).toEqual(["b"]);
    }
  });
});

describe("a long poll", () => {
  test("is answered as soon as an event arrives, for every client that waits", async () => {
    const polls = Array.from({ length: 30 }, () => seconds(since(`&wait=${WAIT}`)));
    await Bun.sleep(50);
    const album = await createAlbum();
    for (const [{ items }, took] of await Promise.all(polls)) {
      expect(items.map(({ partitionkey }) => partitionkey)).toEqual([album.id]);
      expect(took).toBeLessThan(WAIT);
    }
  });

  test("is answered at once when events exist", async () => {
    await createAlbum();
    const [{ items }, took] = await seconds(since(`&wait=${WAIT}`));
    expect(items.length).toBe(1);
    expect(took).toBeLessThan(WAIT);
  });

  test("ignores events that its filter excludes", async () => {
    const poll = since(`&wait=${WAIT}&type=album.deleted`);
    const album = await createAlbum();
    await store.fetch(`/v1/albums/${encodeURIComponent(album.name)}`, { method: "DELETE" });
    expect((await poll).items.map(({ type }) => type)).toEqual(["imagestore.album.deleted"]);
  });

  test("is answered with an empty page at its timeout", async () => {
    const [page, took] = await seconds(since("&wait=1"));
    expect(page).toEqual({ items: [], nextCursor: start });
    expect(took).toBeGreaterThan(0.9);
  });

  test("is answered with an event that another process wrote", async () => {
    const poll = since(`&wait=${WAIT}`);
    const catalog = await store.openCatalog();
    const fields = { title: null, description: null, metadata: {} };
    await catalog.write({ type: "createAlbum", id: Bun.randomUUIDv7(), name: "from elsewhere", fields });
    await catalog[Symbol.asyncDispose]();
    expect((await poll).items.map(({ data }) => data.name)).toEqual(["from elsewhere"]);
  });
});

describe("an event stream", () => {
  test("has the events of a read, with type as event and cursor as id", async () => {
    await createAlbum();
    const stream = await openStream(streamUrl());
    await createAlbum();
    const blocks = [await stream.next(), await stream.next()];
    const { items } = await since();
    expect(stream.response.headers.get("content-type")).toBe("text/event-stream");
    expect(blocks.map((block) => block?.event)).toEqual(items.map(({ type }) => type));
    expect(blocks.map((block) => JSON.parse(block?.data ?? "") as unknown)).toEqual([...items]);
    const after = await read(`after=${blocks[0]?.id}`);
    expect(after.items).toEqual(items.slice(1));
    await stream.close();
  });

  test("resumes after Last-Event-ID, which takes precedence over after", async () => {
    await createAlbum();
    const stream = await openStream(streamUrl());
    const first = await stream.next();
    await stream.close();
    const second = await createAlbum();
    const resumed = await openStream(streamUrl(), { "Last-Event-ID": first?.id ?? "" });
    expect(JSON.parse((await resumed.next())?.data ?? "")).toMatchObject({ partitionkey: second.id });
    await resumed.close();
  });

  test("accepts the filters of a read", async () => {
    const stream = await openStream(streamUrl("&type=album.deleted"));
    const album = await createAlbum();
    await store.fetch(`/v1/albums/${encodeURIComponent(album.name)}`, { method: "DELETE" });
    expect((await stream.next())?.event).toBe("imagestore.album.deleted");
    await stream.close();
  });

  test("opens at once with its present cursor", async () => {
    const stream = await openStream(streamUrl());
    expect(await stream.nextBlock()).toEqual({ id: start, event: undefined, data: undefined });
    await stream.close();
  });

  test("has the same headers for HEAD, which opens no stream", async () => {
    const response = await store.fetch("/v1/events/stream", { method: "HEAD" });
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/event-stream"]);
  });

  test("reaches every client, and a client that left is not counted", async () => {
    const streams = await Promise.all(Array.from({ length: 25 }, () => openStream(streamUrl())));
    expect(await openStreams()).toBe(25);
    const album = await createAlbum();
    for (const stream of streams) {
      expect(JSON.parse((await stream.next())?.data ?? "")).toMatchObject({ partitionkey: album.id });
    }
    await Promise.all(streams.map((stream) => stream.close()));
    while ((await openStreams()) > 0) await Bun.sleep(5);
  });
});

test("a stopping server ends polls and streams at once", async () => {
  const stopping = await startStore();
  // Not the store's own fetch, which waits before it sends: the poll has to be there before the stream.
  const poll = fetch(`${stopping.url}/v1/events?wait=${WAIT}`);
  const stream = await openStream(`${stopping.url}/v1/events/stream`);
  await stream.nextBlock();
  await Bun.sleep(50);
  const [, took] = await seconds(Promise.resolve(stopping[Symbol.asyncDispose]()));
  expect(took).toBeLessThan(WAIT);
  expect((await jsonOf<EventPage>(await poll)).items).toEqual([]);
  while ((await stream.nextBlock()) !== undefined);
});

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
    while (server.clients() === 0) await Bun.sleep(5);
    while (server.clients() === 1) await Bun.sleep(5);
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

describe("GET and DELETE /v1/cursors", () => {
  interface Cursors {
    readonly items: readonly { readonly name: string; readonly cursor: string; readonly lagEvents: number }[];
  }
  const list = async () => (await jsonOf<Cursors>(await store.fetch("/v1/cursors"))).items;

  test("list durable cursors with their lag, and delete one", async () => {
    const name = "a topic with spaces";
    const catalog = await store.openCatalog();
    await catalog.write({ type: "registerCursor", name });
    const { epoch, lastSequence } = await catalog.log();
    await catalog.write({ type: "advanceCursor", name, seq: lastSequence });
    await catalog[Symbol.asyncDispose]();
    await createAlbum();
    expect(await list()).toMatchObject([{ name, cursor: encodeCursor({ epoch, seq: lastSequence }), lagEvents: 1 }]);
    const path = `/v1/cursors/${encodeURIComponent(name)}`;
    expect((await store.fetch(path, { method: "DELETE" })).status).toBe(204);
    expect(await list()).toEqual([]);
    const again = await store.fetch(path, { method: "DELETE" });
    expect([again.status, (await jsonOf<{ code: string }>(again)).code]).toEqual([404, "cursor_not_found"]);
  });
});

async function codeOf(answering: Promise<Response>): Promise<readonly [number, string]> {
  const answer = await answering;
  return [answer.status, (await jsonOf<{ code: string }>(answer)).code];
}

describe("POST /v1/cursors/{name}/rewind", () => {
  const name = "a topic with spaces";
  const path = `/v1/cursors/${encodeURIComponent(name)}/rewind`;
  const rewind = (to: unknown, target = path) => store.send("POST", target, { to });

  async function caughtUp(): Promise<{ epoch: number; lastSequence: number }> {
    await createAlbum();
    await createAlbum();
    await using catalog = await store.openCatalog();
    await catalog.write({ type: "registerCursor", name });
    const log = await catalog.log();
    await catalog.write({ type: "advanceCursor", name, seq: log.lastSequence });
    return log;
  }

  test("sets the reader back to a cursor or a time, and says where it is", async () => {
    const { epoch, lastSequence } = await caughtUp();
    const cursor = encodeCursor({ epoch, seq: lastSequence - 1 });
    const answer = await rewind(cursor);
    expect(answer.status).toBe(200);
    expect(await jsonOf<object>(answer)).toMatchObject({ name, cursor });
    const all = await jsonOf<object>(await rewind("2020-01-01T01:00:00+01:00"));
    expect(all).toMatchObject({ cursor: encodeCursor({ epoch, seq: 0 }), lagEvents: expect.any(Number) });
    const page = await store.fetch("/v1/events?type=cursor.rewound&limit=1000");
    const { items } = await jsonOf<{ items: { subject: string; data: object }[] }>(page);
    expect(items.slice(-2).map(({ subject }) => subject)).toEqual(Array(2).fill(`cursors/${name}`));
    expect(items.at(-2)?.data).toMatchObject({ cursor, previousCursor: encodeCursor({ epoch, seq: lastSequence }) });
  });

  test("refuses what is no position of the log", async () => {
    const { epoch, lastSequence } = await caughtUp();
    const known = encodeCursor({ epoch, seq: 0 });
    expect(await codeOf(rewind(known, "/v1/cursors/none/rewind"))).toEqual([404, "cursor_not_found"]);
    expect(await codeOf(rewind(encodeCursor({ epoch, seq: lastSequence + 1000 })))).toEqual([410, "cursor_unknown"]);
    expect(await codeOf(rewind(encodeCursor({ epoch: epoch - 1, seq: 0 })))).toEqual([410, "cursor_unknown"]);
    for (const to of ["yesterday", "", "2026-07-14", "2026-07-14T09:30:00", "MS4", 5, null, undefined])
      expect(await codeOf(rewind(to))).toEqual([400, "invalid_request"]);
    await using catalog = await store.openCatalog();
    await catalog.write({ type: "pruneEvents", retention: -60_000, maxBytes: null, limit: 1 });
    const { prunedThrough } = await catalog.log();
    expect(prunedThrough).toBeGreaterThan(0);
    const pruned = await rewind(encodeCursor({ epoch, seq: prunedThrough - 1 }));
    const oldestCursor = encodeCursor({ epoch, seq: prunedThrough });
    expect(await jsonOf<object>(pruned)).toMatchObject({ status: 410, code: "cursor_expired", oldestCursor });
    const early = await jsonOf<object>(await rewind("2020-01-01T00:00:00Z"));
    expect(early).toMatchObject({ status: 410, code: "cursor_expired", oldestCursor });
    expect(early).toMatchObject({
      detail: expect.stringMatching(/^The log begins at \d{4}-.*Z: earlier events are no/),
    });
    expect((await rewind(oldestCursor)).status).toBe(200);
  });
});
