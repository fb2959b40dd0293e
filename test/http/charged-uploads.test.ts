import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Quota } from "../../src/domain/quota.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { imagePath, newPng } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

/** Uploads by what a key gave away count for that key. */

type Headers = Readonly<Record<string, string>>;
type Upload = (body: NonNullable<RequestInit["body"]>) => Promise<Response>;

const ALBUM = "/v1/albums/charged";
const { API_KEYS, bearer } = testKeys({ boss: "read+write+delete+share+admin" });
const boss = bearer("boss");
/** What a PNG of the fixtures has around its padding. */
const OVERHEAD = newPng(16).length - 16;
const pngOf = (length: number) => newPng(length - OVERHEAD);

let store: TestStore;
let made = 0;
beforeAll(async () => {
  store = await startStore({ API_KEYS });
  expect((await store.send("PUT", ALBUM, {}, boss)).status).toBe(201);
});
afterAll(() => store[Symbol.asyncDispose]());

async function post<Result>(path: string, body: object, headers: Headers): Promise<Result> {
  const response = await store.send("POST", path, body, headers);
  expect(response.status).toBe(201);
  return jsonOf<Result>(response);
}

async function newKey(maxBytes: number) {
  const grants = [{ rights: ["read", "write", "share"], albums: "*" }];
  const body = { name: "maker", grants, quota: { maxBytes } };
  const { id, secret } = await post<{ id: string; secret: string }>("/v1/keys", body, boss);
  return { id, headers: { Authorization: `Bearer ${secret}` } };
}

const uploadWith =
  (headers: Headers): Upload =>
  (body) =>
    store.fetch(`${ALBUM}/images?name=${++made}`, { method: "POST", body, headers });

async function newShare(key: Headers): Promise<Headers> {
  const { secret } = await post<{ secret: string }>(`${ALBUM}/shares`, { rights: ["read", "write"] }, key);
  return { Authorization: `Bearer ${secret}` };
}

async function signIn(headers: Headers): Promise<Headers> {
  const page = { Origin: store.url, "Sec-Fetch-Site": "same-origin" };
  const response = await store.send("POST", "/v1/session", {}, { ...headers, ...page });
  expect(response.status).toBe(201);
  return { ...page, Cookie: response.headers.get("set-cookie")?.split(";", 1)[0] ?? "" };
}

const ways: Readonly<Record<string, (key: Headers) => Promise<Upload>>> = {
  "an upload ticket": async (key) => {
    const { url } = await post<{ url: string }>(`${ALBUM}/tickets`, { files: 10 }, key);
    return (body) => store.fetch(url, { method: "PUT", body });
  },
  "a share with write": async (key) => uploadWith(await newShare(key)),
  "a session": async (key) => uploadWith(await signIn(key)),
  "the session of a share": async (key) => uploadWith(await signIn(await newShare(key))),
};

const usedBy = async (id: string) =>
  (await jsonOf<Quota>(await store.fetch(`/v1/quotas/keys/${id}`, { headers: boss }))).used;

async function expectStored(response: Response): Promise<string> {
  expect(response.status).toBe(201);
  return (await jsonOf<{ name: string }>(response)).name;
}

const expectRefusal = async (response: Response, problem: { scope: string; limit: number; used: number }) =>
  expect({ status: response.status, ...(await jsonOf<object>(response)) }).toMatchObject({
    status: 507,
    code: "quota_exceeded",
    unit: "bytes",
    ...problem,
  });

/** Declared, the size is refused before the body is read. In chunks, only the transaction can refuse it. */
const bodies: Readonly<Record<string, (png: Uint8Array<ArrayBuffer>) => NonNullable<RequestInit["body"]>>> = {
  "of declared size": (png) => png,
  "in chunks": (png) => new Blob([png]).stream(),
};

describe.each(Object.entries(ways))("the quota of the key behind %s", (_, give) => {
  test.each(Object.entries(bodies))(
    "counts uploads %s to the byte, refuses one more, and gets deleted bytes back",
    async (__, bodyOf) => {
      const limit = 1000;
      const key = await newKey(limit);
      const upload = await give(key.headers);
      const scope = `keys/${key.id}`;

      const first = await expectStored(await upload(bodyOf(pngOf(600))));
      expect(await usedBy(key.id)).toEqual({ images: 1, bytes: 600 });
      await expectRefusal(await upload(bodyOf(pngOf(401))), { scope, limit, used: 600 });
      expect(await usedBy(key.id)).toEqual({ images: 1, bytes: 600 });
      await expectStored(await upload(bodyOf(pngOf(400))));
      expect(await usedBy(key.id)).toEqual({ images: 2, bytes: 1000 });
      await expectRefusal(await upload(bodyOf(pngOf(200))), { scope, limit, used: 1000 });

      expect((await store.fetch(imagePath(ALBUM, first), { method: "DELETE", headers: boss })).status).toBe(204);
      expect(await usedBy(key.id)).toEqual({ images: 1, bytes: 400 });
      await expectRefusal(await upload(bodyOf(pngOf(601))), { scope, limit, used: 400 });
      await expectStored(await upload(bodyOf(pngOf(600))));
      expect(await usedBy(key.id)).toEqual({ images: 2, bytes: 1000 });
    },
  );
});

test("a key, and all that it gave away, share its quota", async () => {
  const limit = 1000;
  const key = await newKey(limit);
  const uploads = [uploadWith(key.headers)];
  for (const give of Object.values(ways)) uploads.push(await give(key.headers));
  for (const upload of uploads) await expectStored(await upload(pngOf(limit / uploads.length)));
  expect(await usedBy(key.id)).toEqual({ images: uploads.length, bytes: limit });
  for (const upload of uploads)
    await expectRefusal(await upload(pngOf(150)), { scope: `keys/${key.id}`, limit, used: limit });
});
