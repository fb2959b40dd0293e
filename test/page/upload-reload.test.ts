import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { hasChromium } from "../services/chromium.ts";
import { expectAccessible } from "./axe.ts";
import { drawPhoto } from "./drawings.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** A page that is reloaded while it uploads. */

const COUNT = 6;
const ARRIVING = 2;
const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (isRun) world = await startPageWorld();
});
afterAll(() => world?.[Symbol.asyncDispose]());

const photos = () =>
  Promise.all(
    Array.from({ length: COUNT }, async (_, index) => ({
      name: `photo ${index + 1}.jpg`,
      mimeType: "image/jpeg",
      buffer: Buffer.from(await drawPhoto(index)),
    })),
  );

async function pick(page: Page, button: string): Promise<void> {
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    page.getByRole("button", { name: button }).click(),
  ]);
  await chooser.setFiles(await photos());
}

const isUpload = (method: string, url: string) => method === "PUT" && url.includes("/images/");

/** Leaves the page while the store has {@link ARRIVING} of the files, and the others hang. */
async function leaveMidway(page: Page, album: string): Promise<void> {
  expect((await world.store.send("POST", "/v1/albums", { name: album })).status).toBe(201);
  let sent = 0;
  await page.route("**/images/**", (route) => {
    const request = route.request();
    if (!isUpload(request.method(), request.url())) return route.continue();
    sent += 1;
    return sent <= ARRIVING ? route.continue() : undefined;
  });
  await page.goto(`${world.store.url}/albums/${encodeURIComponent(album)}`);
  await pick(page, "Add pictures");
  await page
    .locator('.upload[data-status="done"]')
    .nth(ARRIVING - 1)
    .waitFor();
  const asked = page.waitForEvent("dialog");
  const reloaded = page.reload();
  const dialog = await asked;
  expect(dialog.type()).toBe("beforeunload");
  await dialog.accept();
  await reloaded;
  await page.unroute("**/images/**");
}

const note = (page: Page, album: string) =>
  page.getByText(`${COUNT - ARRIVING} of ${COUNT} files had not arrived in ${album} when this page was left.`);

describe.skipIf(!isRun).each(SIZE_NAMES)("a page on a %s that is left while it uploads", (size) => {
  test("asks first, says afterwards how many files are missing, and sends those alone when they are given again", async () => {
    const album = `Left on a ${size}`;
    await world.visit("/", { size, expected: [/net::ERR_ABORTED/] }, async ({ page, picture }) => {
      await leaveMidway(page, album);
      await note(page, album).waitFor();
      await expectAccessible(page);
      await picture("unsent");
      const puts: string[] = [];
      page.on("request", (request) => {
        if (isUpload(request.method(), request.url())) puts.push(request.url());
      });
      await pick(page, "Choose files");
      await page.getByText(`All ${COUNT} files are there.`).waitFor();
      expect(puts).toHaveLength(COUNT - ARRIVING);
      await note(page, album).waitFor({ state: "detached" });
      await page.reload();
      await page
        .locator(".tile")
        .nth(COUNT - 1)
        .waitFor();
      expect(await page.getByRole("region", { name: "Uploads" }).count()).toBe(0);
    });
  });
});

describe.skipIf(!isRun)("what a page left behind", () => {
  test("is not said again after the person dismissed it", async () => {
    await world.visit("/", { expected: [/net::ERR_ABORTED/] }, async ({ page }) => {
      await leaveMidway(page, "Dismissed");
      await note(page, "Dismissed").waitFor();
      await page.getByRole("button", { name: "Dismiss", exact: true }).click();
      await page.getByRole("region", { name: "Uploads" }).waitFor({ state: "detached" });
      await page.reload();
      await page
        .locator(".tile")
        .nth(ARRIVING - 1)
        .waitFor();
      expect(await page.getByRole("region", { name: "Uploads" }).count()).toBe(0);
    });
  });
});
