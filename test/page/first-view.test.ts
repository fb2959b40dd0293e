import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hasChromium } from "../services/chromium.ts";
import { seedAlbum } from "./seed.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** What a browser without a cache asks for until it shows the first picture of an album. */

const MAX_REQUESTS = 10;
const MAX_SCRIPT_BYTES = 60 * 1024;

const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld();
  await seedAlbum(world.store, "Alps", 12);
});
afterAll(() => world?.[Symbol.asyncDispose]());

const isPicture = (path: string) => path.includes("/content/");
const isScript = (path: string) => path.endsWith(".js");

/** Paths in the order in which the browser asked, until a picture is shown. */
async function requestsOf(options: { readonly size: (typeof SIZE_NAMES)[number] }): Promise<readonly string[]> {
  const paths: string[] = [];
  await world.visit("/sign-in", options, async ({ context }) => {
    const page = await context.newPage();
    page.on("request", (request) => paths.push(new URL(request.url()).pathname));
    await page.goto(`${world.store.url}/albums/Alps`);
    await page.locator(".tile img").first().waitFor();
  });
  return paths;
}

describe.skipIf(!isRun).each(SIZE_NAMES)("the first view of an album on a %s", (size) => {
  test(`takes at most ${MAX_REQUESTS} requests before that of a picture, and scripts of at most 60 KB as gzip`, async () => {
    const paths = await requestsOf({ size });
    const first = paths.findIndex(isPicture);
    expect(first).toBeGreaterThan(0);
    expect(paths.slice(0, first).length).toBeLessThanOrEqual(MAX_REQUESTS);
    const scripts = paths.slice(0, first).filter(isScript);
    expect(scripts.length).toBeGreaterThan(0);
    let bytes = 0;
    for (const path of scripts) {
      const init = { headers: { "Accept-Encoding": "gzip" }, decompress: false };
      const response = await fetch(world.store.url + path, init);
      expect(response.headers.get("content-encoding")).toBe("gzip");
      bytes += (await response.bytes()).length;
    }
    expect(bytes).toBeLessThanOrEqual(MAX_SCRIPT_BYTES);
  });

  test("asks for the caller once, and does not wait for the scripts to do so", async () => {
    const paths = await requestsOf({ size });
    const asked = paths.flatMap((path, at) => (path === "/v1/me" ? [at] : []));
    expect(asked).toHaveLength(1);
    expect(asked[0]).toBeLessThan(paths.indexOf("/v1/albums/Alps"));
    const html = await (await world.store.fetch("/albums/Alps", { headers: { Accept: "text/html" } })).text();
    expect(html.indexOf("v1/me")).toBeGreaterThan(0);
    expect(html.indexOf("v1/me")).toBeLessThan(html.indexOf("<script"));
  });
});
