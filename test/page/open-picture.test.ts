import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { hasChromium } from "../services/chromium.ts";
import { pretendLargeAlbum } from "./large-album.ts";
import { seedAlbum } from "./seed.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld, type VisitOptions } from "./visit.ts";

/** A page that is opened at the address of a picture, by a browser without a cache. */

const isRun = hasChromium();
let world: PageWorld;
let id: string;
beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld();
  await seedAlbum(world.store, "Alps", 4);
  ({ id } = await recordOf("Alps", "photo-002.jpg"));
});
afterAll(() => world?.[Symbol.asyncDispose]());

const recordOf = async (album: string, image: string) =>
  (await (await world.store.fetch(`/v1/albums/${album}/images/${image}`)).json()) as { readonly id: string };
const lightbox = (page: Page) => page.locator("dialog.lightbox");
const loadedTile = (page: Page) => page.locator(".tile img[srcset]").first();
const LATER = "**/assets/later-*.js";

interface Opened {
  readonly page: Page;
  /** Opens a picture of the album Alps. */
  readonly open: (id: string) => Promise<void>;
  /** Paths in the order in which the browser asked. */
  readonly asked: readonly string[];
  /** Keeps responses from the browser until it is called. */
  readonly hold: (pattern: string) => Promise<() => void>;
}

async function onNewPage(options: VisitOptions, work: (opened: Opened) => Promise<void>): Promise<void> {
  await world.visit("/sign-in", options, async ({ context }) => {
    const page = await context.newPage();
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url().slice(world.store.url.length)));
    const releases: (() => void)[] = [];
    const hold = async (pattern: string) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      releases.push(resolve);
      await page.route(pattern, async (route) => {
        await promise;
        await route.fallback();
      });
      return resolve;
    };
    const open = async (image: string) => {
      await page.goto(`${world.store.url}/albums/Alps/${image}`, { waitUntil: "commit" });
    };
    try {
      await work({ page, open, asked, hold });
    } finally {
      for (const release of releases) release();
    }
  });
}

describe.skipIf(!isRun).each(SIZE_NAMES)("a page opened at a picture on a %s", (size) => {
  test("asks for the picture before the album and the code that shows it are there", async () => {
    await onNewPage({ size }, async ({ page, open, hold }) => {
      const releases = [await hold(LATER), await hold("**/v1/albums/**")];
      const picture = page.waitForResponse((response) => response.url().includes(`/v1/images/${id}/content/`));
      await open(id);
      expect((await picture).status()).toBe(200);
      for (const release of releases) release();
      await page.locator(".lit img.first").waitFor();
    });
  });

  test("asks for no other picture, nor for the rest of the album, before the picture is there", async () => {
    await onNewPage({ size }, async ({ page, asked, hold }) => {
      const album = `Large on a ${size}`;
      await pretendLargeAlbum(page.context(), world.store, album, 200);
      const record = await recordOf(encodeURIComponent(album), "photo-001.jpg");
      // Far from the tiles that are drawn.
      const far = "00000000-0000-7000-8000-00000000005a";
      await page.route(`**/v1/images/${far}`, (route) => route.fulfill({ json: { ...record, id: far } }));
      const release = await hold(`**/images/${far}/content/**`);
      const rest = page.waitForRequest(/pageToken/);
      await page.goto(`${world.store.url}/albums/${encodeURIComponent(album)}/${far}`, { waitUntil: "commit" });
      await page.locator(".lit img.first").waitFor();
      release();
      await rest;
      await loadedTile(page).waitFor({ state: "attached" });
      const own = asked.filter((path) => path.includes(`${far}/content/`)).slice(0, 2);
      expect(own).toHaveLength(2);
      expect(asked.filter((path) => path.includes("/content/") || path.includes("pageToken")).slice(0, 2)).toEqual(own);
    });
  });
});

describe.skipIf(!isRun)("a page opened at a picture", () => {
  test("shows the album when the person closes the picture before it is there", async () => {
    await onNewPage({}, async ({ page, open, hold }) => {
      await hold(`**/images/${id}/content/**`);
      await open(id);
      await lightbox(page).waitFor();
      await page.keyboard.press("Escape");
      await lightbox(page).waitFor({ state: "detached" });
      await loadedTile(page).waitFor();
    });
  });

  test("says that the picture does not exist, and shows the album behind it", async () => {
    await onNewPage({ expected: [/status of 404/] }, async ({ page, open }) => {
      await open(id.replace(/.$/, (digit) => (digit === "0" ? "1" : "0")));
      await lightbox(page).getByRole("alert").waitFor();
      await loadedTile(page).waitFor({ state: "attached" });
      await page.keyboard.press("Escape");
      await loadedTile(page).waitFor();
    });
  });

  test("shows the album when the code that shows the picture cannot be loaded", async () => {
    await onNewPage({ expected: [/later-.*\.js/] }, async ({ page, open }) => {
      await page.route(LATER, (route) => route.abort());
      await open(id);
      await loadedTile(page).waitFor();
    });
  });
});
