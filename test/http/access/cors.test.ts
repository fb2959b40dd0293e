import { describe, expect, test } from "bun:test";
import { describeApi } from "../../../src/app.ts";
import { startStore } from "../harness.ts";
import { codeOf } from "../image-fixtures.ts";
import { API_KEYS, bearer } from "./access-keys.ts";

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
    expect([response.status, await codeOf(response)]).toEqual([403, "forbidden_origin"]);
  });
});
