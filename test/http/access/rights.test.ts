import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { describeApi } from "../../../src/app.ts";
import { startStore, type TestStore } from "../harness.ts";
import { codeOf } from "../image-fixtures.ts";
import { API_KEYS, bearer, KEYS, secretOf } from "./access-keys.ts";

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

const operations = Object.entries(
  (JSON.parse(describeApi()) as { paths: Record<string, Record<string, unknown>> }).paths,
).flatMap(([path, item]) => Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`));

/** Nothing of this is there, so that a caller who is let in gets 4xx or an empty list, and nothing is changed. */
function targetOf(operation: string): { method: string; path: string } {
  const [method = "", path = ""] = operation.split(" ");
  return { method, path: path.replaceAll(/\{\w+\}/g, "missing") };
}

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
    expect(await codeOf(without)).toBe("unauthorized");
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
