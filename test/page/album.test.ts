import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { hasChromium } from "../services/chromium.ts";
import { expectAccessible } from "./axe.ts";
import { seedAlbum } from "./seed.ts";
import { until } from "./until.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** An album: its rows, its headings, and choosing pictures in it. */

const COUNT = 48;
const DAYS = {
  phone: ["Wed, 1 Jul 2026", "Sat, 4 Jul 2026"],
  desktop: ["Wednesday, 1 July 2026", "Saturday, 4 July 2026"],
} as const;
const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld({ DESCRIBE: "true" });
  await seedAlbum(world.store, "Alps", COUNT, { days: 4 });
});
afterAll(() => world?.[Symbol.asyncDispose]());

const tiles = (page: Page) => page.locator(".tile");
const open = (page: Page) => tiles(page).first().waitFor();
const chosen = (page: Page) => page.locator(".tile.selected").count();
const focusedIndex = (page: Page) =>
  page.evaluate<number>(`Number(document.activeElement?.closest("[data-index]")?.dataset.index ?? -1)`);
const isFocused = (page: Page, index: number) =>
  until(page, `document.activeElement?.closest('[data-index="${index}"]') != null`);

describe.skipIf(!isRun).each(SIZE_NAMES)("an album on a %s", (size) => {
  test("fills each row from edge to edge, and only near rows exist", async () => {
    await world.visit("/albums/Alps", { size }, async ({ page, picture }) => {
      await open(page);
      const gaps = await page.evaluate<number[]>(`
        [...document.querySelectorAll(".grid-row")].filter((row) => row.querySelector(".tile") !== null).map((row) => {
          const { left, width } = [...row.querySelectorAll(".tile")].at(-1).style;
          return document.querySelector(".pictures").clientWidth - parseFloat(left) - parseFloat(width);
        })`);
      for (const gap of gaps.slice(0, -1)) expect(Math.abs(gap)).toBeLessThan(1);
      expect(await tiles(page).count()).toBeLessThanOrEqual(COUNT);
      await until(
        page,
        `[...document.querySelectorAll(".tile img")].every((image) => image.complete && image.naturalWidth > 0)`,
      );
      await expectAccessible(page);
      await picture("album");
    });
  });

  test("has headings of the days on which its pictures were taken", async () => {
    await world.visit("/albums/Alps", { size }, async ({ page }) => {
      await open(page);
      await page.getByLabel("Order of the pictures").selectOption("takenAt");
      const [first, last] = DAYS[size];
      await page.getByRole("heading", { name: first }).waitFor();
      await page.evaluate(`document.querySelector(".view").scrollTo(0, 1e6)`);
      await page.getByRole("heading", { name: last }).waitFor();
      await page.getByLabel("Order of the pictures").selectOption("name");
      await page.locator(".date").waitFor({ state: "detached" });
    });
  });

  test("has its controls in one row", async () => {
    await world.visit("/albums/Alps", { size }, async ({ page }) => {
      await open(page);
      const centres = await page.evaluate<
        number[]
      >(`[...document.querySelectorAll(".album-tools > *")].map((control) => {
        const { top, height } = control.getBoundingClientRect();
        return Math.round(top + height / 2);
      })`);
      expect(centres.length).toBeGreaterThan(2);
      expect(Math.max(...centres) - Math.min(...centres)).toBeLessThan(6);
    });
  });

  test("says when it does not exist", async () => {
    await world.visit("/albums/none", { size, expected: [/status of 404/] }, async ({ page }) => {
      const problem = page.getByRole("alert");
      await problem.waitFor();
      expect(await problem.textContent()).toMatch(/This album does not exist\..*Request [\da-f-]{36}/);
    });
  });
});

describe.skipIf(!isRun)("pictures", () => {
  test("are chosen by click and by shift and click", async () => {
    await world.visit("/albums/Alps", {}, async ({ page, picture }) => {
      await open(page);
      await tiles(page).nth(1).hover();
      await page.getByRole("checkbox", { name: "Choose picture 2", exact: true }).click();
      await page.locator('[data-index="5"] .picture').click({ modifiers: ["Shift"] });
      expect(await chosen(page)).toBe(5);
      await page.getByText("5 chosen").waitFor();
      // Once some are chosen, a click chooses and does not open.
      await page.locator('[data-index="6"] .picture').click();
      await page.getByText("6 chosen").waitFor();
      await picture("chosen");
      await expectAccessible(page);
      await page.getByRole("button", { name: "Choose none" }).click();
      expect(await chosen(page)).toBe(0);
    });
  });

  test("are reached, chosen and opened by the keyboard alone", async () => {
    await world.visit("/albums/Alps", {}, async ({ page }) => {
      await open(page);
      await page.locator('[data-index="0"] a').focus();
      await page.keyboard.press("ArrowRight");
      await isFocused(page, 1);
      await page.keyboard.press("ArrowDown");
      await until(page, `document.activeElement?.closest('[data-index="1"]') === null`);
      const below = await focusedIndex(page);
      expect(below).toBeGreaterThan(1);
      await page.keyboard.press(" ");
      expect(await chosen(page)).toBe(1);
      await page.keyboard.press("Shift+ArrowRight");
      await until(page, `document.querySelectorAll(".tile.selected").length === 2`);
      await page.keyboard.press("Escape");
      expect(await chosen(page)).toBe(0);
      await page.keyboard.press("End");
      await isFocused(page, COUNT - 1);
      await page.keyboard.press("Control+a");
      await page.getByText(`${COUNT} chosen`).waitFor();
      await page.keyboard.press("Escape");
      await page.keyboard.press("Home");
      await isFocused(page, 0);
      await page.keyboard.press("Enter");
      await page.locator("dialog.lightbox").waitFor();
    });
  });

  test("that are chosen get tags, and are shown by tag", async () => {
    await world.visit("/albums/Alps", {}, async ({ page }) => {
      await open(page);
      for (const number of [1, 2]) {
        await tiles(page)
          .nth(number - 1)
          .hover();
        await page.getByRole("checkbox", { name: `Choose picture ${number}`, exact: true }).click();
      }
      await page.getByRole("button", { name: "Add tags" }).click();
      await page.getByLabel("Tags, separated by commas").fill("glacier, <i>ice</i>");
      await page.getByRole("dialog").getByRole("button", { name: "Add tags" }).click();
      await page.getByText("Tagged 2 pictures.").waitFor();
      const listing = (await (await world.store.fetch("/v1/albums/Alps/images?tag=glacier")).json()) as { items: [] };
      expect(listing.items).toHaveLength(2);
    });
  });

  test("that are chosen move to another album, beside one of the same name", async () => {
    await seedAlbum(world.store, "From", 3, { first: 60 });
    await seedAlbum(world.store, "To", 1, { first: 70 });
    await world.visit("/albums/From", {}, async ({ page }) => {
      await open(page);
      await page.locator('[data-index="1"] a').focus();
      await page.keyboard.press(" ");
      await page.keyboard.press("Shift+ArrowRight");
      await page.getByText("2 chosen").waitFor();
      await page.getByRole("button", { name: "Move" }).click();
      await page.getByRole("dialog").getByRole("combobox").fill("To");
      await page.getByRole("dialog").getByRole("button", { name: "Move" }).click();
      await page.getByText("Moved 2 pictures.").waitFor();
      await page.getByText(/^1 picture ·/).waitFor();
    });
    const listing = (await (await world.store.fetch("/v1/albums/To/images")).json()) as { items: { name: string }[] };
    expect(listing.items.map(({ name }) => name)).toEqual(["photo-001 (2).jpg", "photo-001.jpg", "photo-002.jpg"]);
  });

  test("are downloaded all together", async () => {
    await world.visit("/albums/Alps", {}, async ({ page }) => {
      await open(page);
      await page.getByRole("button", { name: "Actions for Alps" }).click();
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        page.getByRole("menuitem", { name: "Download all" }).click(),
      ]);
      expect(download.suggestedFilename()).toBe("Alps.zip");
    });
  });
});
