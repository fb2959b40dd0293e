import { afterAll, beforeAll, expect, test } from "bun:test";
import { runInNewContext } from "node:vm";
import { describeApi } from "../../src/app.ts";
import { startStore, type TestStore } from "./harness.ts";

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());

test("the documentation page loads only from this store and runs no inline script", async () => {
  const response = await store.fetch("/docs");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  const policy = response.headers.get("content-security-policy") ?? "";
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain("unsafe");
  expect(policy).not.toContain("http");
  const html = await response.text();
  const scripts = [...html.matchAll(/<script([^>]*)>(.*?)<\/script>/gs)];
  expect(scripts.length).toBe(2);
  for (const [, attributes, inline] of scripts) {
    expect(attributes).toContain("src=");
    expect(inline).toBe("");
  }
  expect(html).not.toMatch(/\son\w+=|style=|<style|https?:/);
  const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");
  expect(links.length).toBe(4);
  for (const link of links) {
    const file = await store.fetch(new URL(link, `${store.url}/docs`).pathname);
    expect(file.status).toBe(200);
    expect(file.headers.get("x-content-type-options")).toBe("nosniff");
    const type = { js: "text/javascript", ss: "text/css", ng: "image/png" }[link.slice(-2)];
    expect(file.headers.get("content-type")).toStartWith(type ?? "none");
    expect((await file.arrayBuffer()).byteLength).toBeGreaterThan(50);
  }
});

test("the documentation page shows this store's description and calls no external validator", async () => {
  const script = await (await store.fetch("/docs/start.js")).text();
  const options: Record<string, unknown>[] = [];
  runInNewContext(script, { SwaggerUIBundle: (given: Record<string, unknown>) => options.push(given) });
  expect(options).toMatchObject([{ url: "openapi.json", validatorUrl: "none" }]);
});

test("GET /openapi.json is generated from the routes", async () => {
  const response = await store.fetch("/openapi.json");
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(await response.text()).toBe(describeApi());
});

test("the documentation and openapi.json are revalidated by their ETags", async () => {
  for (const path of ["/docs", "/docs/swagger-ui.css", "/openapi.json"]) {
    const etag = (await store.fetch(path)).headers.get("etag") ?? "";
    const again = await store.fetch(path, { headers: { "If-None-Match": etag } });
    expect(again.status).toBe(304);
    expect(again.headers.get("etag")).toBe(etag);
    expect((await store.fetch(path, { headers: { "If-Match": '"other"' } })).status).toBe(412);
  }
});

test("no other file of swagger-ui-dist is served", async () => {
  for (const file of ["package.json", "index.html", "swagger-ui.js", "swagger-initializer.js", "constructor"]) {
    expect((await store.fetch(`/docs/${file}`)).status).toBe(404);
  }
});

test("/ of a store without a page redirects a browser to the documentation, and gives programs its address", async () => {
  await using bare = await startStore({ PAGE: "false" });
  const browser = { Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8" };
  const sent = await bare.fetch("/", { headers: browser });
  expect([sent.status, sent.headers.get("location"), sent.headers.get("vary")]).toEqual([302, "docs", "Accept"]);
  for (const headers of [{}, { Accept: "*/*" }, { Accept: "application/json" }] as Record<string, string>[]) {
    const response = await bare.fetch("/", { headers });
    const about = (await response.json()) as { docs: string; openapi: string };
    expect(response.headers.get("link")).toContain(`<${about.openapi}>; rel="service-desc"`);
    for (const path of [about.docs, about.openapi]) expect((await bare.fetch(path)).status).toBe(200);
  }
  expect((await bare.fetch("/", { headers: { Accept: "image/png" } })).status).toBe(406);
});

test("/docs/ is /docs, also behind a proxy with a path prefix", async () => {
  const { status, headers } = await store.fetch("/docs/");
  expect(status).toBe(308);
  const location = headers.get("location") ?? "";
  expect(new URL(location, "http://localhost/docs/").pathname).toBe("/docs");
  expect(new URL(location, "http://localhost/pictures/docs/").pathname).toBe("/pictures/docs");
  expect(await (await fetch(`${store.url}/docs/`)).text()).toContain("swagger-ui");
});
