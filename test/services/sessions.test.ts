import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, BrowserContext, Page } from "playwright-core";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "../http/harness.ts";
import { newPng } from "../http/image-fixtures.ts";
import { testKeys } from "../http/test-keys.ts";
import { until } from "../waiting.ts";
import { hasChromium, startChromium } from "./chromium.ts";

/*
 * Sessions as a browser has them: in a page of the store's own origin, and in pages of others.
 */

const { API_KEYS, bearer } = testKeys({ boss: "read+write+delete+transform+share+events+admin" });
const boss = bearer("boss");

const otherPage = () => new Response("<!doctype html><p>other", { headers: { "Content-Type": "text/html" } });

const isRun = hasChromium();
let browser: Browser;
let store: TestStore;
/** Another port of the same host, which is the same site, and another site. */
let neighbour: ReturnType<typeof Bun.serve>;
let image: Image;

beforeAll(async () => {
  if (!isRun) return;
  neighbour = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: otherPage });
  store = await startStore({ API_KEYS, CORS_ORIGINS: neighbour.url.origin });
  await store.send("PUT", "/v1/albums/a", {}, boss);
  const uploaded = await store.fetch("/v1/albums/a/images/one.png/content", {
    method: "PUT",
    body: newPng(),
    headers: boss,
  });
  image = await jsonOf<Image>(uploaded);
  browser = await startChromium();
});
afterAll(async () => {
  if (!isRun) return;
  await browser.close();
  await neighbour.stop(true);
  await store[Symbol.asyncDispose]();
});

const ofSite = () => new URL(neighbour.url.origin);
const otherSite = () => {
  const url = ofSite();
  url.hostname = "localhost";
  return url;
};

async function openPage(context: BrowserContext, address: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

/** A page of the store that signed in. */
async function signedIn(): Promise<{ context: BrowserContext; page: Page }> {
  const context = await browser.newContext();
  const page = await openPage(context, `${store.url}/docs`);
  expect(await statusOf(page, "/v1/session", { method: "POST", headers: boss })).toBe(201);
  return { context, page };
}

/** The status that the page reads, or `failed` where the browser keeps the answer from it. */
const statusOf = (page: Page, target: string, init: object = {}) =>
  page.evaluate<number | string>(
    `fetch(${JSON.stringify(store.url + target)}, ${JSON.stringify(init)}).then(({ status }) => status, () => "failed")`,
  );

/** Whether an `<img>` shows it. */
const isShown = (page: Page, target: string) =>
  page.evaluate<boolean>(`new Promise((resolve) => {
    const image = new Image();
    image.onload = () => resolve(true);
    image.onerror = () => resolve(false);
    image.src = ${JSON.stringify(store.url + target)};
  })`);

/** Resolves when it is open, or with `refused`. */
const openStream = (page: Page, target: string) =>
  page.evaluate<string>(`new Promise((resolve) => {
    window.seen = [];
    window.source = new EventSource(${JSON.stringify(store.url + target)}, { withCredentials: true });
    source.addEventListener("imagestore.album.created", ({ data }) => seen.push(JSON.parse(data).data.name));
    source.onopen = () => resolve("open");
    source.onerror = () => resolve("refused");
  })`);

describe.skipIf(!isRun)("a session in a browser", () => {
  test("shows pictures, streams events and writes, in a page of the store, until it signs out", async () => {
    const { context, page } = await signedIn();
    expect(await page.evaluate("document.cookie")).toBe("");
    expect(await isShown(page, image.links.content)).toBe(true);
    expect(await statusOf(page, "/v1/albums/a")).toBe(200);
    expect(await openStream(page, "/v1/events/stream?after=latest")).toBe("open");
    const init = { method: "PUT", body: "{}", headers: { "Content-Type": "application/json" } };
    expect(await statusOf(page, "/v1/albums/by-page", init)).toBe(201);
    await until(() => page.evaluate<boolean>("seen.includes('by-page')"));
    const typed = await openPage(context, `${store.url}/v1/albums/a`);
    expect(await typed.textContent("body")).toContain('"name":"a"');

    expect(await statusOf(page, "/v1/session", { method: "DELETE" })).toBe(204);
    await until(() => page.evaluate<boolean>("source.readyState === EventSource.CLOSED"));
    expect(await statusOf(page, "/v1/albums/a")).toBe(404);
    // What the browser kept of it is not shown any more.
    await page.close();
    const later = await openPage(context, `${store.url}/docs`);
    expect(await isShown(later, image.links.content)).toBe(false);
    await context.close();
  });

  test.each([
    ["of another port", ofSite],
    ["of another site", otherSite],
  ])("gives nothing to a page %s", async (_, address) => {
    const { context, page } = await signedIn();
    const foreign = await openPage(context, address().href);
    expect(await isShown(foreign, image.links.content)).toBe(false);
    const include = { credentials: "include" };
    for (const init of [{}, include]) expect([404, "failed"]).toContain(await statusOf(foreign, "/v1/albums/a", init));
    // The browser sends these without asking, and keeps their answers.
    for (const target of ["/v1/albums/a", "/v1/albums", "/v1/session"])
      await statusOf(foreign, target, { method: "POST", mode: "no-cors", body: "{}", ...include });
    const headers = { "Content-Type": "application/json" };
    for (const init of [{ method: "DELETE" }, { method: "PUT", body: "{}", headers }])
      for (const target of ["/v1/albums/a?recursive=true", "/v1/session"])
        expect(await statusOf(foreign, target, { ...init, ...include })).toBe("failed");
    expect(await openStream(foreign, "/v1/events/stream")).toBe("refused");

    // A form that navigates, by GET and by POST, with what a form can send.
    const forms = [
      ["get", "/v1/albums/a", "", 404],
      ["post", "/v1/albums/a/forms", '<input name="title" value="evil">', 401],
      ["post", "/v1/session", "", 415],
    ] as const;
    for (const [method, target, fields, refusal] of forms) {
      const tab = await openPage(context, address().href);
      const answered = tab.waitForResponse(`${store.url}${target}${method === "get" ? "?" : ""}`);
      await tab.evaluate(
        `document.body.innerHTML = ${JSON.stringify(
          `<form method="${method}" action="${store.url}${target}" enctype="multipart/form-data">${fields}</form>`,
        )}; document.forms[0].submit()`,
      );
      expect([target, (await answered).status()]).toEqual([target, refusal]);
    }
    // The page of the store noticed nothing of all this.
    expect(await statusOf(page, "/v1/albums/a")).toBe(200);
    const { items } = await jsonOf<{ items: unknown[] }>(await store.fetch("/v1/albums/a/images", { headers: boss }));
    expect(items).toHaveLength(1);
    await context.close();
  });

  test("does not follow a name that DNS points to the store", async () => {
    const { context } = await signedIn();
    const response = await context.request.get(`${store.url}/v1/albums/a`, {
      headers: { Host: "evil.example", "Sec-Fetch-Site": "same-origin" },
    });
    expect(response.status()).toBe(404);
    await context.close();
  });
});
