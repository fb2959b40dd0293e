import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { CDPSession, Page } from "playwright-core";
import { hasChromium } from "../services/chromium.ts";
import { until as untilTrue } from "../waiting.ts";
import { expectAccessible } from "./axe.ts";
import { seedAlbum } from "./seed.ts";
import { until } from "./until.ts";
import { type PageWorld, startPageWorld } from "./visit.ts";

/** Choosing pictures by dragging: a rectangle with the mouse, a long press and a drag with a finger. */

const COUNT = 60;
const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld();
  await seedAlbum(world.store, "Alps", COUNT, { days: 2 });
});
afterAll(() => world?.[Symbol.asyncDispose]());

interface Box {
  readonly index: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

const boxesOf = (page: Page) =>
  page.evaluate<readonly Box[]>(`[...document.querySelectorAll(".tile")].map((tile) => {
    const { x, y, width, height } = tile.getBoundingClientRect();
    return { index: Number(tile.dataset.index), x, y, width, height };
  })`);
const boxOf = async (page: Page, index: number): Promise<Box> => {
  const box = (await boxesOf(page)).find((one) => one.index === index);
  if (box === undefined) throw new Error(`Picture ${index} is not drawn.`);
  return box;
};
const middle = ({ x, y, width, height }: Box) => ({ x: x + width / 2, y: y + height / 2 });
const chosenIndexes = (page: Page) =>
  page.evaluate<readonly number[]>(
    `[...document.querySelectorAll(".tile.selected")].map((tile) => Number(tile.dataset.index)).sort((a, b) => a - b)`,
  );
const isOpen = (page: Page) => page.locator("dialog.lightbox").count();

describe.skipIf(!isRun)("a mouse", () => {
  test("chooses what its rectangle touches, and opens nothing", () =>
    world.visit("/albums/Alps", {}, async ({ page, picture }) => {
      await page.locator('[data-index="6"]').waitFor();
      const [from, to] = [middle(await boxOf(page, 0)), middle(await boxOf(page, 6))];
      const touched = (await boxesOf(page))
        .filter(
          ({ x, y, width, height }) =>
            x <= Math.max(from.x, to.x) &&
            x + width >= Math.min(from.x, to.x) &&
            y <= Math.max(from.y, to.y) &&
            y + height >= Math.min(from.y, to.y),
        )
        .map(({ index }) => index);
      expect(touched.length).toBeGreaterThan(1);
      await page.mouse.move(from.x, from.y);
      await page.mouse.down();
      await page.mouse.move(to.x, to.y, { steps: 6 });
      await page.getByText(`${touched.length} chosen`).waitFor();
      await picture("rectangle");
      await page.mouse.up();
      expect(await chosenIndexes(page)).toEqual(touched);
      expect(await page.locator(".band").count()).toBe(0);
      expect(await isOpen(page)).toBe(0);
      await expectAccessible(page);
    }));

  test("adds to what is chosen with Ctrl, and Escape takes the rectangle back", () =>
    world.visit("/albums/Alps", {}, async ({ page }) => {
      await page.locator('[data-index="3"]').waitFor();
      await page.locator('[data-index="0"] a').focus();
      await page.keyboard.press(" ");
      const at = middle(await boxOf(page, 2));
      await page.keyboard.down("Control");
      await page.mouse.move(at.x, at.y);
      await page.mouse.down();
      await page.mouse.move(at.x + 20, at.y + 20, { steps: 3 });
      await page.mouse.up();
      await page.keyboard.up("Control");
      expect(await chosenIndexes(page)).toEqual([0, 2]);
      await page.mouse.move(at.x, at.y);
      await page.mouse.down();
      await page.mouse.move(at.x + 20, at.y + 20, { steps: 3 });
      await page.getByText("1 chosen").waitFor();
      await page.keyboard.press("Escape");
      await page.getByText("2 chosen").waitFor();
      await page.mouse.up();
      expect(await chosenIndexes(page)).toEqual([0, 2]);
      expect(await isOpen(page)).toBe(0);
    }));

  test("scrolls at the lower edge, down to the last picture", () =>
    world.visit("/albums/Alps", {}, async ({ page }) => {
      await page.locator('[data-index="0"]').waitFor();
      const { x, y } = await boxOf(page, 0);
      await page.mouse.move(x + 4, y + 4);
      await page.mouse.down();
      await page.mouse.move(1300, 895, { steps: 5 });
      await page.getByText(`${COUNT} chosen`).waitFor();
      await page.mouse.up();
      await page.getByText(`${COUNT} chosen`).waitFor();
    }));

  test("that only clicks opens the picture", () =>
    world.visit("/albums/Alps", {}, async ({ page }) => {
      await page.locator('[data-index="1"] .picture').click();
      await page.locator("dialog.lightbox").waitFor();
    }));
});

/** Fingers, as the browser's own protocol has them. */
const touch = (browser: CDPSession, type: "touchStart" | "touchMove" | "touchEnd", at?: { x: number; y: number }) =>
  browser.send("Input.dispatchTouchEvent", { type, touchPoints: at === undefined ? [] : [at] });

describe.skipIf(!isRun)("a finger", () => {
  test("chooses by a long press, on by dragging, and by taps after that", () =>
    world.visit("/albums/Alps", { size: "phone" }, async ({ page, context, picture }) => {
      await page.locator('[data-index="6"]').waitFor();
      const browser = await context.newCDPSession(page);
      const to = middle(await boxOf(page, 5));
      await touch(browser, "touchStart", middle(await boxOf(page, 1)));
      await page.getByText("1 chosen").waitFor();
      await touch(browser, "touchMove", { x: to.x - 5, y: to.y - 5 });
      await touch(browser, "touchMove", to);
      await page.getByText("5 chosen").waitFor();
      await touch(browser, "touchEnd");
      expect(await chosenIndexes(page)).toEqual([1, 2, 3, 4, 5]);
      await picture("long-press");
      await expectAccessible(page);
      await page.locator('[data-index="3"] .picture').tap();
      await page.getByText("4 chosen").waitFor();
      await page.locator('[data-index="0"] .picture').tap();
      await page.getByText("5 chosen").waitFor();
      expect(await chosenIndexes(page)).toEqual([0, 1, 2, 4, 5]);
      expect(await isOpen(page)).toBe(0);
    }));

  test("that moves at once scrolls, and chooses nothing", () =>
    world.visit("/albums/Alps", { size: "phone" }, async ({ page, context }) => {
      await page.locator('[data-index="6"]').waitFor();
      const browser = await context.newCDPSession(page);
      const from = middle(await boxOf(page, 4));
      // By the browser's own gesture, whose steps do not wait for this process.
      await browser.send("Input.synthesizeScrollGesture", { x: from.x, y: from.y, yDistance: -300, speed: 3000 });
      await until(page, `document.querySelector(".view").scrollTop > 100`);
      expect(await chosenIndexes(page)).toEqual([]);
    }));

  test("that taps opens the picture", () =>
    world.visit("/albums/Alps", { size: "phone" }, async ({ page }) => {
      await page.locator('[data-index="1"] .picture').tap();
      await page.locator("dialog.lightbox").waitFor();
      await untilTrue(() => new URL(page.url()).pathname.startsWith("/albums/Alps/"));
    }));
});
