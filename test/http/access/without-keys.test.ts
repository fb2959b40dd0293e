import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { jsonOf, startStore, type TestStore } from "../harness.ts";
import { codeOf } from "../image-fixtures.ts";

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
    expect(await jsonOf<object>(response)).toMatchObject({
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
      expect(await codeOf(response)).toBe("forbidden_origin");
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
