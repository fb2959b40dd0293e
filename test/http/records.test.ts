import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { codeOf, formOf, newAlbum, newImage, newPng, postForm } from "./image-fixtures.ts";

interface EventPage {
  readonly items: readonly { readonly type: string; readonly data: { readonly id: string; readonly reason: string } }[];
  readonly nextCursor: string;
}

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());

const read = async <Item>(path: string) => {
  const response = await store.fetch(path);
  return { etag: response.headers.get("etag") ?? "", record: await jsonOf<Item>(response) };
};

/** What the log gets while `work` runs. */
async function eventsOf(work: () => Promise<void>) {
  const { nextCursor } = await jsonOf<EventPage>(await store.fetch("/v1/events?after=latest"));
  await work();
  return (await jsonOf<EventPage>(await store.fetch(`/v1/events?after=${nextCursor}`))).items;
}

describe("the ETag of a record", () => {
  test("of an album covers imageCount, which changes no revision and fails no If-Match", async () => {
    const path = await newAlbum(store);
    const before = await read<Album>(path);
    await newImage(store, path, "a");
    const after = await read<Album>(path);
    expect(after.record).toEqual({ ...before.record, imageCount: 1, byteCount: expect.any(Number) });
    expect(after.etag).not.toBe(before.etag);
    expect((await store.fetch(path, { headers: { "If-None-Match": before.etag } })).status).toBe(200);
    const patch = await store.send("PATCH", path, { title: "x" }, { "If-Match": before.etag });
    expect(patch.status).toBe(200);
  });

  test("of an image covers its album's name, which changes no revision and fails no If-Match", async () => {
    const path = await newAlbum(store, "called one thing");
    const { id } = await newImage(store, path, "a");
    const before = await read<Image>(`/v1/images/${id}`);
    await store.send("PATCH", path, { name: "called another" });
    const after = await read<Image>(`/v1/images/${id}`);
    expect(after.record.album).toBe("called another");
    expect(after.record.revision).toBe(before.record.revision);
    expect(after.record.updatedAt).toBe(before.record.updatedAt);
    const again = await store.fetch(`/v1/images/${id}`, { headers: { "If-None-Match": before.etag } });
    expect(again.status).toBe(200);
    const patch = await store.send("PATCH", after.record.links.self, { title: "x" }, { "If-Match": before.etag });
    expect(patch.status).toBe(200);
  });
});

const upload = async (path: string): Promise<void> => {
  await postForm(store, path, formOf({ a: newPng(), b: newPng(), c: newPng() }));
};

describe("an album with images", () => {
  test("is deleted only with recursive=true", async () => {
    const path = await newAlbum(store);
    await upload(path);
    for (const search of ["", "?recursive=false"]) {
      const response = await store.fetch(path + search, { method: "DELETE" });
      expect([response.status, await codeOf(response)]).toEqual([409, "album_not_empty"]);
    }
    expect((await read<Album>(path)).record.imageCount).toBe(3);

    const items = await eventsOf(async () => {
      expect((await store.fetch(`${path}?recursive=true`, { method: "DELETE" })).status).toBe(204);
    });
    expect(items.map(({ type, data }) => [type, data.reason])).toEqual([
      ["imagestore.image.deleted", "album-deleted"],
      ["imagestore.image.deleted", "album-deleted"],
      ["imagestore.image.deleted", "album-deleted"],
      ["imagestore.album.deleted", "user"],
    ]);
    expect((await store.fetch(path)).status).toBe(404);
  });

  test("is renamed with one event and none for its images", async () => {
    const path = await newAlbum(store);
    await upload(path);
    const items = await eventsOf(async () => {
      await store.send("PATCH", path, { name: "one event" });
    });
    expect(items.map(({ type }) => type)).toEqual(["imagestore.album.updated"]);
  });
});

test("a listing has 50 items a page by default and at most 1,000", async () => {
  const path = await newAlbum(store);
  const names = Array.from({ length: 51 }, (_, index) => String(index).padStart(2, "0"));
  await postForm(store, path, formOf(Object.fromEntries(names.map((name) => [`n${name}`, newPng()]))));
  for (const listing of [`${path}/images`, "/v1/images?q=n"]) {
    const { record } = await read<{ items: unknown[]; nextPageToken?: string }>(listing);
    expect(record.items.length).toBe(50);
    expect(record.nextPageToken).toBeString();
  }
  const { record } = await read<{ items: unknown[]; nextPageToken?: string }>(`${path}/images?pageSize=1000`);
  expect(record.items.length).toBe(51);
  expect(record.nextPageToken).toBeUndefined();
});
