import { afterAll, beforeAll, expect, test } from "bun:test";
import { runInNewContext } from "node:vm";
import { describeApi } from "../../src/app.ts";
import { startStore, type TestStore } from "./harness.ts";

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());

test("the page loads only from here and runs nothing inline", async () => {
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

test("it shows our description and asks no validator elsewhere", async () => {
  const script = await (await store.fetch("/docs/start.js")).text();
  const options: Record<string, unknown>[] = [];
  runInNewContext(script, { SwaggerUIBundle: (given: Record<string, unknown>) => options.push(given) });
  expect(options).toMatchObject([{ url: "openapi.json", validatorUrl: "none" }]);
});

test("openapi.json is what the routes say", async () => {
  const response = await store.fetch("/openapi.json");
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(await response.text()).toBe(describeApi());
});

test("what the client has already is not sent again", async () => {
  for (const path of ["/docs", "/docs/swagger-ui.css", "/openapi.json"]) {
    const etag = (await store.fetch(path)).headers.get("etag") ?? "";
    const again = await store.fetch(path, { headers: { "If-None-Match": etag } });
    expect(again.status).toBe(304);
    expect(again.headers.get("etag")).toBe(etag);
    expect((await store.fetch(path, { headers: { "If-Match": '"other"' } })).status).toBe(412);
  }
});

test("nothing else of the package is served", async () => {
  for (const file of ["package.json", "index.html", "swagger-ui.js", "swagger-initializer.js", "constructor"]) {
    expect((await store.fetch(`/docs/${file}`)).status).toBe(404);
  }
});
