import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { until } from "../../waiting.ts";
import { openStream } from "../event-stream.ts";
import { jsonOf, startStore } from "../harness.ts";
import { type EventPage, seconds, startEventStore, WAIT } from "./event-store.ts";

const { store, toEnd, start, read, since, createAlbum } = await startEventStore();
beforeEach(toEnd);
afterAll(() => store[Symbol.asyncDispose]());

const streamUrl = (query = "") => `${store.url}/v1/events/stream?after=${start()}${query}`;

async function openStreams(): Promise<number> {
  const metrics = await (await store.fetch("/metrics")).text();
  return Number(/^image_store_sse_clients (\d+)$/m.exec(metrics)?.[1]);
}

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
    expect(await stream.nextBlock()).toEqual({ id: start(), event: undefined, data: undefined });
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
    await until(async () => (await openStreams()) === 0);
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
