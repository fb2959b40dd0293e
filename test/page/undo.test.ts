import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { hasChromium } from "../services/chromium.ts";
import { until } from "../waiting.ts";
import { expectAccessible } from "./axe.ts";
import { seedAlbum } from "./seed.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** Deleting pictures, and taking that back. */

const COUNT = 4;
const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (isRun) world = await startPageWorld();
});
afterAll(() => world?.[Symbol.asyncDispose]());

let albums = 0;
async function newAlbum(): Promise<string> {
  albums += 1;
  const name = `Album ${albums}`;
  await seedAlbum(world.store, name, COUNT, { first: albums * 10 });
  return name;
}
const countOf = async (album: string): Promise<number> => {
  const response = await world.store.fetch(`/v1/albums/${encodeURIComponent(album)}`);
  return ((await response.json()) as { imageCount: number }).imageCount;
};
const isLeft = (album: string, count: number) => until(async () => (await countOf(album)) === count, 50);
const shown = (page: Page, count: number) => until(async () => (await page.locator(".tile").count()) === count, 50);

/** While it is pointed at, the offer stays, however busy the machine is. */
const hold = (page: Page) => page.getByRole("button", { name: "Undo" }).hover();

async function deleteTwo(page: Page): Promise<void> {
  await page
    .locator(".tile")
    .nth(COUNT - 1)
    .waitFor();
  await page.locator('[data-index="0"] a').focus();
  await page.keyboard.press(" ");
  await page.keyboard.press("Shift+ArrowRight");
  await page.getByText("2 chosen").waitFor();
  await page.getByRole("toolbar").getByRole("button", { name: "Delete" }).click();
  await page.getByText("Deleted 2 pictures.").waitFor();
}

describe.skipIf(!isRun).each(SIZE_NAMES)("on a %s", (size) => {
  test("deleted pictures are gone at once, and back when the person undoes it", async () => {
    const album = await newAlbum();
    await world.visit(`/albums/${album}`, { size }, async ({ page, picture }) => {
      await deleteTwo(page);
      await hold(page);
      await shown(page, COUNT - 2);
      await page.getByText(/^2 pictures ·/).waitFor();
      await expectAccessible(page);
      await picture("undo");
      expect(await countOf(album)).toBe(COUNT);
      await page.getByRole("button", { name: "Undo" }).click();
      await page.getByText("2 pictures are back.").waitFor();
      await shown(page, COUNT);
      await page.goto(`${world.store.url}/albums`);
      await page.locator(".album-card", { hasText: album }).getByText(`${COUNT} pictures`).waitFor();
      expect(await countOf(album)).toBe(COUNT);
    });
  });

  test("a picture that is deleted in the lightbox can be brought back there", async () => {
    const album = await newAlbum();
    await world.visit(`/albums/${album}`, { size }, async ({ page, picture }) => {
      await page.locator('[data-index="1"] .picture').click();
      const dialog = page.locator("dialog.lightbox");
      await dialog.getByRole("button", { name: "Delete" }).click();
      await dialog.getByText("Deleted 1 picture.").waitFor();
      await hold(page);
      await until(() =>
        page.evaluate<boolean>(`[...document.querySelectorAll(".lit img")].some((image) => image.naturalWidth > 0)`),
      );
      await picture("undo-lightbox");
      await expectAccessible(page);
      await dialog.getByRole("button", { name: "Undo" }).click();
      await dialog.getByText("1 picture is back.").waitFor();
      await page.keyboard.press("Escape");
      await shown(page, COUNT);
      expect(await countOf(album)).toBe(COUNT);
    });
  });
});

describe.skipIf(!isRun)("pictures that were deleted", () => {
  test("are deleted in the store once the offer to undo is gone", async () => {
    const album = await newAlbum();
    await world.visit(`/albums/${album}`, {}, async ({ page }) => {
      await deleteTwo(page);
      await page.mouse.move(2, 2);
      await page.getByRole("button", { name: "Undo" }).waitFor({ state: "detached" });
      await isLeft(album, COUNT - 2);
      await shown(page, COUNT - 2);
    });
  });

  test("are deleted in the store when the person leaves the album", async () => {
    const album = await newAlbum();
    // The list of albums may ask for the cover, which is the newest picture, just as that is deleted.
    const expected = [/status of 404.*\/content\//];
    await world.visit(`/albums/${album}`, { expected }, async ({ page }) => {
      await deleteTwo(page);
      await page.getByRole("link", { name: "Albums" }).first().click();
      await isLeft(album, COUNT - 2);
      await page
        .locator(".album-card", { hasText: album })
        .getByText(`${COUNT - 2} pictures`)
        .waitFor();
      expect(await page.getByRole("button", { name: "Undo" }).count()).toBe(0);
    });
  });

  test("stay when the page is closed before", async () => {
    const album = await newAlbum();
    await world.visit(`/albums/${album}`, {}, async ({ page, context }) => {
      const again = await context.newPage();
      await page.bringToFront();
      await deleteTwo(page);
      await hold(page);
      await page.close();
      await again.goto(`${world.store.url}/albums/${album}`);
      await shown(again, COUNT);
      expect(await countOf(album)).toBe(COUNT);
    });
  });

  test("come back by Ctrl+Z, and by themselves where the store refuses to delete them", async () => {
    const album = await newAlbum();
    await world.visit(`/albums/${album}`, { expected: [/status of 503/] }, async ({ page, context }) => {
      await deleteTwo(page);
      await hold(page);
      await page.locator('[data-index="0"] a').focus();
      await page.keyboard.press("Control+z");
      await shown(page, COUNT);
      await context.route(/\/v1\/albums\/[^/]+\/images\//, (route) =>
        route.request().method() === "DELETE"
          ? route.fulfill({
              status: 503,
              contentType: "application/problem+json",
              body: JSON.stringify({ status: 503, code: "unavailable", title: "Service Unavailable", detail: "Down." }),
            })
          : route.continue(),
      );
      await deleteTwo(page);
      await page.mouse.move(2, 2);
      await page.getByText("A part of the store does not respond.").waitFor();
      await shown(page, COUNT);
      expect(await countOf(album)).toBe(COUNT);
    });
  });

  test("are asked about when they are more than a hundred", async () => {
    const album = await newAlbum();
    const path = `/v1/albums/${encodeURIComponent(album)}/images`;
    const bytes = await (await world.store.fetch(`${path}/photo-001.jpg/content`)).bytes();
    for (let index = COUNT; index < 101; index += 1)
      expect(
        (await world.store.fetch(`${path}/more-${index}.jpg/content`, { method: "PUT", body: bytes })).status,
      ).toBe(201);
    await world.visit(`/albums/${album}`, {}, async ({ page }) => {
      // The page learns of the last one when all have been chosen.
      const { promise: areChosen, resolve: chosen } = Promise.withResolvers<void>();
      await page.route(/\/layout\?.*pageToken=/, async (route) => {
        await areChosen;
        await route.continue();
      });
      await page.reload();
      await page.locator('[data-index="0"] a').focus();
      await page.keyboard.press("Control+a");
      await page.getByText("100 chosen").waitFor();
      chosen();
      await page.getByText("101 chosen").waitFor();
      await page.keyboard.press("Delete");
      const question = page.getByRole("dialog", { name: "Delete 101 pictures?" });
      await question.waitFor();
      await expectAccessible(page);
      await question.getByRole("button", { name: "Delete" }).click();
      await hold(page);
      await page.getByText("No pictures yet").waitFor();
      await page.getByRole("button", { name: "Undo" }).click();
      await page.getByText("101 pictures are back.").waitFor();
      expect(await countOf(album)).toBe(101);
    });
  });
});
