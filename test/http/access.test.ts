import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { describeApi } from "../../src/app.ts";
import { parseApiKeys } from "../../src/config/api-keys.ts";
import { RIGHTS as RIGHTS_OF_KEYS, type Right } from "../../src/domain/access.ts";
import { type AccessOptions, createAccess } from "../../src/http/access.ts";
import { createLinkSigner } from "../../src/operations/link-signer.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";

/** The rights of the API, by its table; a route that is not here has none that was agreed. */
const RIGHTS: Readonly<Record<string, "read" | "write" | "admin" | "open">> = {
  "POST /v1/albums": "write",
  "PUT /v1/albums/{album}": "write",
  "GET /v1/albums": "read",
  "GET /v1/albums/{album}": "read",
  "PATCH /v1/albums/{album}": "write",
  "DELETE /v1/albums/{album}": "write",
  "POST /v1/albums/{album}/images": "write",
  "GET /v1/albums/{album}/images": "read",
  "GET /v1/albums/{album}/images/{image}": "read",
  "PATCH /v1/albums/{album}/images/{image}": "write",
  "DELETE /v1/albums/{album}/images/{image}": "write",
  "PUT /v1/albums/{album}/images/{image}/content": "write",
  "GET /v1/albums/{album}/images/{image}/content": "read",
  "POST /v1/albums/{album}/images/{image}/links": "read",
  "GET /v1/images": "read",
  "GET /v1/images/{id}": "read",
  "GET /v1/images/{id}/content/{sha256}": "read",
  "GET /v1/events": "read",
  "GET /v1/events/stream": "read",
  "GET /v1/cursors": "admin",
  "DELETE /v1/cursors/{name}": "admin",
  "GET /healthz": "open",
  "GET /readyz": "open",
  "GET /openapi.json": "open",
  "GET /docs": "open",
  "GET /docs/{file}": "open",
  "GET /metrics": "admin",
};

const KEYS = { reader: "read", writer: "write", boss: "read+write+transform+admin" } as const;
const secretOf = (name: string): string => `${name}-${"k".repeat(40)}`;
const API_KEYS = Object.entries(KEYS)
  .map(([name, rights]) => `${name}:${rights}:${createHash("sha256").update(secretOf(name)).digest("hex")}`)
  .join(",");
const bearer = (name: string) => ({ Authorization: `Bearer ${secretOf(name)}` });

const operations = Object.entries(
  (JSON.parse(describeApi()) as { paths: Record<string, Record<string, unknown>> }).paths,
).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));

/** Nothing of this is there, so that whoever is let in gets 4xx or an empty list, and nothing is changed. */
function targetOf(operation: string): { method: string; path: string } {
  const [method = "", path = ""] = operation.split(" ");
  return { method, path: path.replaceAll(/\{\w+\}/g, "missing") };
}

const problemOf = async (response: Response) => jsonOf<{ code: string }>(response);
const isRefused = (response: Response): boolean => response.status === 401 || response.status === 403;

describe("with keys", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore({ API_KEYS });
  });
  afterAll(() => store[Symbol.asyncDispose]());

  test("every route has the right that the table says, in openapi.json too", () => {
    expect(operations.filter((operation) => !Object.hasOwn(RIGHTS, operation))).toEqual([]);
    type Operation = { security: { apiKey?: string[] }[]; description?: string };
    const { paths } = JSON.parse(describeApi()) as { paths: Record<string, Record<string, Operation>> };
    for (const operation of operations) {
      const [method = "", path = ""] = operation.split(" ");
      const { security, description } = paths[path]?.[method.toLowerCase()] ?? { security: [] };
      const right = RIGHTS[operation] ?? "";
      expect([operation, security]).toEqual([operation, right === "open" ? [] : [{ apiKey: [right] }, {}]]);
      if (right !== "open") expect(description).toEndWith(`An API key needs the right \`${right}\`.`);
    }
  });

  test.each(operations)("%s asks for its right", async (operation) => {
    const right = RIGHTS[operation] ?? "";
    const { method, path } = targetOf(operation);
    const send = async (headers: Record<string, string>) => {
      const leaving = new AbortController();
      const response = await store.fetch(path, { method, headers, signal: leaving.signal });
      // A stream of events has no end of its own.
      if (response.headers.get("content-type") === "text/event-stream") leaving.abort();
      return response;
    };
    const without = await send({});
    if (right === "open") {
      expect(isRefused(without)).toBeFalse();
      return;
    }
    expect(without.status).toBe(401);
    expect(without.headers.get("www-authenticate")).toStartWith("Bearer");
    expect((await problemOf(without)).code).toBe("unauthorized");
    for (const [name, rights] of Object.entries(KEYS)) {
      const response = await send(bearer(name));
      if (rights.split("+").includes(right)) {
        expect([name, isRefused(response)]).toEqual([name, false]);
      } else {
        expect([name, response.status]).toEqual([name, 403]);
        expect((await problemOf(response)).code).toBe("forbidden");
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
  ])("%s: 401", async (_why, authorization) => {
    const response = await store.fetch("/v1/albums", { headers: { Authorization: authorization } });
    expect(response.status).toBe(401);
  });

  test("the scheme may be written in any case", async () => {
    const response = await store.fetch("/v1/albums", { headers: { Authorization: `bearer ${secretOf("reader")}` } });
    expect(response.status).toBe(200);
  });

  test("a Host is not looked at beyond its form, nor is an Origin: nothing is sent by itself", async () => {
    const headers = { ...bearer("writer"), Host: "store.example", Origin: "https://page.example" };
    expect((await store.send("POST", "/v1/albums", { name: "from a page" }, headers)).status).toBe(201);
  });

  test("an Idempotency-Key belongs to its principal", async () => {
    const key = { "Idempotency-Key": "shared" };
    const first = await store.send("POST", "/v1/albums", { name: "one" }, { ...key, ...bearer("writer") });
    expect(first.status).toBe(201);
    const other = await store.send("POST", "/v1/albums", { name: "two" }, { ...key, ...bearer("boss") });
    expect(other.status).toBe(201);
    expect(other.headers.get("idempotent-replayed")).toBeNull();
  });
});

test("whether a credential was needed, which decides who may keep the answer", () => {
  const apiKeys = parseApiKeys(API_KEYS);
  const request = new Request("http://localhost/", { headers: bearer("boss") });
  const neededBy = (right: "read" | "write", options: { apiKeys: typeof apiKeys; publicRead: boolean }) =>
    createAccess({ ...options, publicUrl: undefined, corsOrigins: [], links: createLinkSigner([]) }).authorize(
      request,
      right,
    ).neededCredential;
  expect(neededBy("read", { apiKeys, publicRead: false })).toBeTrue();
  expect(neededBy("read", { apiKeys, publicRead: true })).toBeFalse();
  expect(neededBy("write", { apiKeys, publicRead: true })).toBeTrue();
  expect(neededBy("read", { apiKeys: [], publicRead: false })).toBeFalse();
});

test("what may be done beyond the right of a route", () => {
  const apiKeys = parseApiKeys(API_KEYS);
  const mayBy = (right: Right | "open", name: string | undefined, options: Partial<AccessOptions>) => {
    const nothing = { publicRead: false, publicUrl: undefined, corsOrigins: [], links: createLinkSigner([]) };
    const request = new Request("http://localhost/", { headers: name === undefined ? {} : bearer(name) });
    const grant = createAccess({ ...nothing, apiKeys, ...options }).authorize(request, right);
    expect(grant.link).toBeUndefined();
    return RIGHTS_OF_KEYS.filter((other) => grant.may(other));
  };
  expect(mayBy("read", undefined, { apiKeys: [] })).toEqual([...RIGHTS_OF_KEYS]);
  expect(mayBy("open", undefined, { apiKeys: [] })).toEqual([...RIGHTS_OF_KEYS]);
  expect(mayBy("open", undefined, {})).toEqual([]);
  expect(mayBy("read", "reader", {})).toEqual(["read"]);
  expect(mayBy("write", "writer", {})).toEqual(["write"]);
  expect(mayBy("read", "boss", {})).toEqual([...RIGHTS_OF_KEYS]);
  expect(mayBy("read", undefined, { publicRead: true })).toEqual(["read"]);
  expect(mayBy("read", "writer", { publicRead: true })).toEqual(["read", "write"]);
});

test("by link: the picture that was signed, for as long as it was", () => {
  const links = createLinkSigner([{ id: "one", secret: "s".repeat(43) }], () => 0);
  const access = createAccess({ apiKeys: [], publicRead: false, publicUrl: undefined, corsOrigins: [], links });
  const [path = "", search = ""] = links.sign("/path", "w=1", 60).target.split("?");
  const grant = access.authorizeLink(path, search);
  expect(grant).toMatchObject({ principal: undefined, neededCredential: false });
  expect(grant?.link).toEqual({ query: "w=1", maxAge: 60 });
  expect(RIGHTS_OF_KEYS.filter((right) => grant?.may(right))).toEqual(["read", "transform"]);
  expect(access.authorizeLink("/path", "w=1")).toBeUndefined();
});

test("the routes that take a signed link say so", () => {
  type Documented = { parameters?: { name?: string }[]; responses: Record<string, { description: string }> };
  const { paths } = JSON.parse(describeApi()) as { paths: Record<string, Record<string, Documented>> };
  const linked = Object.entries(paths).filter(([, { get }]) =>
    get?.parameters?.some(({ name }) => name === "signature"),
  );
  expect(linked.map(([path]) => path)).toEqual(["/v1/images/{id}/content/{sha256}"]);
  expect(linked[0]?.[1].get?.responses[403]?.description).toContain("`link_expired`");
});

describe("with keys and public reading", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore({ API_KEYS, PUBLIC_READ: "true" });
  });
  afterAll(() => store[Symbol.asyncDispose]());

  test("anyone reads, nobody else writes or administers", async () => {
    expect((await store.fetch("/v1/albums")).status).toBe(200);
    expect((await store.fetch("/v1/albums", { headers: bearer("writer") })).status).toBe(200);
    expect((await store.send("POST", "/v1/albums", { name: "x" })).status).toBe(401);
    expect((await store.fetch("/v1/cursors")).status).toBe(401);
    expect((await store.fetch("/metrics")).status).toBe(401);
  });

  test("a key that is wrong is told so, not taken for none", async () => {
    expect((await store.fetch("/v1/albums", { headers: { Authorization: "Bearer wrong" } })).status).toBe(401);
  });
});

describe("without keys", () => {
  let store: TestStore;
  beforeAll(async () => {
    store = await startStore({ PUBLIC_URL: "https://photos.example", CORS_ORIGINS: "https://app.example" });
  });
  afterAll(() => store[Symbol.asyncDispose]());

  test("all is open to this machine, and a key is not asked for", async () => {
    for (const path of ["/v1/albums", "/v1/cursors", "/metrics"]) {
      expect((await store.fetch(path)).status).toBe(200);
      expect((await store.fetch(path, { headers: { Authorization: "Bearer x" } })).status).toBe(200);
    }
  });

  test("the public host is answered, another is not", async () => {
    expect((await store.fetch("/v1/albums", { headers: { Host: "photos.example" } })).status).toBe(200);
    const response = await store.fetch("/v1/albums", { headers: { Host: "photos.example.evil.example" } });
    expect(response.status).toBe(400);
    expect((await problemOf(response)).code).toBe("invalid_host");
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

  test("our own pages may", async () => {
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

  test("a foreign page can't read: it gets no CORS header", async () => {
    const response = await store.fetch("/v1/albums", { headers: { Origin: "https://evil.example" } });
    expect(response.headers.get("access-control-allow-origin")).toBeNull();
    expect(response.headers.get("vary")).toContain("Origin");
    const preflight = await store.fetch("/v1/albums", {
      method: "OPTIONS",
      headers: { Origin: "https://evil.example", "Access-Control-Request-Method": "POST" },
    });
    expect(preflight.headers.get("access-control-allow-methods")).toBeNull();
  });

  test("a configured origin can, errors included", async () => {
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
