import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../../src/domain/album.ts";
import { jsonOf, startStore } from "../harness.ts";
import { type EventPage, startEventStore } from "./event-store.ts";

const { store, toEnd, start, read, since, createAlbum } = await startEventStore();
beforeEach(toEnd);
afterAll(() => store[Symbol.asyncDispose]());

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
    for (let after = start(); ; ) {
      const { items, nextCursor } = await read(`after=${after}&limit=3`);
      if (items.length === 0) break;
      seen.push(...items.map(({ id }) => id));
      after = nextCursor;
    }
    expect(seen).toEqual(expected);

    const linked: string[] = [];
    for (let path = `/v1/events?after=${start()}&limit=2&type=album.created`; ; ) {
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
    const got = await store.fetch(`/v1/events?after=${start()}`);
    const head = await store.fetch(`/v1/events?after=${start()}`, { method: "HEAD" });
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect(head.headers.get("content-length")).toBe(String((await got.arrayBuffer()).byteLength));
  });
});
