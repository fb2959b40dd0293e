import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import type { CloudEvent } from "../../../src/domain/event.ts";
import { type Block, openStream } from "../event-stream.ts";
import { jsonOf } from "../harness.ts";
import { type EventPage, startEventStore } from "./event-store.ts";

const { store, toEnd, start, since, createAlbum } = await startEventStore();
beforeEach(toEnd);
afterAll(() => store[Symbol.asyncDispose]());

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
    const response = await store.fetch(`/v1/events?after=${start()}`, { headers: { accept } });
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
    const response = await store.fetch(`/v1/events/batch?after=${start()}`);
    expect(response.headers.get("content-type")).toBe(batch);
    expect(await jsonOf<CloudEvent[]>(response)).toEqual(items as CloudEvent[]);
    expect(response.headers.get("link")).toBe(`</v1/events/batch?after=${nextCursor}>; rel="next"`);
    const refused = await store.fetch("/v1/events/batch", { headers: { accept: "application/json" } });
    expect(refused.status).toBe(406);
  });

  test("a stream with a duration ends after it, with all events until then", async () => {
    await createAlbum();
    const { items } = await since();
    const stream = await openStream(`${store.url}/v1/events/stream?duration=1&after=${start()}`);
    const blocks: Block[] = [];
    for (let block = await stream.next(); block !== undefined; block = await stream.next()) blocks.push(block);
    expect(blocks.map(({ data }) => JSON.parse(data ?? "") as CloudEvent)).toEqual(items as CloudEvent[]);
  });

  test("the stream path has only server-sent events", async () => {
    const response = await store.fetch("/v1/events/stream", { headers: { accept: "application/json" } });
    expect(response.status).toBe(406);
  });
});
