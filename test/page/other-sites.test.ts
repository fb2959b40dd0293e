import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { BrowserContext, Page } from "playwright-core";
import { testKeys } from "../http/test-keys.ts";
import { hasChromium } from "../services/chromium.ts";
import { seedAlbum } from "./seed.ts";
import { type PageWorld, signIn, startPageWorld } from "./visit.ts";

/** What pages of other sites can do with a person's session: nothing. */

const { API_KEYS, bearer, secretOf } = testKeys({ boss: "read+write+delete+transform+share+events+admin" });
const isRun = hasChromium();
let world: PageWorld;
let site: ReturnType<typeof Bun.serve>;
let imageUrl: string;

beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld({ API_KEYS });
  site = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => new Response("<!doctype html><p>other", { headers: { "Content-Type": "text/html" } }),
  });
  const album = await seedAlbum(world.store, "private", 1, { headers: bearer("boss") });
  imageUrl = `${world.store.url}${album}/images/photo-001.jpg/content`;
});
afterAll(async () => {
  await site?.stop(true);
  await world?.[Symbol.asyncDispose]();
});

/** A browser with a session of the store, on a page of another site, and on one of another port of the same host. */
async function onOtherSite(
  host: "localhost" | "127.0.0.1",
  work: (page: Page, context: BrowserContext) => Promise<void>,
) {
  const context = await world.browser.newContext();
  try {
    await signIn(context, world.store, secretOf("boss"));
    const page = await context.newPage();
    await page.goto(`http://${host}:${site.port}/`);
    await work(page, context);
  } finally {
    await context.close();
  }
}

const albumNames = async () => {
  const response = await world.store.fetch("/v1/albums", { headers: bearer("boss") });
  return ((await response.json()) as { items: readonly { name: string }[] }).items.map(({ name }) => name);
};

describe.skipIf(!isRun)("with a session, the page of the store", () => {
  test("sees what the key may see, so the session that others have no use of is a good one", async () => {
    await world.visit("/", { signedInWith: secretOf("boss") }, async ({ page }) => {
      expect(await page.evaluate(`fetch("/v1/me").then((r) => r.json()).then((me) => me.caller.kind)`)).toBe("session");
      expect(await page.evaluate(showing(imageUrl))).toBe("shown");
    });
  });
});

const showing = (url: string) => `new Promise((resolve) => Object.assign(new Image(), {
  onload: () => resolve("shown"), onerror: () => resolve("refused"), src: ${JSON.stringify(url)} }))`;

describe.skipIf(!isRun).each(["localhost", "127.0.0.1"] as const)("a page of another origin, on %s,", (host) => {
  test("shows no private image and reads no answer", () =>
    onOtherSite(host, async (page) => {
      expect(await page.evaluate(showing(imageUrl))).toBe("refused");
      const read = `fetch("${world.store.url}/v1/me", { credentials: "include" }).then(() => "read", () => "refused")`;
      expect(await page.evaluate(read)).toBe("refused");
    }));

  test("changes nothing, by fetch or by a form", () =>
    onOtherSite(host, async (page) => {
      const before = await albumNames();
      await page.evaluate(`fetch("${world.store.url}/v1/albums", { method: "POST", mode: "no-cors",
        credentials: "include", headers: { "Content-Type": "text/plain" }, body: '{"name":"planted"}' }).catch(() => undefined)`);
      await page.evaluate(
        `fetch("${world.store.url}/v1/session", { method: "DELETE", credentials: "include" }).catch(() => undefined)`,
      );
      const sent = page.waitForEvent("framenavigated");
      await page.evaluate(`{
        const form = Object.assign(document.createElement("form"), {
          action: "${world.store.url}/v1/albums", method: "post", enctype: "text/plain" });
        form.append(Object.assign(document.createElement("input"), { name: '{"name":"planted","title":"', value: '"}' }));
        document.body.append(form);
        form.submit();
      }`);
      await sent;
      expect(await albumNames()).toEqual(before);
      await page.goto(`${world.store.url}/`);
      expect(await page.evaluate(`fetch("/v1/session").then(({ status }) => status)`)).toBe(200);
    }));

  test("neither frames the page nor holds on to its window", () =>
    onOtherSite(host, async (page, context) => {
      await page.evaluate(`new Promise((resolve) => {
        const frame = Object.assign(document.createElement("iframe"), { src: "${world.store.url}/", onload: resolve });
        document.body.append(frame);
      })`);
      const framed = page.frames().find((frame) => frame !== page.mainFrame());
      expect(await framed?.evaluate("document.querySelector('#app') === null")).toBe(true);
      const opened = context.waitForEvent("page");
      await page.evaluate(`window.other = window.open("${world.store.url}/")`);
      const popup = await opened;
      await popup.waitForLoadState();
      expect(await popup.evaluate("opener")).toBeNull();
      expect(await page.evaluate("window.other.closed")).toBe(true);
    }));
});
