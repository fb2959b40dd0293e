import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { seconds, startEventStore, WAIT } from "./event-store.ts";

const { store, toEnd, start, since, createAlbum } = await startEventStore();
beforeEach(toEnd);
afterAll(() => store[Symbol.asyncDispose]());

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
    expect(page).toEqual({ items: [], nextCursor: start() });
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
