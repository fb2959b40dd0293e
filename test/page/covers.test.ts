import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { hasChromium } from "../services/chromium.ts";
import { expectAccessible } from "./axe.ts";
import { seedAlbum } from "./seed.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** The cover of an album: its newest image, or the one that someone chose. */

const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (isRun) world = await startPageWorld();
});
afterAll(() => world?.[Symbol.asyncDispose]());

/** A picture may still be loading when it is deleted or its bytes are replaced. */
const GONE_MEANWHILE = /status of 404.*\/content\//;

const idOf = async (album: string, name: string): Promise<string> => {
  const response = await world.store.fetch(`/v1/albums/${encodeURIComponent(album)}/images/${name}`);
  return ((await response.json()) as { id: string }).id;
};
const metadataOf = async (album: string) =>
  ((await (await world.store.fetch(`/v1/albums/${encodeURIComponent(album)}`)).json()) as { metadata: object })
    .metadata;
const cover = (page: Page, album: string, id: string) =>
  page.locator(".album-card", { hasText: album }).locator(`.cover img[src*="${id}"]`).waitFor();

describe.skipIf(!isRun).each(SIZE_NAMES)("on a %s", (size) => {
  test("a cover is chosen in the details of a picture, shown with the albums, and replaced when it is deleted", async () => {
    const album = `Covers on a ${size}`;
    await seedAlbum(world.store, album, 3, { first: 5 });
    await world.store.send("PATCH", `/v1/albums/${encodeURIComponent(album)}`, { metadata: { season: "winter" } });
    const [first, newest] = [await idOf(album, "photo-001.jpg"), await idOf(album, "photo-003.jpg")];
    await world.visit("/", { size, expected: [GONE_MEANWHILE] }, async ({ page, picture }) => {
      await cover(page, album, newest);
      await page.goto(`${world.store.url}/albums/${encodeURIComponent(album)}/${first}`);
      await page.getByRole("button", { name: "Details" }).click();
      const choose = page.getByRole("button", { name: "Use as cover" });
      await choose.click();
      await page.getByText("The album has a new cover.").waitFor();
      await page.locator('button[aria-pressed="true"]', { hasText: "Use as cover" }).waitFor();
      await expectAccessible(page);
      await picture("cover");
      expect(await metadataOf(album)).toMatchObject({ season: "winter", cover: first });
      await page.goto(world.store.url);
      await cover(page, album, first);
      await world.store.fetch(`/v1/albums/${encodeURIComponent(album)}/images/photo-001.jpg`, { method: "DELETE" });
      await cover(page, album, newest);
    });
    await world.visit("/", { size }, ({ page }) => cover(page, album, newest));
  });
});

describe.skipIf(!isRun)("a cover", () => {
  test("is chosen from the selection, beside what someone else changes at the same time", async () => {
    const album = "Chosen";
    await seedAlbum(world.store, album, 3, { first: 20 });
    const second = await idOf(album, "photo-002.jpg");
    await world.visit(`/albums/${album}`, { expected: [/status of 412/] }, async ({ page, context }) => {
      await page.locator(`[data-image-id="${second}"] a`).focus();
      await page.keyboard.press(" ");
      let isFirst = true;
      await context.route(/\/v1\/albums\/Chosen$/, async (route) => {
        if (route.request().method() === "PATCH" && isFirst) {
          isFirst = false;
          await world.store.send("PATCH", "/v1/albums/Chosen", { title: "Of the other" });
        }
        await route.continue();
      });
      await page.getByRole("button", { name: "Use as cover" }).click();
      await page.getByText("The album has a new cover.").waitFor();
      await page.getByRole("heading", { name: "Of the other" }).waitFor();
    });
    expect(await metadataOf(album)).toMatchObject({ cover: second });
  });

  test("stays when its bytes are replaced, and is another one when another program chooses that", async () => {
    const album = "Replaced";
    await seedAlbum(world.store, album, 3, { first: 50 });
    const [first, second] = [await idOf(album, "photo-001.jpg"), await idOf(album, "photo-002.jpg")];
    await world.visit(`/albums/${album}`, { expected: [GONE_MEANWHILE] }, async ({ page }) => {
      await page.locator(`[data-image-id="${first}"] a`).focus();
      await page.keyboard.press(" ");
      await page.getByRole("button", { name: "Use as cover" }).click();
      await page.getByText("The album has a new cover.").waitFor();
      const bytes = await (await world.store.fetch(`/v1/albums/${album}/images/photo-003.jpg/content`)).bytes();
      await world.store.fetch(`/v1/albums/${album}/images/photo-001.jpg/content`, { method: "PUT", body: bytes });
      await page.goto(world.store.url);
      await cover(page, album, first);
      await world.store.send("PATCH", `/v1/albums/${album}`, { metadata: { cover: second } });
      await cover(page, album, second);
    });
  });

  test("that is moved to another album is not the cover any more", async () => {
    await seedAlbum(world.store, "Left", 2, { first: 30 });
    await seedAlbum(world.store, "Other", 1, { first: 40 });
    const [first, newest] = [await idOf("Left", "photo-001.jpg"), await idOf("Left", "photo-002.jpg")];
    await world.store.send("PATCH", "/v1/albums/Left", { metadata: { cover: first } });
    await world.visit("/", { expected: [/status of 404.*\/v1\/images\//] }, async ({ page }) => {
      await cover(page, "Left", first);
      await world.store.send("POST", "/v1/albums/Left/images/photo-001.jpg/move", {
        album: "Other",
        ifExists: "keep-both",
      });
      await cover(page, "Left", newest);
    });
  });
});
