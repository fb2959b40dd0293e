import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { describeApi } from "../../src/app.ts";
import { parseApiKeys } from "../../src/config/keys.ts";
import { RIGHTS as RIGHTS_OF_KEYS } from "../../src/domain/access.ts";
import { type Caller, LINKED, may, mayEverywhere } from "../../src/domain/caller.ts";
import { type AccessOptions, createAccess } from "../../src/http/access.ts";
import { createLinkSigner } from "../../src/operations/link-signer.ts";
import { rejectionOf } from "../waiting.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { NO_CREDENTIALS } from "./no-credentials.ts";

/** The rights of the API, by its table; a route that is not here has none that was agreed. */
const RIGHTS: Readonly<Record<string, readonly string[] | "open">> = {
  "POST /v1/albums": ["write"],
  "PUT /v1/albums/{album}": ["write"],
  "GET /v1/albums": ["read"],
  "GET /v1/albums/{album}": ["read"],
  "PATCH /v1/albums/{album}": ["write"],
  "DELETE /v1/albums/{album}": ["delete"],
  "POST /v1/albums/{album}/images": ["write"],
  "POST /v1/albums/{album}/forms": ["write"],
  "GET /v1/albums/{album}/images": ["read"],
  "GET /v1/albums/{album}/images/{image}": ["read"],
  "PATCH /v1/albums/{album}/images/{image}": ["write"],
  "DELETE /v1/albums/{album}/images/{image}": ["delete"],
  "PUT /v1/albums/{album}/images/{image}/content": ["write"],
  "GET /v1/albums/{album}/images/{image}/content": ["read"],
  "POST /v1/albums/{album}/images/{image}/links": ["read", "share"],
  "POST /v1/links": ["read", "share"],
  "POST /v1/albums/{album}/tickets": ["write", "share"],
  "GET /v1/albums/{album}/tickets": ["share"],
  "DELETE /v1/albums/{album}/tickets/{ticket}": ["share"],
  "PUT /v1/uploads/{secret}": "open",
  "POST /v1/uploads/{secret}": "open",
  "POST /v1/albums/{album}/images/{image}/move": ["read", "delete"],
  "POST /v1/albums/{album}/images/{image}/copy": ["read"],
  "POST /v1/albums/{album}/known": ["write"],
  "POST /v1/batches": [],
  "GET /v1/images": ["read"],
  "GET /v1/albums/{album}/zip": ["read"],
  "GET /v1/albums/{album}/layout": ["read"],
  "POST /v1/images/known": ["read"],
  "GET /v1/images/{id}": ["read"],
  "POST /v1/images/{id}/describe": ["write"],
  "GET /v1/images/{id}/content/{sha256}": ["read"],
  "POST /v1/albums/{album}/shares": ["read", "share"],
  "GET /v1/albums/{album}/shares": ["share"],
  "GET /v1/albums/{album}/shares/{share}": ["share"],
  "DELETE /v1/albums/{album}/shares/{share}": ["share"],
  "GET /s/{secret}": "open",
  "POST /v1/session": [],
  "GET /v1/session": [],
  "DELETE /v1/session": "open",
  "GET /v1/quotas": ["admin"],
  "GET /v1/quotas/store": ["admin"],
  "PUT /v1/quotas/store": ["admin"],
  "DELETE /v1/quotas/store": ["admin"],
  "GET /v1/quotas/albums/{album}": ["admin"],
  "PUT /v1/quotas/albums/{album}": ["admin"],
  "DELETE /v1/quotas/albums/{album}": ["admin"],
  "GET /v1/quotas/keys/{key}": ["admin"],
  "PUT /v1/quotas/keys/{key}": ["admin"],
  "DELETE /v1/quotas/keys/{key}": ["admin"],
  "GET /v1/events": ["events"],
  "GET /v1/events/batch": ["events"],
  "GET /v1/events/stream": ["events"],
  "GET /v1/me": [],
  "GET /v1/logins": "open",
  "GET /v1/cursors": ["admin"],
  "DELETE /v1/cursors/{name}": ["admin"],
  "POST /v1/cursors/{name}/rewind": ["admin"],
  "POST /v1/webhooks": ["admin", "events"],
  "GET /v1/webhooks": ["admin"],
  "GET /v1/webhooks/{webhook}": ["admin"],
  "PATCH /v1/webhooks/{webhook}": ["admin"],
  "DELETE /v1/webhooks/{webhook}": ["admin"],
  "GET /v1/webhooks/{webhook}/deliveries": ["admin"],
  "POST /v1/webhooks/{webhook}/test": ["admin"],
  "POST /v1/webhooks/{webhook}/replay": ["admin"],
  "POST /v1/webhooks/{webhook}/rotate-secret": ["admin"],
  "POST /v1/keys": ["admin"],
  "GET /v1/keys": ["admin"],
  "GET /v1/keys/{key}": ["admin"],
  "PATCH /v1/keys/{key}": ["admin"],
  "DELETE /v1/keys/{key}": ["admin"],
  "GET /": "open",
  "GET /healthz": "open",
  "GET /readyz": "open",
  "GET /openapi.json": "open",
  "GET /docs": "open",
  "GET /docs/{file}": "open",
  "GET /albums": "open",
  "GET /assets/{asset}": "open",
  "GET /metrics": ["admin"],
};

const KEYS = {
  reader: "read",
  writer: "write",
  remover: "delete",
  follower: "events",
  sharer: "read+share",
  boss: "read+write+delete+transform+share+events+admin",
} as const;
const secretOf = (name: string): string => `${name}-${"k".repeat(40)}`;
const API_KEYS = Object.entries(KEYS)
  .map(([name, rights]) => `${name}:${rights}:${createHash("sha256").update(secretOf(name)).digest("hex")}`)
  .join(",");
const bearer = (name: string) => ({ Authorization: `Bearer ${secretOf(name)}` });

const operations = Object.entries(
  (JSON.parse(describeApi()) as { paths: Record<string, Record<string, unknown>> }).paths,
).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));

/** Nothing of this is there, so that a caller who is let in gets 4xx or an empty list, and nothing is changed. */
function targetOf(operation: string): { method: string; path: string } {
  const [method = "", path = ""] = operation.split(" ");
  return { method, path: path.replaceAll(/\{\w+\}/g, "missing") };
}

const problemOf = async (response: Response) => jsonOf<{ code: string; detail: string }>(response);
const isRefused = (response: Response): boolean => response.status === 401 || response.status === 403;

describe("access with keys", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore({ API_KEYS });
  });
  afterAll(() => store[Symbol.asyncDispose]());

  test("every route requires the right in the table, also in openapi.json", () => {
    expect(operations.filter((operation) => !Object.hasOwn(RIGHTS, operation))).toEqual([]);
    type Operation = { security: object[]; description?: string };
    const { paths } = JSON.parse(describeApi()) as { paths: Record<string, Record<string, Operation>> };
    for (const operation of operations) {
      const [method = "", path = ""] = operation.split(" ");
      const { security, description } = paths[path]?.[method.toLowerCase()] ?? { security: [] };
      const rights = RIGHTS[operation] ?? "open";
      expect([operation, security]).toEqual([
        operation,
        rights === "open" ? [] : [{ apiKey: [...rights] }, { cookieAuth: [] }, {}],
      ]);
      if (rights === "open" || rights.length === 0) continue;
      const text = rights.map((right) => `\`${right}\``).join(", ");
      expect(description).toEndWith(`Required right${rights.length === 1 ? "" : "s"}: ${text}.`);
    }
  });

  test.each(operations)("%s requires its rights, and names the first that is missing", async (operation) => {
    const required = RIGHTS[operation] ?? [];
    const { method, path } = targetOf(operation);
    const send = async (headers: Record<string, string>) => {
      const leaving = new AbortController();
      const response = await store.fetch(path, { method, headers, signal: leaving.signal });
      // A stream of events has no end of its own.
      if (response.headers.get("content-type") === "text/event-stream") leaving.abort();
      return response;
    };
    const without = await send({});
    if (required === "open") {
      expect(isRefused(without)).toBeFalse();
      return;
    }
    if (operation === "POST /v1/batches") {
      // One of the rights that its operations need is enough to have it read.
      for (const [name, rights] of Object.entries(KEYS))
        expect([name, isRefused(await send(bearer(name)))]).toEqual([name, !/write|delete/.test(rights)]);
      return;
    }
    // Every caller may read what is public.
    const needed = required.filter((right) => right !== "read");
    if (needed.length === 0) {
      // Signing in needs credentials, whatever they give.
      const anonymous = operation === "POST /v1/session" ? [] : [without];
      for (const response of [
        ...anonymous,
        ...(await Promise.all(Object.keys(KEYS).map((name) => send(bearer(name))))),
      ]) {
        expect(isRefused(response)).toBeFalse();
        // What has no body is refused for that before the album is looked for.
        if (path.includes("missing")) expect(response.status).toBe(method === "POST" ? 415 : 404);
      }
      return;
    }
    expect(without.status).toBe(401);
    expect(without.headers.get("www-authenticate")).toBe('Bearer realm="image-store"');
    expect((await problemOf(without)).code).toBe("unauthorized");
    for (const [name, rights] of Object.entries(KEYS)) {
      const response = await send(bearer(name));
      const right = needed.find((each) => !rights.split("+").includes(each));
      if (right === undefined) {
        expect([name, isRefused(response)]).toEqual([name, false]);
      } else {
        expect([name, response.status]).toEqual([name, 403]);
        expect(response.headers.get("www-authenticate")).toBe(
          `Bearer realm="image-store", error="insufficient_scope", scope="${right}"`,
        );
        expect(await response.json()).toMatchObject({ code: "forbidden", missing: [right] });
      }
    }
  });

  test.each([
    ["another key", "Bearer wrong"],
    ["a key's digest", `Bearer ${createHash("sha256").update(secretOf("boss")).digest("hex")}`],
    ["more than a key", `Bearer ${secretOf("boss")}x`],
    ["another scheme", `Basic ${btoa(`boss:${secretOf("boss")}`)}`],
    ["no scheme", secretOf("boss")],
    ["two keys", `Bearer ${secretOf("boss")} ${secretOf("boss")}`],
    ["nothing", "Bearer "],
  ])("%s is 401", async (_why, authorization) => {
    const response = await store.fetch("/v1/albums", { headers: { Authorization: authorization } });
    expect(response.status).toBe(401);
    // Of another scheme's credentials, or none, there is nothing to say (RFC 6750, 3).
    const error = authorization.startsWith("Bearer") ? ', error="invalid_token"' : "";
    expect(response.headers.get("www-authenticate")).toBe(`Bearer realm="image-store"${error}`);
  });

  test("the authentication scheme is case-insensitive", async () => {
    const response = await store.fetch("/v1/albums", { headers: { Authorization: `bearer ${secretOf("reader")}` } });
    expect(response.status).toBe(200);
  });

  test("Host and Origin are not restricted, since browsers do not send keys by themselves", async () => {
    const headers = { ...bearer("writer"), Host: "store.example", Origin: "https://page.example" };
    expect((await store.send("POST", "/v1/albums", { name: "from a page" }, headers)).status).toBe(201);
  });

  test("an Idempotency-Key is scoped to its principal", async () => {
    const key = { "Idempotency-Key": "shared" };
    const first = await store.send("POST", "/v1/albums", { name: "one" }, { ...key, ...bearer("writer") });
    expect(first.status).toBe(201);
    const other = await store.send("POST", "/v1/albums", { name: "two" }, { ...key, ...bearer("boss") });
    expect(other.status).toBe(201);
    expect(other.headers.get("idempotent-replayed")).toBeNull();
  });
});

const nothing = {
  publicRead: false,
  publicUrl: undefined,
  corsOrigins: [],
  links: createLinkSigner([]),
  credentials: NO_CREDENTIALS,
};
const rightsOf = (caller: Caller) => RIGHTS_OF_KEYS.filter((right) => may(caller, right, { name: "private" }));

test("a response is publicly cacheable only when a client without a key may read it", () => {
  const apiKeys = parseApiKeys(API_KEYS);
  const openTo = (options: Partial<AccessOptions>) =>
    RIGHTS_OF_KEYS.filter((right) => mayEverywhere(createAccess({ ...nothing, apiKeys, ...options }).anyone(), right));
  expect(openTo({ publicRead: false })).toEqual([]);
  expect(openTo({ publicRead: true })).toEqual(["read"]);
  expect(openTo({ apiKeys: [] })).toEqual([...RIGHTS_OF_KEYS]);
});

test("a request is attributed to a caller: its kind, id, name and rights", async () => {
  const apiKeys = parseApiKeys(API_KEYS);
  const callerOf = async (name: string | undefined, options: Partial<AccessOptions>) => {
    const request = new Request("http://localhost/", { headers: name === undefined ? {} : bearer(name) });
    const { caller } = await createAccess({ ...nothing, apiKeys, ...options }).authenticate(request);
    return [caller.kind, caller.id, caller.name, rightsOf(caller)];
  };
  expect(await callerOf(undefined, { apiKeys: [] })).toEqual(["local", null, null, [...RIGHTS_OF_KEYS]]);
  expect(await callerOf("reader", { apiKeys: [] })).toEqual(["local", null, null, [...RIGHTS_OF_KEYS]]);
  expect(await callerOf(undefined, {})).toEqual(["anonymous", null, null, []]);
  expect(await callerOf(undefined, { publicRead: true })).toEqual(["anonymous", null, null, ["read"]]);
  expect(await callerOf("reader", {})).toEqual(["key", "reader", "reader", ["read"]]);
  expect(await callerOf("writer", {})).toEqual(["key", "writer", "writer", ["write"]]);
  expect(await callerOf("writer", { publicRead: true })).toEqual(["key", "writer", "writer", ["read", "write"]]);
  expect(await callerOf("boss", {})).toEqual(["key", "boss", "boss", [...RIGHTS_OF_KEYS]]);
  const refusal = await rejectionOf(callerOf("stranger", { publicRead: true }));
  expect(refusal.message).toBe("The API key is not valid.");
});

test.each([
  ["Basic YTpi", "malformed", "Authorization must be sent once, as: Bearer <key>."],
  ["Bearer one, Bearer two", "malformed", "Authorization must be sent once, as: Bearer <key>."],
  [
    "Bearer imgst_cut",
    "malformed",
    "The API key is malformed: it was cut off or mistyped, or is another kind of secret.",
  ],
  ["Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln", "unknown", "This store accepts API keys, and no tokens."],
  ["Bearer stranger", "unknown", "The API key is not valid."],
])("the refusal of Authorization %p says what is wrong", (authorization, reason, message) => {
  const access = createAccess({
    ...nothing,
    apiKeys: [{ name: "app", rights: new Set(["read"]), sha256: "0".repeat(64) }],
  });
  const identify = () => access.authenticate(new Request("http://localhost/", { headers: { authorization } }));
  expect(identify).toThrow(expect.objectContaining({ code: "unauthorized", reason, message }));
});

test("a link permits to read and transform its image until it expires", () => {
  const links = createLinkSigner([{ id: "one", secret: "s".repeat(43) }], () => 0);
  const access = createAccess({ ...nothing, apiKeys: [], links });
  const [path = "", search = ""] = links.sign("/path", "w=1", 60).target.split("?");
  expect(access.authenticateLink(path, search)).toEqual({ query: "w=1", maxAge: 60 });
  expect(access.authenticateLink("/path", "w=1")).toBeUndefined();
  expect(rightsOf(LINKED)).toEqual(["read", "transform"]);
});

test("routes that accept a signed link say so", () => {
  type Documented = { parameters?: { name?: string }[]; responses: Record<string, { description: string }> };
  const { paths } = JSON.parse(describeApi()) as { paths: Record<string, Record<string, Documented>> };
  const linked = Object.entries(paths).filter(([, { get }]) =>
    get?.parameters?.some(({ name }) => name === "signature"),
  );
  expect(linked.map(([path]) => path)).toEqual(["/v1/images/{id}/content/{sha256}"]);
  expect(linked[0]?.[1].get?.responses[403]?.description).toContain("`link_expired`");
});

describe("access with keys and public reading", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore({ API_KEYS, PUBLIC_READ: "true" });
  });
  afterAll(() => store[Symbol.asyncDispose]());

  test("everyone may read; writing and administration require a key", async () => {
    expect((await store.fetch("/v1/albums")).status).toBe(200);
    expect((await store.fetch("/v1/albums", { headers: bearer("writer") })).status).toBe(200);
    expect((await store.send("POST", "/v1/albums", { name: "x" })).status).toBe(401);
    expect((await store.fetch("/v1/cursors")).status).toBe(401);
    expect((await store.fetch("/metrics")).status).toBe(401);
  });

  test("a wrong key is 401, not anonymous", async () => {
    expect((await store.fetch("/v1/albums", { headers: { Authorization: "Bearer wrong" } })).status).toBe(401);
  });
});

describe("access without keys", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore({ PUBLIC_URL: "https://photos.example", CORS_ORIGINS: "https://app.example" });
  });
  afterAll(() => store[Symbol.asyncDispose]());

  test("everything is permitted from this machine, and an API key is ignored", async () => {
    for (const path of ["/v1/albums", "/v1/cursors", "/metrics"]) {
      expect((await store.fetch(path)).status).toBe(200);
      expect((await store.fetch(path, { headers: { Authorization: "Bearer x" } })).status).toBe(200);
    }
  });

  test("the public host is accepted and other hosts are refused", async () => {
    expect((await store.fetch("/v1/albums", { headers: { Host: "photos.example" } })).status).toBe(200);
    const response = await store.fetch("/v1/albums", { headers: { Host: "photos.example.evil.example:80" } });
    expect(response.status).toBe(400);
    expect(await problemOf(response)).toMatchObject({
      code: "invalid_host",
      detail:
        'The store does not serve the host "photos.example.evil.example". It serves localhost, loopback addresses, and ' +
        "the hosts of IMAGE_STORE_PUBLIC_URL and IMAGE_STORE_ALLOWED_HOSTS.",
    });
  });

  test.each<[why: string, headers: Record<string, string>]>([
    ["a foreign page", { Origin: "https://evil.example" }],
    ["a page of another port here", { Origin: "http://localhost:3000" }],
    ["a sandboxed page", { Origin: "null" }],
    ["a page that hides its origin", { "Sec-Fetch-Site": "cross-site" }],
    ["a page whose host begins like ours", { Origin: "https://photos.example.evil.example" }],
  ])("%s may not write", async (_why, headers) => {
    for (const [method, path] of [
      ["POST", "/v1/albums"],
      ["PUT", "/v1/albums/x"],
      ["DELETE", "/v1/albums/x"],
      ["DELETE", "/v1/cursors/x"],
    ] as const) {
      const response = await store.fetch(path, { method, headers });
      expect(response.status).toBe(403);
      expect((await problemOf(response)).code).toBe("forbidden_origin");
    }
    expect((await store.fetch("/v1/albums/x")).status).toBe(404);
  });

  test("pages of this store may call it", async () => {
    for (const headers of [
      { Origin: store.url },
      { Origin: store.url, "Sec-Fetch-Site": "same-origin" },
      { Origin: "https://photos.example" },
      { Origin: "https://app.example", "Sec-Fetch-Site": "cross-site" },
      { "Sec-Fetch-Site": "none" },
    ]) {
      const response = await store.send("POST", "/v1/albums", { name: crypto.randomUUID() }, headers);
      expect(response.status).toBe(201);
    }
  });

  test("a page of another origin gets no CORS headers", async () => {
    const response = await store.fetch("/v1/albums", { headers: { Origin: "https://evil.example" } });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("vary")).toContain("Origin");
    const preflight = await store.fetch("/v1/albums", {
      method: "OPTIONS",
      headers: { Origin: "https://evil.example", "Access-Control-Request-Method": "POST" },
    });
    expect(preflight.headers.get("access-control-allow-methods")).toBeNull();
  });

  test("a page of a configured origin may read answers, errors included", async () => {
    const headers = { Origin: "https://app.example" };
    for (const path of ["/v1/albums", "/v1/albums/missing"]) {
      const response = await store.fetch(path, { headers });
      expect(response.headers.get("access-control-allow-origin")).toBe("https://app.example");
      expect(response.headers.get("access-control-expose-headers")).toContain("ETag");
    }
    const preflight = await store.fetch("/v1/albums/x", {
      method: "OPTIONS",
      headers: { ...headers, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match" },
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-origin")).toBe("https://app.example");
    expect(preflight.headers.get("access-control-allow-methods")).toContain("PATCH");
    expect(preflight.headers.get("access-control-allow-headers")).toContain("If-Match");
    expect(preflight.headers.get("access-control-allow-credentials")).toBeNull();
  });
});

const listOf = (value: string | null) => (value ?? "").toLowerCase().split(", ").toSorted();

describe("CORS", () => {
  const page = { Origin: "https://page.example" };
  const preflightOf = { ...page, "Access-Control-Request-Method": "GET" };

  test("a page may read every documented header and send every one, and those of upload libraries", async () => {
    await using store = await startStore({ CORS_ORIGINS: page.Origin });
    const { components } = JSON.parse(describeApi()) as {
      components: { headers: Record<string, object>; parameters: Record<string, { in: string; name: string }> };
    };
    const { headers } = await store.fetch("/v1/albums", { headers: page });
    const safelisted = "cache-control, content-language, content-length, content-type, expires, last-modified, pragma";
    const readable = listOf(`${headers.get("access-control-expose-headers")}, ${safelisted}`);
    const sent = [...headers.keys()].filter((name) => !name.startsWith("access-control-"));
    // For the browser itself, which a page has no use for.
    const ownBusiness = [
      "vary",
      "x-accel-buffering",
      "x-content-type-options",
      "connection",
      "transfer-encoding",
    ].concat("set-cookie", "clear-site-data", "x-robots-tag");
    const wanted = [...Object.keys(components.headers).map((name) => name.toLowerCase()), ...sent];
    expect(wanted).toContain("retry-after");
    expect(wanted.filter((name) => !readable.includes(name) && !ownBusiness.includes(name))).toEqual([]);

    const preflight = await store.fetch("/v1/albums", { method: "OPTIONS", headers: preflightOf });
    const allowed = listOf(preflight.headers.get("access-control-allow-headers"));
    const ours = Object.values(components.parameters).flatMap(({ in: place, name }) =>
      place === "header" ? [name] : [],
    );
    const theirs = ["Authorization", "Baggage", "Cache-Control", "Traceparent", "Tracestate", "X-Requested-With"];
    expect(ours.length).toBeGreaterThan(5);
    expect([...ours, ...theirs].filter((name) => !allowed.includes(name.toLowerCase()))).toEqual([]);
  });

  test("a page may read a 404 for an unknown path", async () => {
    await using store = await startStore({ CORS_ORIGINS: page.Origin });
    const preflight = await store.fetch("/v1/nowhere", { method: "OPTIONS", headers: preflightOf });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get("access-control-allow-headers")).toContain("Authorization");
    const response = await store.fetch("/v1/nowhere", { headers: page });
    expect([response.status, response.headers.get("access-control-allow-origin")]).toEqual([404, page.Origin]);
    const foreign = { ...preflightOf, Origin: "https://other.example" };
    expect((await store.fetch("/v1/nowhere", { method: "OPTIONS", headers: foreign })).status).toBe(404);
  });

  test("with * any page may read, and write with a key", async () => {
    await using store = await startStore({ API_KEYS, CORS_ORIGINS: "*", PUBLIC_READ: "true" });
    for (const headers of [page, {}]) {
      const response = await store.fetch("/v1/albums", { headers });
      expect(response.headers.get("access-control-allow-origin")).toBe("*");
      expect(response.headers.get("access-control-allow-credentials")).toBeNull();
      expect(response.headers.get("vary")).toBeNull();
    }
    const preflight = await store.fetch("/v1/albums", {
      method: "OPTIONS",
      headers: { ...page, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization" },
    });
    expect(preflight.headers.get("access-control-allow-methods")).toContain("POST");
    // The wildcard would not stand for this one (Fetch, 4.8).
    expect(preflight.headers.get("access-control-allow-headers")).toContain("Authorization");
    const refused = await store.send("POST", "/v1/albums", { name: "x" }, page);
    expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, "*"]);
    expect((await store.send("POST", "/v1/albums", { name: "x" }, { ...page, ...bearer("writer") })).status).toBe(201);
  });

  test("with * on a store without keys any page may read, and no other origin may write", async () => {
    await using store = await startStore({ CORS_ORIGINS: "*" });
    expect((await store.fetch("/v1/albums", { headers: page })).headers.get("access-control-allow-origin")).toBe("*");
    const response = await store.send("POST", "/v1/albums", { name: "x" }, page);
    expect([response.status, (await problemOf(response)).code]).toEqual([403, "forbidden_origin"]);
  });
});

const statusFor = async (store: TestStore, host: string, path = "/v1/albums"): Promise<number> =>
  (await store.fetch(path, { headers: { Host: host } })).status;

describe("the Host header", () => {
  const KEYED = { API_KEYS: `app:read:${"0".repeat(64)}`, PUBLIC_READ: "true" };

  test("may have any value with API keys", async () => {
    await using store = await startStore(KEYED);
    expect([await statusFor(store, "rebound.example"), await statusFor(store, "localhost")]).toEqual([200, 200]);
  });

  test.each([{}, KEYED])("must be listed in IMAGE_STORE_ALLOWED_HOSTS, or be an address (%p)", async (env) => {
    await using store = await startStore({
      ...env,
      ALLOWED_HOSTS: "Images.example, store.lan",
      PUBLIC_URL: "https://public.example:8443",
    });
    for (const name of [
      "images.example",
      "IMAGES.example:8080",
      "store.lan",
      "public.example",
      "localhost:1",
      "127.0.0.2",
      "[::1]",
      "192.168.1.5:8080",
      "[fe80::1]:8080",
    ])
      expect([name, await statusFor(store, name), await statusFor(store, name, "/healthz")]).toEqual([name, 200, 200]);
    for (const name of [
      "rebound.example",
      "images.example.evil.example",
      "1.2.3.4.evil.example",
      "lan",
      "images.example.",
    ])
      expect([name, await statusFor(store, name), await statusFor(store, name, "/healthz")]).toEqual([name, 400, 400]);
    const refused = await store.fetch("/v1/albums", { headers: { Host: "lan" } });
    expect((await problemOf(refused)).detail).toContain("It serves localhost, IP addresses, and the hosts of");
  });
});
