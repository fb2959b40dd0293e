import { describe, expect, test } from "bun:test";
import { startStore } from "../../test/http/harness.ts";
import { createClient, type FollowedEvent, StoreError } from "../src/index.ts";
import { startFront } from "./front.ts";

/** The next so many events. */
async function take(events: AsyncGenerator<FollowedEvent>, count: number): Promise<FollowedEvent[]> {
  const taken: FollowedEvent[] = [];
  while (taken.length < count) {
    const { value, done } = await events.next();
    if (done) break;
    taken.push(value);
  }
  return taken;
}

const subjectsOf = (events: readonly FollowedEvent[]) =>
  events.map(({ event }) => (event.data as { name: string }).name);

describe("follow", () => {
  test("gives each event once and in order, through lost connections", async () => {
    await using store = await startStore();
    await using front = startFront(store.url);
    const client = createClient({ url: front.url });
    const direct = createClient({ url: store.url });
    const lost: (StoreError | undefined)[] = [];
    const events = client.follow({ onReconnect: (error) => lost.push(error) });
    const names = Array.from({ length: 30 }, (_, index) => `album ${String(index).padStart(2, "0")}`);
    const seen: FollowedEvent[] = [];
    for (const [index, name] of names.entries()) {
      await direct.albums.create({ name });
      seen.push(...(await take(events, 1)));
      if (index % 10 === 5) {
        await front.close();
        front.open();
      }
    }
    expect(subjectsOf(seen)).toEqual(names);
    expect(lost.length).toBeGreaterThanOrEqual(2);

    const resumed = client.follow({ from: seen[9]?.cursor });
    expect(subjectsOf(await take(resumed, 20))).toEqual(names.slice(10));
    await resumed.return();
    await events.return();
  });

  test("ends without an error when its signal aborts, also while it waits", async () => {
    await using store = await startStore();
    const stopping = new AbortController();
    const events = createClient({ url: store.url }).follow({ from: "latest", signal: stopping.signal });
    const next = events.next();
    setTimeout(() => stopping.abort(), 50);
    expect(await next).toEqual({ done: true, value: undefined });
  });

  test("a cursor of another log rejects, and filters are the store's", async () => {
    await using store = await startStore();
    const client = createClient({ url: store.url });
    const error: unknown = await client
      .follow({ from: "MS4yOTUwMDMyMS4xMDQy" })
      .next()
      .catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StoreError);
    expect(error).toMatchObject({ status: 410, code: "cursor_unknown" });

    const { id } = await client.albums.create({ name: "one" });
    await client.albums.create({ name: "two" });
    await client.albums.update("one", { title: "x" });
    const updates = client.follow({ types: ["imagestore.album.updated"] });
    expect(subjectsOf(await take(updates, 1))).toEqual(["one"]);
    await updates.return();
    const ofAlbum = client.follow({ albumId: id });
    expect((await take(ofAlbum, 2)).map(({ event }) => event.type)).toEqual([
      "imagestore.album.created",
      "imagestore.album.updated",
    ]);
    await ofAlbum.return();
  });
});
