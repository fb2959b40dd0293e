import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newPng } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

const { API_KEYS, bearer } = testKeys({ boss: "read+write+delete+transform+share+events+admin" });
const boss = bearer("boss");

test("who reads an album only since it is public makes no link to it, which would work on", async () => {
  await using store = await startStore({ API_KEYS: API_KEYS });
  await store.send("PUT", "/v1/albums/a", { visibility: "public" }, boss);
  const image = await jsonOf<Image>(
    await store.fetch("/v1/albums/a/images/one/content", { method: "PUT", body: newPng(), headers: boss }),
  );
  const grants = [{ rights: ["share"], albums: { names: ["a"] } }];
  const { secret } = await jsonOf<{ secret: string }>(
    await store.send("POST", "/v1/keys", { name: "sharer", grants }, boss),
  );
  const by = { Authorization: `Bearer ${secret}` };
  const alone = await store.send("POST", "/v1/albums/a/images/one/links", {}, by);
  expect([alone.status, (await jsonOf<{ code: string }>(alone)).code]).toEqual([403, "forbidden"]);
  const batch = await store.send("POST", "/v1/links", { items: [{ id: image.id }] }, by);
  const { items } = await jsonOf<{ items: { status: number }[] }>(batch);
  expect(items.map(({ status }) => status)).toEqual([403]);
});

describe("a rename", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore({ API_KEYS: API_KEYS });
  });
  afterAll(() => store[Symbol.asyncDispose]());
  const rename = (from: string, name: string, by: Record<string, string>) =>
    store.send("PATCH", `/v1/albums/${from}`, { name }, by);

  test("gives its caller no right that it lacks on the album", async () => {
    const grants = [
      { rights: ["write"], albums: { names: ["inbox-*", "mine-*"] } },
      { rights: ["read", "delete"], albums: { names: ["mine-*"] } },
    ];
    const { secret } = await jsonOf<{ secret: string }>(
      await store.send("POST", "/v1/keys", { name: "writer", grants }, boss),
    );
    const by = { Authorization: `Bearer ${secret}` };
    await store.send("PUT", "/v1/albums/inbox-1", {}, boss);
    await store.send("PUT", "/v1/albums/mine-1", {}, boss);
    const refused = await rename("inbox-1", "mine-2", by);
    expect(refused.status).toBe(403);
    expect(await jsonOf<object>(refused)).toMatchObject({ code: "forbidden", missing: ["read"] });
    expect((await store.fetch("/v1/albums/mine-2", { headers: by })).status).toBe(404);
    // Public for now, it is read; by a name of its own it would be read for ever.
    await store.send("PATCH", "/v1/albums/inbox-1", { visibility: "public" }, boss);
    expect((await rename("inbox-1", "mine-2", by)).status).toBe(403);
    expect((await rename("inbox-1", "inbox-2", by)).status).toBe(200);
    expect((await rename("mine-1", "mine-3", by)).status).toBe(200);
    expect((await rename("mine-3", "inbox-3", by)).status).toBe(204);
  });

  test("tells who sees the album by its new name alone nothing of the old one", async () => {
    const follower = async (albums: object) => {
      const wish = { name: "follower", grants: [{ rights: ["events"], albums }] };
      const { secret } = await jsonOf<{ secret: string }>(await store.send("POST", "/v1/keys", wish, boss));
      const headers = { Authorization: `Bearer ${secret}` };
      const response = await store.fetch("/v1/events?type=album.updated", { headers });
      return (await jsonOf<{ items: { data: { previousName?: string } }[] }>(response)).items.map(
        ({ data }) => data.previousName,
      );
    };
    const made = await store.send("PUT", "/v1/albums/merger", {}, boss);
    const { id } = await jsonOf<{ id: string }>(made);
    await rename("merger", "client-1", boss);
    await rename("client-1", "client-2", boss);
    expect(await follower({ names: ["client-*"] })).toEqual([undefined, "client-1"]);
    expect(await follower({ ids: [id] })).toEqual(["merger", "client-1"]);
    expect(await follower({ names: ["client-*", "merger"] })).toEqual(["merger", "client-1"]);
  });
});
