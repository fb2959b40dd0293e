import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { hasChromium } from "../services/chromium.ts";
import { expectAccessible } from "./axe.ts";
import { seedAlbum } from "./seed.ts";
import { until } from "./until.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** One picture: looking at it, its details, changing them, links and deletion. */

const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld({ DESCRIBE: "true" });
  await seedAlbum(world.store, "Alps", 8);
});
afterAll(() => world?.[Symbol.asyncDispose]());

interface Record {
  readonly id: string;
  readonly name: string;
  readonly title: string | null;
  readonly tags: readonly string[];
  readonly focalPoint: { readonly x: number; readonly y: number } | null;
}

const recordOf = async (name: string) =>
  (await (await world.store.fetch(`/v1/albums/Alps/images/${name}`)).json()) as Record;
const pathOf = async (name: string) => `/albums/Alps/${(await recordOf(name)).id}`;
const lightbox = (page: Page) => page.locator("dialog.lightbox");
const place = (page: Page, text: string) => page.locator(".lightbox-place", { hasText: text }).waitFor();

describe.skipIf(!isRun).each(SIZE_NAMES)("a picture on a %s", (size) => {
  test("is as wide as the screen, whatever its title and that of another person", async () => {
    const name = size === "phone" ? "photo-006.jpg" : "photo-007.jpg";
    const rename = (title: string) => world.store.send("PATCH", `/v1/albums/Alps/images/${name}`, { title });
    await rename("The first light over the lake, seen from the hut ".repeat(4));
    await world.visit(await pathOf(name), { size, expected: [/status of 412/] }, async ({ page, picture }) => {
      await page.getByRole("button", { name: "Details" }).click();
      const form = page.getByRole("form", { name: "Edit the picture" });
      await form.getByLabel("Title").fill("M".repeat(150));
      await rename("W".repeat(150));
      await form.getByRole("button", { name: "Save" }).click();
      await page.locator(".conflict").scrollIntoViewIfNeeded();
      for (const selector of ["dialog.lightbox", ".details"]) {
        const [width, shown] = await page
          .locator(selector)
          .evaluate(({ scrollWidth, clientWidth }) => [scrollWidth, clientWidth]);
        expect({ selector, width }).toEqual({ selector, width: shown ?? -1 });
      }
      await picture("conflict-long");
    });
  });

  test("opens over its album with its details, and goes back to it", async () => {
    await world.visit("/albums/Alps", { size }, async ({ page, picture }) => {
      await page.locator('[data-index="2"] .picture').click();
      await lightbox(page).waitFor();
      await until(page, `[...document.querySelectorAll(".lit img")].every((image) => image.naturalWidth > 0)`);
      await picture("picture");
      await page.getByRole("button", { name: "Details" }).click();
      await page.getByRole("complementary", { name: "Details" }).waitFor();
      await page.getByText("photo-006.jpg").first().waitFor();
      await expectAccessible(page);
      await picture("details");
      await page.getByRole("button", { name: "Back to the album" }).click();
      await lightbox(page).waitFor({ state: "detached" });
      expect(new URL(page.url()).pathname).toBe("/albums/Alps");
    });
  });

  test("has an address of its own, and title, description and tags that can be changed", async () => {
    const name = size === "phone" ? "photo-001.jpg" : "photo-002.jpg";
    await world.visit(await pathOf(name), { size }, async ({ page }) => {
      await lightbox(page).waitFor();
      await page.getByRole("button", { name: "Details" }).click();
      const form = page.getByRole("form", { name: "Edit the picture" });
      await form.getByLabel("Title").fill("<b>The hut</b> ‏عند الفجر");
      await form.getByLabel("Tags").fill("hut, dawn, hut");
      await form.getByRole("button", { name: "Save" }).click();
      await page.getByText("Saved.").waitFor();
      await page.getByRole("heading", { name: "<b>The hut</b>" }).waitFor();
    });
    const { title, tags } = await recordOf(name);
    expect({ title, tags }).toEqual({ title: "<b>The hut</b> ‏عند الفجر", tags: ["hut", "dawn"] });
  });

  test("gets a focal point by a click, which its crops follow at once", async () => {
    const name = size === "phone" ? "photo-003.jpg" : "photo-004.jpg";
    await world.visit(await pathOf(name), { size }, async ({ page, picture }) => {
      await page.getByRole("button", { name: "Details" }).click();
      const frame = page.getByRole("button", { name: "Set the focal point by a click" });
      await frame.scrollIntoViewIfNeeded();
      await until(page, `document.querySelector(".focal-frame img")?.naturalWidth > 0`);
      const crop = () => page.evaluate<string>(`document.querySelectorAll(".focal-crops img")[1].style.objectPosition`);
      const before = await crop();
      const box = await frame.boundingBox();
      if (box === null) throw new Error("The frame is not seen.");
      await frame.click({ position: { x: box.width * 0.9, y: box.height * 0.2 } });
      expect(await crop()).not.toBe(before);
      await picture("focal-point");
      await page.getByRole("form").getByRole("button", { name: "Save" }).click();
      await page.getByText("Saved.").waitFor();
    });
    const { focalPoint } = await recordOf(name);
    expect(focalPoint?.x).toBeCloseTo(0.9, 1);
    expect(focalPoint?.y).toBeCloseTo(0.2, 1);
  });
});

describe.skipIf(!isRun)("a picture", () => {
  test("is left for its neighbours, zoomed and closed by keys", async () => {
    await world.visit(await pathOf("photo-008.jpg"), {}, async ({ page }) => {
      await place(page, "1 / 8");
      await page.keyboard.press("ArrowRight");
      await place(page, "2 / 8");
      await page.keyboard.press("End");
      await place(page, "8 / 8");
      await page.keyboard.press("ArrowRight");
      await place(page, "8 / 8");
      await page.keyboard.press("ArrowLeft");
      await place(page, "7 / 8");
      await page.keyboard.press("+");
      await page.locator(".stage.zoomed").waitFor();
      await page.keyboard.press("ArrowRight");
      await place(page, "7 / 8");
      await page.keyboard.press("0");
      await page.locator(".stage.zoomed").waitFor({ state: "detached" });
      await page.keyboard.press("Escape");
      await lightbox(page).waitFor({ state: "detached" });
    });
  });

  test("is left for its neighbours by a swipe, and zoomed by a double click", async () => {
    await world.visit(await pathOf("photo-008.jpg"), {}, async ({ page }) => {
      await place(page, "1 / 8");
      await page.mouse.move(800, 450);
      await page.mouse.down();
      await page.mouse.move(500, 455, { steps: 5 });
      await page.mouse.up();
      await place(page, "2 / 8");
      await page.mouse.dblclick(700, 450);
      await page.locator(".stage.zoomed").waitFor();
    });
  });

  test("that two people edit: fields of one alone are merged, and of the same field both texts are shown", async () => {
    const name = "photo-005.jpg";
    const patch = (body: object) => world.store.send("PATCH", `/v1/albums/Alps/images/${name}`, body);
    await world.visit(await pathOf(name), { expected: [/status of 412/] }, async ({ page, picture }) => {
      await page.getByRole("button", { name: "Details" }).click();
      const form = page.getByRole("form", { name: "Edit the picture" });
      await form.getByLabel("Title").fill("Mine");
      await patch({ tags: ["theirs"] });
      await form.getByRole("button", { name: "Save" }).click();
      await page.getByText("Saved.").waitFor();
      expect(await recordOf(name)).toMatchObject({ title: "Mine", tags: ["theirs"] });

      await form.getByLabel("Title").fill("Mine again");
      await patch({ title: "Theirs" });
      await form.getByRole("button", { name: "Save" }).click();
      const conflict = page.locator(".conflict");
      await conflict.waitFor();
      expect(await conflict.textContent()).toMatch(/Mine again.*Theirs/);
      await conflict.scrollIntoViewIfNeeded();
      await picture("conflict");
      await expectAccessible(page);
      expect((await recordOf(name)).title).toBe("Theirs");
      await conflict.getByLabel(/^Yours/).check();
      await conflict.getByRole("button", { name: "Save this choice" }).click();
      await conflict.waitFor({ state: "detached" });
      await page.getByRole("heading", { name: "Mine again" }).waitFor();
      expect((await recordOf(name)).title).toBe("Mine again");
    });
  });

  test("has links that can be copied, one of which works without signing in", async () => {
    await world.visit(await pathOf("photo-006.jpg"), {}, async ({ page, context }) => {
      await context.grantPermissions(["clipboard-read", "clipboard-write"]);
      await page.getByRole("button", { name: "Details" }).click();
      await page.getByLabel("Size of the linked picture").selectOption("640");
      await page.getByRole("button", { name: "Copy link for everyone" }).click();
      await page.getByText("Copied.").waitFor();
      const url = new URL(await page.evaluate<string>("navigator.clipboard.readText()"));
      expect(url.searchParams.get("signature")).not.toBeNull();
      const response = await fetch(url);
      expect({ status: response.status, type: response.headers.get("content-type") }).toEqual({
        status: 200,
        type: "image/webp",
      });
    });
  });

  test("is downloaded under its name, and deleted, which a page that is closed does not do", async () => {
    await seedAlbum(world.store, "Last", 2, { first: 40 });
    await world.visit("/albums/Last", {}, async ({ page }) => {
      await page.locator('[data-index="0"] .picture').click();
      await page.getByRole("button", { name: "Details" }).click();
      await page.getByRole("complementary").waitFor();
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("button", { name: "Download" }).click(),
      ]);
      expect(download.suggestedFilename()).toBe("photo-002.jpg");
      await page.getByRole("button", { name: "Delete", exact: true }).click();
      await page.getByText("Deleted 1 picture.").waitFor();
      // While it is pointed at, the offer stays, and nothing is deleted.
      await page.getByRole("button", { name: "Undo" }).hover();
      await place(page, "1 / 1");
      await page.goto(`${world.store.url}/albums/Last`);
      await page.locator(".tile").nth(1).waitFor();
      expect((await world.store.fetch("/v1/albums/Last/images/photo-002.jpg")).status).toBe(200);
    });
  });
});
