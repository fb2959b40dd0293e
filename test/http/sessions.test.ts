import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newPng, sha256 } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

const { API_KEYS, bearer } = testKeys({ boss: "read+write+delete+transform+share+events+admin", reader: "read" });
const boss = bearer("boss");

let now = Date.now();
let store: TestStore;
let image: Image;
const png = newPng(500);
beforeAll(async () => {
  store = await startStore({ API_KEYS }, { now: () => now });
  await store.send("PUT", "/v1/albums/a", {}, boss);
  image = await jsonOf<Image>(
    await store.fetch("/v1/albums/a/images/one.png/content", { method: "PUT", body: png, headers: boss }),
  );
});
afterAll(() => store[Symbol.asyncDispose]());

/** What Chromium sends from a page of the store. */
const samePage = { "Sec-Fetch-Site": "same-origin" };
const own = () => ({ ...samePage, Origin: store.url });

interface SignedIn {
  readonly setCookie: string;
  readonly cookie: Record<string, string>;
  readonly body: { readonly id: string; readonly kind: string; readonly name: string; readonly expiresAt: string };
}

async function signIn(headers: Record<string, string> = boss, body: object = {}, at = store): Promise<SignedIn> {
  const response = await at.send("POST", "/v1/session", body, { Origin: at.url, ...samePage, ...headers });
  expect(response.status).toBe(201);
  const setCookie = response.headers.get("set-cookie") ?? "";
  return { setCookie, cookie: { Cookie: setCookie.split(";", 1)[0] ?? "" }, body: await jsonOf(response) };
}

const statusOf = async (target: string, headers: Record<string, string>, method = "GET") =>
  (await store.fetch(target, { method, headers })).status;
const codeOf = async (response: Response) => [response.status, (await jsonOf<{ code?: string }>(response)).code];

async function newKey(grants: object, at = store) {
  const response = await at.send("POST", "/v1/keys", { name: "made", grants: [grants] }, boss);
  expect(response.status).toBe(201);
  return jsonOf<{ id: string; secret: string }>(response);
}
const READ_ALL = { rights: ["read"], albums: "*" };
const bearerOf = ({ secret }: { secret: string }) => ({ Authorization: `Bearer ${secret}` });

test("a session is a cookie that scripts and other sites do not get, and stands for its key", async () => {
  const { setCookie, cookie, body } = await signIn();
  const [pair = "", ...attributes] = setCookie.split("; ");
  expect(pair).toMatch(new RegExp(`^image-store-session-${store.port}=imgse_\\w{16}_\\w{49}$`));
  expect(attributes.sort()).toEqual(["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict"]);
  expect(body).toMatchObject({ kind: "key", name: "boss" });
  expect(await statusOf("/v1/albums/a", { ...cookie, ...samePage })).toBe(200);
  const seen = await store.fetch("/v1/session", { headers: { ...cookie, ...samePage } });
  expect(await jsonOf<object>(seen)).toEqual(body);
});

test("signing in always makes another session, and ends the one before", async () => {
  const one = await signIn();
  const two = await signIn({ ...boss, ...one.cookie });
  expect(two.cookie).not.toEqual(one.cookie);
  expect(await statusOf("/v1/albums/a", { ...one.cookie, ...samePage })).toBe(401);
  expect(await statusOf("/v1/albums/a", { ...two.cookie, ...samePage })).toBe(200);
  const planted = { Cookie: `image-store-session-${store.port}=planted` };
  const three = await signIn({ ...boss, ...planted });
  expect(three.cookie).not.toEqual(planted);
});

test("the id of a session, which events show, ends nothing", async () => {
  const { cookie, body } = await signIn();
  const forged = { Cookie: `image-store-session-${store.port}=imgse_${body.id}_${"0".repeat(49)}` };
  expect(await statusOf("/v1/session", { ...forged, ...own() }, "DELETE")).toBe(204);
  await signIn({ ...boss, ...forged });
  expect(await statusOf("/v1/albums/a", { ...cookie, ...samePage })).toBe(200);
});

test("signing out ends the session and removes its cookie", async () => {
  const { cookie } = await signIn();
  const response = await store.fetch("/v1/session", { method: "DELETE", headers: { ...cookie, ...own() } });
  expect(response.status).toBe(204);
  expect(response.headers.get("set-cookie")).toBe(
    `image-store-session-${store.port}=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict`,
  );
  expect(await statusOf("/v1/albums/a", { ...cookie, ...samePage })).toBe(401);
  expect(await statusOf("/v1/session", own(), "DELETE")).toBe(204);
});

test("a session that has ended or never was is 401 session_ended, and the cookie is removed", async () => {
  const { cookie } = await signIn();
  await store.fetch("/v1/session", { method: "DELETE", headers: { ...cookie, ...own() } });
  const name = `image-store-session-${store.port}`;
  const both = { Cookie: `${cookie["Cookie"]}; ${name}=x` };
  for (const headers of [cookie, { Cookie: `${name}=x` }, { Cookie: `${name}=` }, both])
    for (const target of ["/v1/albums/a", "/v1/session"]) {
      const response = await store.fetch(target, { headers: { ...headers, ...samePage } });
      expect(response.headers.get("set-cookie")).toStartWith(`${name}=; Path=/; Max-Age=0;`);
      expect(response.headers.get("www-authenticate")).toStartWith("Bearer");
      expect(await codeOf(response)).toEqual([401, "session_ended"]);
    }
});

test("without a session there is none to get", async () => {
  expect(await codeOf(await store.fetch("/v1/session"))).toEqual([404, "session_not_found"]);
  expect(await codeOf(await store.fetch("/v1/session", { headers: boss }))).toEqual([404, "session_not_found"]);
});

describe("a cookie does not count", () => {
  test.each([
    ["from another site", "GET", { "Sec-Fetch-Site": "cross-site" }],
    ["from another host of the site", "GET", { "Sec-Fetch-Site": "same-site" }],
    ["from another origin", "GET", { ...samePage, Origin: "https://evil.example" }],
    ["from another port", "GET", { ...samePage, Origin: "http://127.0.0.1:1" }],
    ["from a page without an origin", "GET", { ...samePage, Origin: "null" }],
    ["from a browser that does not say where from", "GET", {}],
    ["in a request that no user typed but says so", "GET", { "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "no-cors" }],
    ["in a write that a user is said to have typed", "PUT", { "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate" }],
    ["in a write without an Origin", "PUT", samePage],
    ["in a write of another origin", "PUT", { ...samePage, Origin: "http://localhost" }],
    ["in a write of the page over TLS", "PUT", () => ({ ...samePage, Origin: store.url.replace("http:", "https:") })],
  ])("%s", async (_, method, given) => {
    const { cookie } = await signIn();
    const headers: Record<string, string> = typeof given === "function" ? given() : { ...given };
    const response = await store.fetch("/v1/albums/a", {
      method,
      headers: { ...cookie, ...headers, "Content-Type": "application/json" },
      ...(method === "PUT" && { body: "{}" }),
    });
    // Nor does such a page sign anyone out.
    expect(response.headers.get("set-cookie")).toBeNull();
    expect(await codeOf(response)).toEqual(method === "GET" ? [404, "album_not_found"] : [401, "unauthorized"]);
  });

  test("for a form or an <img> of another site", async () => {
    const { cookie } = await signIn();
    const cross = { "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example", ...cookie };
    expect(await statusOf(image.links.content, { ...cross, "Sec-Fetch-Dest": "image" })).toBe(404);
    const form = new FormData();
    form.append("file", new Blob([newPng()], { type: "image/png" }), "evil.png");
    const posted = await store.fetch("/v1/albums/a/forms", { method: "POST", body: form, headers: cross });
    expect(await codeOf(posted)).toEqual([401, "unauthorized"]);
    expect(await statusOf("/v1/session", cross, "DELETE")).toBe(204);
    expect(await statusOf("/v1/albums/a", { ...cookie, ...samePage })).toBe(200);
  });
});

describe("a cookie counts", () => {
  test.each([
    ["for reads of a page of the store", "GET", samePage],
    ["for a page that the user typed", "GET", { "Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate" }],
    ["for an old browser's request with an Origin", "GET", () => ({ Origin: store.url })],
    ["for writes of a page of the store", "PUT", own],
  ])("%s", async (_, method, given) => {
    const { cookie } = await signIn();
    const headers: Record<string, string> = typeof given === "function" ? given() : { ...given };
    const response = await store.fetch("/v1/albums/a", {
      method,
      headers: { ...cookie, ...headers, "Content-Type": "application/json" },
      ...(method === "PUT" && { body: "{}" }),
    });
    expect(response.status).toBe(200);
  });
});

test("an Authorization alone decides, valid or not", async () => {
  const { cookie } = await signIn();
  const both = { ...cookie, ...own(), "Content-Type": "application/json" };
  const asReader = await store.send("PUT", "/v1/albums/a", {}, { ...both, ...bearer("reader") });
  expect(await codeOf(asReader)).toEqual([403, "forbidden"]);
  const invalid = await store.fetch("/v1/albums/a", { headers: { ...both, Authorization: "Bearer nonsense" } });
  expect(invalid.headers.get("set-cookie")).toBeNull();
  expect(await codeOf(invalid)).toEqual([401, "unauthorized"]);
});

test("only a key, a token or a share signs in, and only by Authorization", async () => {
  const { cookie } = await signIn();
  const refused = [{}, { Authorization: `Bearer ${cookie["Cookie"]?.split("=")[1]}` }, { Authorization: "Bearer x" }];
  for (const headers of refused) {
    const response = await store.send("POST", "/v1/session", {}, { ...own(), ...headers });
    expect(response.headers.get("set-cookie")).toBeNull();
    expect(await codeOf(response)).toEqual([401, "unauthorized"]);
  }
  const prolonging = await store.send("POST", "/v1/session", {}, { ...own(), ...cookie });
  expect(await codeOf(prolonging)).toEqual([403, "forbidden"]);
  expect(await statusOf("/v1/albums/a", { ...cookie, ...samePage })).toBe(200);
  await using open = await startStore();
  expect(await codeOf(await open.send("POST", "/v1/session", {}))).toEqual([401, "unauthorized"]);
});

test.each([
  [{ "Sec-Fetch-Site": "cross-site", Origin: "https://evil.example" }, "forbidden_origin"],
  [{ Origin: "https://evil.example" }, "forbidden_origin"],
  [{ Origin: "null" }, "forbidden_origin"],
  [{ "Sec-Fetch-Site": "same-site" }, "forbidden_origin"],
  [{ Host: "images.example.org" }, "https_required"],
  [{ Host: "images.example.org", Origin: "http://images.example.org" }, "https_required"],
  [{ Host: "192.168.1.2" }, "https_required"],
])("a page with %j cannot sign in", async (headers, code) => {
  const response = await store.send("POST", "/v1/session", {}, { ...boss, ...headers });
  expect(response.headers.get("set-cookie")).toBeNull();
  expect(await codeOf(response)).toEqual([403, code]);
});

test("over HTTPS the cookie has the prefix that keeps other hosts and plain HTTP from setting it", async () => {
  const Host = "images.example.org";
  const Origin = `https://${Host}`;
  await using site = await startStore({ API_KEYS, PUBLIC_URL: Origin });
  await site.send("PUT", "/v1/albums/a", {}, boss);
  for (const headers of [{ Host, Origin, ...samePage }, { Host }]) {
    const response = await site.send("POST", "/v1/session", {}, { ...boss, ...headers });
    const setCookie = response.headers.get("set-cookie") ?? "";
    expect(setCookie).toMatch(/^__Host-image-store-session=imgse_.*; Path=\/;.*; Secure$/);
    expect(setCookie).not.toContain("Domain");
    const pair = setCookie.split(";", 1)[0] ?? "";
    const ask = (cookie: string, more: Record<string, string> = {}) =>
      site.fetch("/v1/albums/a", { headers: { Host, ...samePage, Cookie: cookie, ...more } });
    expect((await ask(pair)).status).toBe(200);
    // What plain HTTP, or a host beside it, could have set.
    expect((await ask(pair.replace("__Host-", ""))).status).toBe(404);
    expect((await ask(pair.replace("__Host-image-store-session", "image-store-session-80"))).status).toBe(404);
    expect((await ask(pair, { Origin: `http://${Host}` })).status).toBe(404);
  }
});

test("a session lives for as long as was asked, at most twelve hours", async () => {
  now = Date.now();
  const brief = await signIn(boss, { expiresIn: 60 });
  expect(brief.setCookie).toMatch(/; Max-Age=(60|61);/);
  const long = await signIn();
  now += 61_000;
  expect(await statusOf("/v1/albums/a", { ...brief.cookie, ...samePage })).toBe(401);
  expect(await statusOf("/v1/albums/a", { ...long.cookie, ...samePage })).toBe(200);
  now += 12 * 3_600_000;
  expect(await statusOf("/v1/albums/a", { ...long.cookie, ...samePage })).toBe(401);
  now = Date.now();
  for (const expiresIn of [59, 43_201, "60", 1.5])
    expect(await codeOf(await store.send("POST", "/v1/session", { expiresIn }, { ...own(), ...boss }))).toEqual([
      400,
      "invalid_request",
    ]);
});

test("a session is what its share is now", async () => {
  const wish = { label: "Ann", expiresAt: new Date(now + 600_000).toISOString() };
  const share = await jsonOf<{ id: string; secret: string; expiresAt: string }>(
    await store.send("POST", "/v1/albums/a/shares", wish, boss),
  );
  const { cookie, body } = await signIn(bearerOf(share));
  expect(body).toMatchObject({ kind: "share", name: "Ann", expiresAt: share.expiresAt });
  const headers = { ...cookie, ...samePage };
  expect(await statusOf(`${image.links.content}?w=160`, headers)).toBe(200);
  expect(await statusOf(image.links.content, headers)).toBe(403);
  await store.fetch(`/v1/albums/a/shares/${share.id}`, { method: "DELETE", headers: boss });
  expect(await statusOf(`${image.links.content}?w=160`, headers)).toBe(401);
});

test("a session is what its key is now", async () => {
  const made = await newKey(READ_ALL);
  const { cookie, body } = await signIn(bearerOf(made));
  expect(body).toMatchObject({ kind: "key", name: "made" });
  const headers = { ...cookie, ...samePage };
  expect(await statusOf("/v1/albums/a", headers)).toBe(200);
  const narrower = { grants: [{ rights: ["read"], albums: { names: ["b"] } }] };
  expect((await store.send("PATCH", `/v1/keys/${made.id}`, narrower, boss)).status).toBe(200);
  expect(await statusOf("/v1/albums/a", headers)).toBe(404);
  await store.fetch(`/v1/keys/${made.id}`, { method: "DELETE", headers: boss });
  expect(await statusOf("/v1/albums/a", headers)).toBe(401);
});

test("a key that a session made is one that its key made: it goes when that is revoked, and does not outlive it", async () => {
  const expiresAt = new Date(now + 3_600_000).toISOString();
  const grants = [{ rights: ["read", "admin"], albums: "*" }];
  const made = await jsonOf<{ id: string; secret: string }>(
    await store.send("POST", "/v1/keys", { name: "leaked", grants, expiresAt }, boss),
  );
  const { cookie } = await signIn(bearerOf(made));
  const make = (wish: object) =>
    store.send("POST", "/v1/keys", { name: "child", grants: [READ_ALL], ...wish }, { ...cookie, ...own() });
  expect(await codeOf(await make({ expiresAt: null }))).toEqual([403, "forbidden"]);
  const child = await jsonOf<{ secret: string; createdBy: object }>(await make({ expiresAt }));
  expect(child.createdBy).toEqual({ kind: "key", id: made.id, name: "leaked" });
  expect(await statusOf("/v1/albums/a", bearerOf(child))).toBe(200);
  await store.fetch(`/v1/keys/${made.id}?recursive=true`, { method: "DELETE", headers: boss });
  expect(await statusOf("/v1/albums/a", bearerOf(child))).toBe(401);
});

test("answers to a session are for its browser alone", async () => {
  const { cookie } = await signIn();
  const headers = { ...cookie, ...samePage };
  for (const target of [
    image.links.content,
    "/v1/albums/a/images/one.png/content",
    `${image.links.content}?w=160`,
    "/v1/albums",
  ]) {
    const response = await store.fetch(target, { headers });
    expect(response.headers.get("cache-control")).toContain("private");
    expect(response.headers.get("cache-control")).not.toContain("public");
    expect(response.headers.get("vary")).toContain("Cookie");
  }
  const bytes = await (await store.fetch(image.links.content, { headers })).bytes();
  expect(sha256(bytes)).toBe(image.sha256);
});

test("pages of other origins never get credentials, whatever origins are allowed", async () => {
  for (const CORS_ORIGINS of ["*", "https://app.example"]) {
    await using open = await startStore({ API_KEYS, CORS_ORIGINS });
    await open.send("PUT", "/v1/albums/a", {}, boss);
    const { cookie } = await signIn(boss, {}, open);
    const headers = { ...cookie, Origin: "https://app.example", "Sec-Fetch-Site": "cross-site" };
    const response = await open.fetch("/v1/albums/a", { headers });
    expect(response.status).toBe(404);
    const preflight = await open.fetch("/v1/session", {
      method: "OPTIONS",
      headers: { ...headers, "Access-Control-Request-Method": "POST" },
    });
    for (const { headers: answered } of [response, preflight])
      expect([...answered.keys()]).not.toContain("access-control-allow-credentials");
  }
});

test("events of what a session did name it and what it was made with", async () => {
  const { cookie, body } = await signIn();
  await store.send("PUT", "/v1/albums/by-session", {}, { ...cookie, ...own() });
  const { items } = await jsonOf<{ items: { data: { name: string; actor: object } }[] }>(
    await store.fetch("/v1/events", { headers: boss }),
  );
  expect(items.find(({ data }) => data.name === "by-session")?.data.actor).toEqual({
    kind: "session",
    id: body.id,
    name: "boss",
    base: { kind: "key", id: "boss" },
  });
});
