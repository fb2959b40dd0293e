import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { jsonOf, startStore, type TestStore } from "../harness.ts";
import { codeOf } from "../image-fixtures.ts";
import { request, statusOf } from "../raw-request.ts";

let store: TestStore;
beforeAll(async () => {
  store = await startStore({ MAX_JSON: "256KiB" });
});
afterAll(() => store[Symbol.asyncDispose]());
const UUID = /^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;

describe("request ids", () => {
  test.each(["abc-123", "a".repeat(128), "01J:x/y+z=~_.", "0af7651916cd43dd8448eb211c80319c"])(
    "%p is accepted",
    async (id) => {
      const response = await store.fetch("/v1/albums/missing", { headers: { "X-Request-Id": id } });
      expect(response.headers.get("x-request-id")).toBe(id);
      expect((await jsonOf<{ requestId: string }>(response)).requestId).toBe(id);
    },
  );

  test.each(["a b", "a".repeat(129), "<script>", "é", "a,b"])("%p is replaced", async (id) => {
    const response = await store.fetch("/healthz", { headers: { "X-Request-Id": id } });
    expect(response.headers.get("x-request-id")).toMatch(UUID);
  });
});

describe("paths", () => {
  test.each([
    ["/v1", "not_found"],
    ["/V1/albums", "not_found"],
    ["/v1/albums/", "invalid_name"],
    ["/v1/albums//", "not_found"],
    ["/v1/albums/a/", "not_found"],
    ["/v1/albums/a%2Fb", "invalid_name"],
    ["/v1/albums/%zz", "invalid_name"],
    ["/v1/albums/%", "invalid_name"],
    ["/v1/albums/%ff", "invalid_name"],
    ["/v1/albums/%ed%a0%80", "invalid_name"],
    ["/v1/albums/%C0%AF", "invalid_name"],
    ["/v1/albums/%00", "invalid_name"],
    ["/v1/albums/%E2%80%AE", "invalid_name"],
    [`/v1/albums/${"%C3%A9".repeat(128)}`, "invalid_name"],
    ["/v1/albums/a%2525b", "album_not_found"],
    ["/v1/albums/a/../../../etc/passwd", "not_found"],
    ["/v1/albums/%2e%2e", "not_found"],
    ["/v1/albums/a\\..\\b", "album_not_found"],
    ["/healthz/", "not_found"],
    ["/docs//", "not_found"],
    ["//", "not_found"],
    ["/docs/..%2fpackage.json", "not_found"],
    ["/docs/__proto__", "not_found"],
    ["/v1/albums/x;y=1,z&", "album_not_found"],
  ])("%s: %s", async (path, code) => {
    const { text } = await store.sendRaw(request(`GET ${path}`, "Connection: close"));
    expect(statusOf(text)).toBe(code === "invalid_name" ? 400 : 404);
    expect(text).toContain(`"code":"${code}"`);
  });

  test("are decoded once: an escaped percent sign stays", async () => {
    const name = "100%25 %41";
    expect((await store.send("POST", "/v1/albums", { name })).status).toBe(201);
    const response = await store.fetch(`/v1/albums/${encodeURIComponent(name)}`);
    expect((await jsonOf<{ name: string }>(response)).name).toBe(name);
    expect((await store.fetch("/v1/albums/100%25%20A")).status).toBe(404);
  });

  test("are compared in NFC", async () => {
    await store.send("POST", "/v1/albums", { name: "Ångström" });
    expect((await store.fetch(`/v1/albums/${encodeURIComponent("Ångström".normalize("NFD"))}`)).status).toBe(200);
  });
});

describe("methods", () => {
  test("405 lists the allowed methods", async () => {
    for (const [method, path, allow] of [
      ["DELETE", "/v1/albums", "GET, HEAD, OPTIONS, POST"],
      ["POST", "/v1/albums/a", "DELETE, GET, HEAD, OPTIONS, PATCH, PUT"],
      ["PUT", "/healthz", "GET, HEAD, OPTIONS"],
    ] as const) {
      const response = await store.fetch(path, { method });
      expect(response.status).toBe(405);
      expect(response.headers.get("allow")).toBe(allow);
      expect(await codeOf(response)).toBe("method_not_allowed");
    }
    expect(statusOf((await store.sendRaw(request("TRACE /v1/albums", "Connection: close"))).text)).toBe(405);
  });

  test("OPTIONS lists the allowed methods, and has no CORS headers without CORS", async () => {
    const headers = { Origin: store.url, "Access-Control-Request-Method": "DELETE" };
    const response = await store.fetch("/v1/albums/a", { method: "OPTIONS", headers });
    expect(response.status).toBe(204);
    expect(response.headers.get("allow")).toBe("DELETE, GET, HEAD, OPTIONS, PATCH, PUT");
    expect([...response.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
    expect((await store.fetch("/nowhere", { method: "OPTIONS" })).status).toBe(404);
  });

  test("HEAD of every route without parameters has the Content-Length of GET and no body", async () => {
    const paths = ["/v1/albums", "/v1/images", "/v1/events", "/v1/cursors", "/healthz", "/readyz"];
    for (const path of [...paths, "/openapi.json", "/docs", "/docs/swagger-ui-bundle.js"]) {
      const get = await store.fetch(path);
      const length = (await get.arrayBuffer()).byteLength;
      const { text } = await store.sendRaw(request(`HEAD ${path}`, "Connection: close"));
      expect(statusOf(text)).toBe(get.status);
      expect(text.toLowerCase()).toContain(`\r\ncontent-length: ${length}\r\n`);
      expect(text.endsWith("\r\n\r\n")).toBeTrue();
    }
  });

  test("HEAD of a generated answer has a Content-Length", async () => {
    const { text } = await store.sendRaw(request("HEAD /metrics", "Connection: close"));
    expect(/content-length: ([1-9]\d+)/i.test(text)).toBeTrue();
    expect(text.endsWith("\r\n\r\n")).toBeTrue();
  });

  test("HEAD of an error has its Content-Length, its Date and no body", async () => {
    for (const [path, status] of [
      ["/v1/albums/missing", 404],
      ["/nowhere", 404],
      ["/v1/albums?x=1", 400],
      ["/v1/albums/a/images/b/links", 405],
    ] as const) {
      const { text } = await store.sendRaw(request(`HEAD ${path}`, "Connection: close"));
      expect([path, statusOf(text)]).toEqual([path, status]);
      expect(text).toMatch(/content-length: [1-9]\d+/i);
      expect(text).toMatch(/\r\ndate: [^\r]+ GMT\r\n/i);
      expect(text.endsWith("\r\n\r\n")).toBeTrue();
    }
  });
});

describe("queries", () => {
  test("a bare question mark is an empty query", async () => {
    expect(statusOf((await store.sendRaw(request("GET /v1/albums?", "Connection: close"))).text)).toBe(200);
    expect(statusOf((await store.sendRaw(request("GET /healthz?&", "Connection: close"))).text)).toBe(200);
  });
});

describe("a request that the HTTP parser refuses", () => {
  test.each([
    [
      "a length and chunks",
      request("POST /v1/albums", "Content-Length: 3", "Transfer-Encoding: chunked") + "0\r\n\r\n",
    ],
    ["two lengths", `${request("POST /v1/albums", "Content-Length: 3", "Content-Length: 4")}abc`],
    ["large headers", request("GET /healthz", `X: ${"a".repeat(20_000)}`)],
    ["no HTTP", "hello\r\n\r\n"],
  ])("%s", async (_why, data) => {
    const { text, closed } = await store.sendRaw(data);
    expect(closed).toBeTrue();
    expect([0, 400, 431]).toContain(statusOf(text));
  });
});
