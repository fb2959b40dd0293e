import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Quota } from "../../src/domain/quota.ts";
import { until } from "../waiting.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { imagePath, newAlbum, newPng, postImage, putContent } from "./image-fixtures.ts";
import { openSocket } from "./raw-socket.ts";
import { testKeys } from "./test-keys.ts";

interface Problem {
  readonly code: string;
  readonly scope?: string;
  readonly unit?: string;
  readonly limit?: number;
  readonly used?: number;
  readonly errors?: readonly { readonly part: number; readonly name: string; readonly code: string }[];
}

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  album = await newAlbum(store);
});

const quotaOf = (path: string) => path.replace("/v1/", "/v1/quotas/");
const setQuota = async (path: string, limits: object): Promise<Quota> => {
  const response = await store.send("PUT", path, limits);
  expect(response.status).toBe(200);
  return jsonOf<Quota>(response);
};
const expectRefusal = async (response: Response): Promise<Problem> => {
  const problem = await jsonOf<Problem>(response);
  expect({ status: response.status, code: problem.code }).toEqual({ status: 507, code: "quota_exceeded" });
  return problem;
};
/** What the store says of an upload of which no byte is sent; after a while nothing, when it waits for the bytes. */
async function announce(name: string, length: number): Promise<string> {
  using socket = await openSocket(store.port);
  await socket.send(
    `PUT ${imagePath(album, name)}/content HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n` +
      `Expect: 100-continue\r\nContent-Length: ${length}\r\n\r\n`,
  );
  await Promise.race([socket.waitFor((text) => text.includes("requestId")), Bun.sleep(300)]);
  return socket.received;
}

/** A server learns within a second that there are quotas. */
const isRefusedEarly = (name: string, length = 16) =>
  until(async () => (await announce(name, length)).includes("HTTP/1.1 507"));

const formOf = (...files: readonly (readonly [name: string, bytes: Uint8Array<ArrayBuffer>])[]) => {
  const form = new FormData();
  for (const [name, bytes] of files) form.append("file", new File([bytes], name));
  return form;
};

describe("a quota of an album", () => {
  test("is set, read, listed and removed", async () => {
    const { id } = await jsonOf<{ id: string }>(await store.fetch(album));
    const image = newPng();
    await postImage(store, album, "a", image);
    const quota = await setQuota(quotaOf(album), { maxBytes: 1000, maxImages: 3 });
    expect(quota).toEqual({
      scope: `albums/${id}`,
      maxBytes: 1000,
      maxImages: 3,
      used: { images: 1, bytes: image.length },
    });
    expect(await jsonOf<Quota>(await store.fetch(quotaOf(album)))).toEqual(quota);
    const { items } = await jsonOf<{ items: (Quota & { name: string | null })[] }>(
      await store.fetch("/v1/quotas?pageSize=1000"),
    );
    expect(items).toContainEqual({ ...quota, name: decodeURIComponent(album.slice("/v1/albums/".length)) });
    expect((await store.fetch(quotaOf(album), { method: "DELETE" })).status).toBe(204);
    for (const method of ["GET", "DELETE"]) {
      const response = await store.fetch(quotaOf(album), { method });
      expect({ status: response.status, ...(await jsonOf<Problem>(response)) }).toMatchObject({
        status: 404,
        code: "quota_not_found",
      });
    }
  });

  test("refuses an upload that does not fit, and says which limit", async () => {
    const { scope } = await setQuota(quotaOf(album), { maxImages: 1 });
    expect((await putContent(store, album, "a", newPng())).status).toBe(201);
    const refused = await expectRefusal(await putContent(store, album, "b", newPng()));
    expect(refused).toMatchObject({ scope, unit: "images", limit: 1, used: 1 });
    expect((await putContent(store, album, "a", newPng(100))).status).toBe(200);
    expect((await store.fetch(imagePath(album, "a"), { method: "DELETE" })).status).toBe(204);
    expect((await putContent(store, album, "b", newPng())).status).toBe(201);
  });

  test("stores all files of a form or none, and says which do not fit", async () => {
    await setQuota(quotaOf(album), { maxImages: 2 });
    const files = ["a", "b", "c"].map((name) => [name, newPng()] as const);
    const response = await store.fetch(`${album}/forms`, { method: "POST", body: formOf(...files) });
    const { errors } = await expectRefusal(response);
    expect(errors).toEqual([expect.objectContaining({ part: 2, name: "c", code: "quota_exceeded" })]);
    expect(await jsonOf<object>(await store.fetch(album))).toMatchObject({ imageCount: 0 });
  });

  test("with onError=continue a form stores what fits, also when it is repeated", async () => {
    await setQuota(quotaOf(album), { maxImages: 2 });
    await postImage(store, album, "taken", newPng());
    const files = ["taken", "a", "b"].map((name) => [name, newPng()] as const);
    const send = () =>
      store.fetch(`${album}/forms?onError=continue`, {
        method: "POST",
        body: formOf(...files),
        headers: { "Idempotency-Key": "form-1" },
      });
    for (const replayed of [null, "true"]) {
      const response = await send();
      expect([response.status, response.headers.get("idempotent-replayed")]).toEqual([207, replayed]);
      const { items } = await jsonOf<{ items: { status: number; error?: { code: string } }[] }>(response);
      expect(items.map(({ status, error }) => [status, error?.code])).toEqual([
        [409, "image_exists"],
        [201, undefined],
        [507, "quota_exceeded"],
      ]);
    }
    expect(await jsonOf<Quota>(await store.fetch(quotaOf(album)))).toMatchObject({ used: { images: 2 } });
  });

  test("with onError=continue a form of which nothing fits is refused", async () => {
    await setQuota(quotaOf(album), { maxBytes: 1 });
    const body = formOf(["a", newPng()], ["b", newPng()]);
    const { errors } = await expectRefusal(
      await store.fetch(`${album}/forms?onError=continue`, { method: "POST", body }),
    );
    expect(errors?.map(({ part, code }) => [part, code])).toEqual([
      [0, "quota_exceeded"],
      [1, "quota_exceeded"],
    ]);
  });

  test("is asked before the bytes are sent", async () => {
    await setQuota(quotaOf(album), { maxBytes: 1000 });
    await isRefusedEarly("big", 1001);
    expect(await announce("big", 1001)).toContain('"limit":1000,"used":0');
  });

  test("lets a replacement use the room of what it replaces", async () => {
    const first = newPng(600);
    await putContent(store, album, "a", first);
    await setQuota(quotaOf(album), { maxBytes: first.length, maxImages: 1 });
    await isRefusedEarly("b");
    expect((await putContent(store, album, "a", newPng(500))).status).toBe(200);
    expect((await putContent(store, album, "a", newPng(550))).status).toBe(200);
    await expectRefusal(await putContent(store, album, "a", newPng(900)));
  });

  test("answers a repeated upload that used the last of it", async () => {
    await setQuota(quotaOf(album), { maxImages: 1 });
    const body = newPng();
    const send = () => postImage(store, album, "a", body, { "Idempotency-Key": "one" });
    expect((await send()).status).toBe(201);
    await isRefusedEarly("b");
    const again = await send();
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([201, "true"]);
  });
});

describe("quotas", () => {
  test.each([{}, { maxBytes: null }, { maxBytes: -1 }, { maxBytes: 1.5 }, { maxBytes: "1" }, { other: 1 }])(
    "%j is no quota",
    async (body) => {
      const response = await store.send("PUT", "/v1/quotas/store", body);
      expect({ status: response.status, ...(await jsonOf<Problem>(response)) }).toMatchObject({
        status: 400,
        code: "invalid_request",
      });
    },
  );

  test("of an album that does not exist is 404", async () => {
    for (const method of ["GET", "PUT", "DELETE"]) {
      const init = method === "PUT" ? { maxBytes: 1 } : undefined;
      const response =
        init === undefined
          ? await store.fetch("/v1/quotas/albums/none", { method })
          : await store.send(method, "/v1/quotas/albums/none", init);
      expect({ status: response.status, ...(await jsonOf<Problem>(response)) }).toMatchObject({
        status: 404,
        code: "album_not_found",
      });
    }
  });

  test("are for administrators", async () => {
    const keys = testKeys({ admin: "admin", editor: "read+write+delete+share+events+transform" });
    await using guarded = await startStore({ API_KEYS: keys.API_KEYS });
    const send = (method: string, key: "admin" | "editor") =>
      guarded.fetch("/v1/quotas/store", {
        method,
        headers: { ...keys.bearer(key), "Content-Type": "application/json" },
        ...(method === "PUT" ? { body: JSON.stringify({ maxImages: 0 }) } : {}),
      });
    for (const method of ["PUT", "GET", "DELETE"]) {
      expect((await send(method, "editor")).status).toBe(403);
      expect((await send(method, "admin")).status).toBe(method === "DELETE" ? 204 : 200);
    }
  });

  test("of the store hold for all albums, and free what a deleted album had", async () => {
    await using other = await startStore();
    const [one, two] = [await newAlbum(other), await newAlbum(other)];
    await postImage(other, one, "a", newPng());
    expect(await jsonOf<Quota>(await other.send("PUT", "/v1/quotas/store", { maxImages: 2 }))).toMatchObject({
      scope: "store",
      used: { images: 1 },
    });
    expect((await postImage(other, two, "a", newPng())).status).toBe(201);
    await expectRefusal(await postImage(other, two, "b", newPng()));
    await other.fetch(`${one}?recursive=true`, { method: "DELETE" });
    expect((await postImage(other, two, "b", newPng())).status).toBe(201);
  });
});

describe("a quota of a key", () => {
  const { API_KEYS, bearer } = testKeys({ boss: "read+write+delete+admin" });
  let guarded: TestStore;
  let path: string;
  beforeAll(async () => {
    guarded = await startStore({ API_KEYS });
    path = "/v1/albums/guarded";
    expect((await guarded.send("POST", "/v1/albums", { name: "guarded" }, bearer("boss"))).status).toBe(201);
  });
  afterAll(() => guarded[Symbol.asyncDispose]());

  const makeKey = async (more: object) => {
    const body = { name: "web", grants: [{ rights: ["read", "write"], albums: "*" }], ...more };
    const response = await guarded.send("POST", "/v1/keys", body, bearer("boss"));
    expect(response.status).toBe(201);
    const { id, secret } = await jsonOf<{ id: string; secret: string }>(response);
    return { id, headers: { Authorization: `Bearer ${secret}` } };
  };

  test("is set when the key is made, and counts only what the key uploads", async () => {
    const { id, headers } = await makeKey({ quota: { maxImages: 1 } });
    const image = newPng();
    expect((await postImage(guarded, path, `${id} a`, newPng(), bearer("boss"))).status).toBe(201);
    expect((await postImage(guarded, path, `${id} b`, image, headers)).status).toBe(201);
    expect(await expectRefusal(await postImage(guarded, path, `${id} c`, newPng(), headers))).toMatchObject({
      scope: `keys/${id}`,
      used: 1,
    });
    expect((await postImage(guarded, path, `${id} c`, newPng(), bearer("boss"))).status).toBe(201);

    const quota: Quota = {
      scope: `keys/${id}`,
      maxBytes: null,
      maxImages: 1,
      used: { images: 1, bytes: image.length },
    };
    const read = await guarded.fetch(`/v1/quotas/keys/${id}`, { headers: bearer("boss") });
    expect(await jsonOf<Quota>(read)).toEqual(quota);
    const me = await jsonOf<{ quotas: Quota[] }>(await guarded.fetch("/v1/me", { headers }));
    expect(me.quotas).toEqual([quota]);
  });

  test("set later counts what the key has uploaded, and moves with the bytes of a replaced image", async () => {
    const { id, headers } = await makeKey({});
    const first = newPng();
    await postImage(guarded, path, `${id} a`, first, headers);
    const set = await guarded.send("PUT", `/v1/quotas/keys/${id}`, { maxImages: 1 }, bearer("boss"));
    expect(await jsonOf<Quota>(set)).toMatchObject({ used: { images: 1, bytes: first.length } });
    expect((await putContent(guarded, path, `${id} a`, newPng(), bearer("boss"))).status).toBe(200);
    expect((await postImage(guarded, path, `${id} b`, newPng(), headers)).status).toBe(201);
  });

  test("needs a key that exists and is not of the configuration", async () => {
    for (const key of ["none", "boss"]) {
      const response = await guarded.send("PUT", `/v1/quotas/keys/${key}`, { maxImages: 1 }, bearer("boss"));
      expect({ status: response.status, ...(await jsonOf<Problem>(response)) }).toMatchObject({
        status: 404,
        code: "key_not_found",
      });
    }
  });
});
