import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import type { Image } from "../../src/domain/image.ts";
import type { Share } from "../../src/domain/share.ts";
import { until } from "../waiting.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newPng, sha256 } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

const { API_KEYS, bearer } = testKeys({
  boss: "read+write+delete+transform+share+events+admin",
  sharer: "share",
  reader: "read+share",
  writer: "read+write",
});
const boss = bearer("boss");

let now = Date.now();
let store: TestStore;
let count = 0;
let album: string;
let path: string;
let image: Image;
const png = newPng(500);

beforeAll(async () => {
  store = await startStore({ API_KEYS }, { now: () => now });
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  now = Date.now();
  album = `shared ${++count}`;
  path = `/v1/albums/${encodeURIComponent(album)}`;
  await store.send("PUT", path, { title: "Shown" }, boss);
  image = await jsonOf<Image>(
    await store.fetch(`${path}/images/one.png/content`, { method: "PUT", body: png, headers: boss }),
  );
});

interface NewShare extends Share {
  readonly url: string;
  readonly secret: string;
  readonly album: string;
}

async function share(wish: object = {}, headers = boss): Promise<NewShare> {
  const response = await store.send("POST", `${path}/shares`, wish, headers);
  expect(response.status).toBe(201);
  expect(response.headers.get("cache-control")).toBe("no-store");
  return jsonOf<NewShare>(response);
}

const by = ({ secret }: NewShare) => ({ Authorization: `Bearer ${secret}` });
const codeOf = async (response: Response) => [response.status, (await jsonOf<{ code?: string }>(response)).code];
const refusal = async (target: string, init: RequestInit = {}) => codeOf(await store.fetch(target, init));

test("a share gives its album with its images and nothing else", async () => {
  const one = await share({ label: "Ann" });
  expect(one).toMatchObject({ label: "Ann", rights: ["read"], originals: false, uses: 0, lastUsedAt: null, album });
  expect(one.url).toBe(`/s/${one.secret}`);
  await store.send("PUT", "/v1/albums/other", {}, boss);
  const { items } = await jsonOf<{ items: { name: string }[] }>(await store.fetch("/v1/albums", { headers: by(one) }));
  expect(items.map(({ name }) => name)).toEqual([album]);
  expect((await store.fetch(`${path}/images/one.png`, { headers: by(one) })).status).toBe(200);
  expect((await store.fetch(`${path}/images/one.png/content?w=160`, { headers: by(one) })).status).toBe(200);
  const hidden = await refusal("/v1/albums/other", { headers: by(one) });
  expect(hidden).toEqual(await refusal("/v1/albums/never-there", { headers: by(one) }));
  for (const target of ["/v1/events", "/metrics", "/v1/cursors", `${path}/shares`])
    expect([target, ...(await refusal(target, { headers: by(one) }))]).toEqual([target, 403, "forbidden"]);
});

test("a share without originals gives no image as uploaded, by name, by version, in part or without its location", async () => {
  const one = await share();
  const content = `${path}/images/one.png/content`;
  for (const target of [content, image.links.content, `${content}?dpr=1`, `${image.links.content}?strip=location`])
    for (const headers of [{}, { Range: "bytes=0-99" }, { "If-None-Match": `"${image.sha256}"` }])
      for (const method of ["GET", "HEAD"]) {
        const response = await store.fetch(target, { method, headers: { ...headers, ...by(one) } });
        expect([target, response.status]).toEqual([target, 403]);
        if (method === "GET") expect((await jsonOf<{ code: string }>(response)).code).toBe("original_not_shared");
      }
  expect(await refusal(`${content}?w=161`, { headers: by(one) })).toEqual([403, "variant_not_allowed"]);
  expect(await refusal(`${content}?format=webp`, { headers: by(one) })).toEqual([403, "variant_not_allowed"]);
  expect(await refusal(`/v1/images/${image.id}/content/${"0".repeat(64)}`, { headers: by(one) })).toEqual([
    404,
    "image_not_found",
  ]);
  const variant = await store.fetch(`${content}?w=160`, { headers: by(one) });
  expect(sha256(await variant.bytes())).not.toBe(image.sha256);
});

test("a share with originals gives them, and shared caches do not keep them", async () => {
  const one = await share({ originals: true });
  for (const target of [`${path}/images/one.png/content`, image.links.content]) {
    const response = await store.fetch(target, { headers: by(one) });
    expect(sha256(await response.bytes())).toBe(image.sha256);
    expect(response.headers.get("cache-control")).not.toContain("public");
  }
});

test("a share stays with its album through a rename, and does not come to another that takes the name", async () => {
  const one = await share();
  await store.send("PATCH", path, { name: `${album} renamed` }, boss);
  expect((await store.fetch(`${path}%20renamed`, { headers: by(one) })).status).toBe(200);
  await store.send("PUT", path, {}, boss);
  expect(await refusal(path, { headers: by(one) })).toEqual([404, "album_not_found"]);
});

test("a share ends with its album, also where one is made anew under the name", async () => {
  const one = await share();
  expect((await store.fetch(path, { headers: by(one) })).status).toBe(200);
  await store.fetch(`${path}?recursive=true`, { method: "DELETE", headers: boss });
  await store.send("PUT", path, {}, boss);
  expect(await refusal(path, { headers: by(one) })).not.toEqual([200, undefined]);
  await until(async () => (await store.fetch("/v1/albums", { headers: by(one) })).status === 401);
  expect(await refusal(one.url)).toEqual([404, "share_not_found"]);
  expect(await refusal(`${path}/shares/${one.id}`, { headers: boss })).toEqual([404, "share_not_found"]);
});

test("a share with write adds images, and changes or deletes none", async () => {
  const one = await share({ label: "Bob", rights: ["write", "read"] });
  expect(one.rights).toEqual(["read", "write"]);
  const put = (name: string, body: Uint8Array<ArrayBuffer>) =>
    store.fetch(`${path}/images/${name}/content`, { method: "PUT", body, headers: by(one) });
  const added = newPng();
  expect((await put("two.png", added)).status).toBe(201);
  const posted = await store.fetch(`${path}/images?name=three.png`, {
    method: "POST",
    body: newPng(),
    headers: by(one),
  });
  expect(posted.status).toBe(201);
  const form = new FormData();
  form.append("file", new Blob([newPng()], { type: "image/png" }), "four.png");
  expect((await store.fetch(`${path}/forms`, { method: "POST", body: form, headers: by(one) })).status).toBe(201);

  // A request that is repeated for want of its answer.
  expect((await put("two.png", added)).status).toBe(200);
  expect(await codeOf(await put("two.png", newPng()))).toEqual([403, "forbidden"]);
  expect(await codeOf(await put("one.png", newPng()))).toEqual([403, "forbidden"]);
  const changes: [string, string, object?][] = [
    ["PATCH", `${path}/images/one.png`, { title: "mine" }],
    ["PATCH", `${path}/images/two.png`, { title: "mine" }],
    ["PATCH", path, { title: "mine" }],
    ["PUT", path, {}],
    ["PUT", "/v1/albums/new-by-share", {}],
    ["POST", "/v1/albums", { name: "new by share" }],
    ["DELETE", `${path}/images/two.png`],
    ["DELETE", path],
    ["POST", `/v1/images/${image.id}/describe`],
    ["POST", `${path}/shares`, {}],
    ["POST", `${path}/images/one.png/links`, {}],
  ];
  for (const [method, target, body] of changes) {
    const response =
      body === undefined
        ? await store.fetch(target, { method, headers: by(one) })
        : await store.send(method, target, body, by(one));
    expect([method, target, ...(await codeOf(response))]).toEqual([method, target, 403, "forbidden"]);
  }
  const { items } = await jsonOf<{ items: Image[] }>(await store.fetch(`${path}/images`, { headers: boss }));
  expect(items.map(({ name }) => name).sort()).toEqual(["four.png", "one.png", "three.png", "two.png"]);
  expect(items.find(({ name }) => name === "one.png")?.sha256).toBe(image.sha256);
});

test("events of what a share did name it, and its making and revocation are in the audit trail", async () => {
  const one = await share({ label: "Cleo", rights: ["read", "write"] });
  await store.fetch(`${path}/images/by-cleo.png/content`, { method: "PUT", body: newPng(), headers: by(one) });
  expect((await store.fetch(`${path}/shares/${one.id}`, { method: "DELETE", headers: boss })).status).toBe(204);
  interface Logged {
    readonly type: string;
    readonly subject: string;
    readonly data: { readonly actor: object; readonly id: string; readonly label?: string };
  }
  const read = async (headers: Record<string, string>) => {
    const target = `/v1/events?albumId=${one.albumId}`;
    const { items } = await jsonOf<{ items: Logged[] }>(await store.fetch(target, { headers }));
    return items;
  };
  const actor = { kind: "key", id: "boss", name: "boss" };
  const subject = `albums/${one.albumId}/shares/${one.id}`;
  expect((await read(boss)).slice(2)).toMatchObject([
    { type: "imagestore.share.created", subject, data: { id: one.id, label: "Cleo", actor } },
    { type: "imagestore.image.created", data: { actor: { kind: "share", id: one.id, name: "Cleo" } } },
    { type: "imagestore.share.revoked", subject, data: { id: one.id, actor } },
  ]);
  expect(JSON.stringify(await read(boss))).not.toContain(one.secret.slice(-49));
});

test("a revoked share gives nothing more, and is 404", async () => {
  const one = await share();
  const before = await share();
  expect((await store.fetch(path, { headers: by(one) })).status).toBe(200);
  expect((await store.fetch(`${path}/shares/${one.id}`, { method: "DELETE", headers: boss })).status).toBe(204);
  expect(await refusal(path, { headers: by(one) })).toEqual([401, "unauthorized"]);
  expect(await refusal(one.url)).toEqual([404, "share_not_found"]);
  for (const method of ["GET", "DELETE"])
    expect(await refusal(`${path}/shares/${one.id}`, { method, headers: boss })).toEqual([404, "share_not_found"]);
  const { items } = await jsonOf<{ items: Share[] }>(await store.fetch(`${path}/shares`, { headers: boss }));
  expect(items.map(({ id }) => id)).toEqual([before.id]);
});

test("a share expires in 30 days, when it says, or never only where that was said", async () => {
  const usual = await share();
  const day = 86_400_000;
  expect(Math.abs(Date.parse(usual.expiresAt ?? "") - now - 30 * day)).toBeLessThan(60_000);
  const brief = await share({ expiresAt: new Date(now + day).toISOString() });
  const lasting = await share({ expiresAt: null });
  now += day + 1000;
  expect(await refusal(path, { headers: by(brief) })).toEqual([401, "unauthorized"]);
  expect(await refusal(brief.url)).toEqual([404, "share_not_found"]);
  expect((await store.fetch(path, { headers: by(usual) })).status).toBe(200);
  now += 30 * day;
  expect(await refusal(path, { headers: by(usual) })).toEqual([401, "unauthorized"]);
  now += 10_000 * day;
  expect((await store.fetch(path, { headers: by(lasting) })).status).toBe(200);
});

test("the client of a share can find out what it may do", async () => {
  const one = await share({ label: "Eve", rights: ["read", "write"] });
  const me = await jsonOf<object>(await store.fetch("/v1/me", { headers: by(one) }));
  expect(me).toMatchObject({
    caller: { kind: "share", id: one.id, name: "Eve" },
    grants: [{ rights: ["read"], albums: { ids: [one.albumId] }, mayAdd: true, originals: false }],
    expiresAt: one.expiresAt,
  });
});

test("a share is made only with the right to share and with every right that it gives", async () => {
  const ask = async (name: "boss" | "sharer" | "reader" | "writer", wish: object) => {
    const response = await store.send("POST", `${path}/shares`, wish, bearer(name));
    return [response.status, (await jsonOf<{ missing?: string[] }>(response)).missing];
  };
  expect(await ask("writer", {})).toEqual([403, ["share"]]);
  expect(await ask("sharer", {})).toEqual([403, ["read"]]);
  expect(await ask("reader", { rights: ["read", "write"] })).toEqual([403, ["write"]]);
  expect((await ask("reader", {}))[0]).toBe(201);
  expect((await ask("boss", { rights: ["read", "write"], originals: true }))[0]).toBe(201);
  const missing = await store.send("POST", "/v1/albums/never-there/shares", {}, boss);
  expect(await codeOf(missing)).toEqual([404, "album_not_found"]);
});

test.each([
  ["an unknown member", { nothing: 1 }],
  ["write without read", { rights: ["write"] }],
  ["no right", { rights: [] }],
  ["a right twice", { rights: ["read", "read"] }],
  ["another right", { rights: ["read", "delete"] }],
  ["an expiry in the past", { expiresAt: "2020-01-01T00:00:00.000Z" }],
  ["an expiry that is no time", { expiresAt: "tomorrow" }],
  ["a label that is too long", { label: "x".repeat(201) }],
  ["a label with control characters", { label: "a\u0000b" }],
])("a share with %s is refused", async (_, wish) => {
  expect(await codeOf(await store.send("POST", `${path}/shares`, wish, boss))).toEqual([400, "invalid_request"]);
});

test("a listing has the shares of the album in pages, without secrets", async () => {
  const made = [];
  for (let index = 0; index < 5; index++) made.push(await share({ label: `${index}` }));
  const seen: Share[] = [];
  for (let target = `${path}/shares?pageSize=2`; target !== ""; ) {
    const response = await store.fetch(target, { headers: boss });
    const { items } = await jsonOf<{ items: Share[] }>(response);
    expect(items.length).toBeLessThanOrEqual(2);
    seen.push(...items);
    target = /<([^>]+)>/.exec(response.headers.get("link") ?? "")?.[1] ?? "";
  }
  expect(seen.map(({ id }) => id)).toEqual(made.toSorted(byTimeAndId).map(({ id }) => id));
  for (const { secret } of made) expect(JSON.stringify(seen)).not.toContain(secret.slice(-49));
});

const byTimeAndId = (one: Share, other: Share) =>
  one.createdAt === other.createdAt ? (one.id < other.id ? -1 : 1) : one.createdAt < other.createdAt ? -1 : 1;

test("the link of a share says what it gives, and goes to no other site, cache or index", async () => {
  const one = await share({ label: "Dan" });
  const response = await store.fetch(one.url);
  expect(await jsonOf<object>(response)).toEqual({
    album,
    title: "Shown",
    label: "Dan",
    rights: ["read"],
    originals: false,
    expiresAt: one.expiresAt,
  });
  expect(Object.fromEntries(response.headers)).toMatchObject({
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
  });
  const [, id = ""] = one.secret.split("_");
  const wrong = [
    one.secret.slice(0, -1),
    `${one.secret}x`,
    one.secret.replace("imgsh", "imgst"),
    encodeURIComponent(one.secret).replace("_", "%5F"),
    id,
    "x",
  ];
  for (const secret of wrong) expect(await refusal(`/s/${secret}`)).toEqual([404, "share_not_found"]);
});

test("uses of a share are counted, those of its sessions as the last use only", async () => {
  const one = await share();
  for (let index = 0; index < 3; index++) await store.fetch(path, { headers: by(one) });
  const record = async () => jsonOf<Share>(await store.fetch(`${path}/shares/${one.id}`, { headers: boss }));
  await until(async () => (await record()).uses === 3, 500);
  expect((await record()).lastUsedAt).toBeString();
});

test("the secret of a share counts in Authorization alone, once", async () => {
  const one = await share();
  expect(await refusal(`${path}?key=${one.secret}`)).toEqual([400, "unknown_parameter"]);
  for (const headers of [{ "X-Api-Key": one.secret }, { Cookie: `image-store-session-${store.port}=${one.secret}` }])
    expect(await refusal(path, { headers })).toEqual([404, "album_not_found"]);
  const twice = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${one.secret}\r\nAuthorization: Bearer ${one.secret}\r\nConnection: close\r\n\r\n`;
  expect((await store.sendRaw(twice)).text).toStartWith("HTTP/1.1 401");
  const other = await share();
  const swapped = one.secret.replace(one.id, other.id);
  expect(await refusal(path, { headers: { Authorization: `Bearer ${swapped}` } })).toEqual([401, "unauthorized"]);
});

test("a store without keys honours a share, which gives less than no key", async () => {
  await using open = await startStore();
  await open.send("PUT", "/v1/albums/a", {});
  await open.send("PUT", "/v1/albums/b", {});
  const made = await jsonOf<NewShare>(await open.send("POST", "/v1/albums/a/shares", {}));
  expect((await open.fetch("/v1/albums/b")).status).toBe(200);
  expect((await open.fetch("/v1/albums/b", { headers: by(made) })).status).toBe(404);
  expect((await open.fetch("/v1/albums/a", { headers: by(made) })).status).toBe(200);
});
