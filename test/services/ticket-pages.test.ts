import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Browser, Page } from "playwright-core";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "../http/harness.ts";
import { newPng, sha256 } from "../http/image-fixtures.ts";
import { testKeys } from "../http/test-keys.ts";
import { hasChromium, startChromium } from "./chromium.ts";

/** Pages of another origin upload with a ticket to a store that knows no origin (CORS_ORIGINS) but has keys. */

const { API_KEYS, bearer } = testKeys({ boss: "read+write+share" });
const ALBUM = "/v1/albums/pages";
const HEAD = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">';
const FORM = `${HEAD}<form method="post" enctype="multipart/form-data">
  <input name="title" value="theirs"><input type="file" name="photo"><button>Send</button></form>
  <script>document.querySelector("form").action = location.hash.slice(1)</script>`;

const isRun = hasChromium();
let browser: Browser;
let store: TestStore;
let site: ReturnType<typeof Bun.serve>;

beforeAll(async () => {
  if (!isRun) return;
  site = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) =>
      new Response(new URL(url).pathname === "/form" ? FORM : HEAD, { headers: { "Content-Type": "text/html" } }),
  });
  store = await startStore({ API_KEYS });
  await store.send("PUT", ALBUM, {}, bearer("boss"));
  browser = await startChromium();
});
afterAll(async () => {
  if (!isRun) return;
  await browser.close();
  await site.stop(true);
  await store[Symbol.asyncDispose]();
});

async function newTicket(wish: object = {}): Promise<string> {
  const response = await store.send("POST", `${ALBUM}/tickets`, wish, bearer("boss"));
  return store.url + (await jsonOf<{ url: string }>(response)).url;
}

async function openPage(path: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(new URL(path, site.url).href);
  return page;
}

const imagesIn = async () =>
  (await jsonOf<{ items: readonly Image[] }>(await store.fetch(`${ALBUM}/images`, { headers: bearer("boss") }))).items;

describe.skipIf(!isRun)("a page of another origin with a ticket", () => {
  test("uploads with fetch, after a preflight, and reads responses and errors", async () => {
    const url = await newTicket({ name: "fetched.png", maxBytes: 10_000 });
    const page = await openPage("/");
    const png = newPng();
    const send = (bytes: Buffer, type: string, target = url) =>
      page.evaluate<{ status: number; text: string }>(`(async () => {
        const body = Uint8Array.from(atob("${bytes.toString("base64")}"), (one) => one.charCodeAt(0));
        const response = await fetch("${target}", { method: "PUT", body, headers: { "Content-Type": "${type}", "X-Requested-With": "page" } });
        return { status: response.status, text: await response.text() };
      })()`);
    const big = await send(newPng(20_000), "image/png");
    expect([big.status, big.text]).toEqual([413, expect.stringContaining("too_large")]);
    const other = await send(png, "image/webp");
    expect([other.status, other.text]).toEqual([415, expect.stringContaining("unsupported_image")]);
    const forged = await send(png, "image/png", `${url.slice(0, -1)}x`);
    expect([forged.status, forged.text]).toEqual([404, expect.stringContaining("ticket_not_found")]);
    const first = await send(png, "image/png");
    expect(first).toMatchObject({ status: 201, text: expect.stringContaining(sha256(png)) });
    expect(await send(png, "image/png")).toEqual({ status: 200, text: first.text });
    const late = await send(newPng(), "image/png");
    expect([late.status, late.text]).toEqual([410, expect.stringContaining("ticket_used")]);
    // The same page may do nothing else, and may not even read that it may not.
    const elsewhere = await page.evaluate(`fetch("${store.url}${ALBUM}").then(() => "read", (error) => error.message)`);
    expect(elsewhere).toBe("Failed to fetch");
    await page.context().close();
  });

  test("uploads with a plain form, and names nothing but the file", async () => {
    const url = await newTicket();
    const page = await openPage(`/form#${url}`);
    const png = newPng();
    await page
      .locator("input[type=file]")
      .setInputFiles({ name: "of the form.png", mimeType: "image/png", buffer: png });
    const answered = page.waitForResponse(url);
    await page.locator("button").click();
    expect((await answered).status()).toBe(201);
    const image = (await imagesIn()).find(({ name }) => name === "of the form.png");
    expect(image).toMatchObject({ sha256: sha256(png), title: null });
    await page.context().close();
  });
});
