import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { CDPSession, Page } from "playwright-core";
import { hasChromium } from "../services/chromium.ts";
import { expectAccessible } from "./axe.ts";
import { MINUTES_BETWEEN, NEWEST, pretendLargeAlbum } from "./large-album.ts";
import { until } from "./until.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld, type Visit, type VisitOptions } from "./visit.ts";

/** An album whose rows are higher together than a browser lets an element be. */

const COUNT = 200_000;
const HEADINGS = { phone: "Sun, 31 Mar 2024", desktop: "Sunday, 31 March 2024" };
const ROUNDS = 3;
/** Of the heap, for what a browser keeps of its own accord. */
const MAX_GROWTH = 1.25;
const isRun = hasChromium();
let world: PageWorld;
let albums = 0;
beforeAll(async () => {
  if (isRun) world = await startPageWorld();
});
afterAll(() => world?.[Symbol.asyncDispose]());

/** Once the page knows all its pictures. */
async function onLargeAlbum(options: VisitOptions, work: (visit: Visit) => Promise<void>): Promise<void> {
  const name = `Large ${(albums += 1)}`;
  await world.visit("/sign-in", options, async (visit) => {
    const { page, context } = visit;
    await pretendLargeAlbum(context, world.store, name, COUNT);
    await page.goto(`${world.store.url}/albums/${encodeURIComponent(name)}`);
    await until(page, "document.querySelector('[role=grid]')?.ariaRowCount > 0");
    await work(visit);
  });
}

const tile = (page: Page, index: number) => page.locator(`[data-index="${index}"]`);
/** The first picture of a month, as the album has them. */
const firstOf = (year: number, month: number) =>
  Math.ceil((NEWEST - Date.UTC(year, month, 1) + 1) / (MINUTES_BETWEEN * 60_000));

describe.skipIf(!isRun).each(SIZE_NAMES)(`an album of ${COUNT} pictures on a %s`, (size) => {
  test("goes to a month, says which one is seen, and goes to its end and back", async () => {
    await onLargeAlbum({ size }, async ({ page, picture }) => {
      const select = page.getByRole("combobox", { name: "Go to a month" });
      const shown = () => select.evaluate((element) => (element as unknown as { value: string }).value);
      const places = await select.locator("option").allTextContents();
      expect([places[0], places.at(-1)]).toEqual(["July 2026", "September 2022"]);

      await select.selectOption("March 2024");
      const first = tile(page, firstOf(2024, 3));
      await first.waitFor();
      await page.getByRole("heading", { name: HEADINGS[size] }).waitFor();
      const box = await first.boundingBox();
      expect(box?.y).toBeGreaterThan(0);
      expect(box?.y).toBeLessThan(250);
      expect(places[Number(await shown())]).toBe("March 2024");
      await expectAccessible(page);
      await picture("month");

      // Small steps, as of a wheel: the last days of March are followed by those before them.
      await page.evaluate(`document.querySelector(".view").scrollBy(0, 300)`);
      await until(
        page,
        `document.querySelector('[data-index="${firstOf(2024, 3)}"]')?.getBoundingClientRect().top < 0`,
      );
      await page.evaluate(`document.querySelector(".view").scrollTo(0, 1e9)`);
      await tile(page, COUNT - 1).waitFor();
      await until(page, `document.querySelector(".month select").value === "${places.length - 1}"`);
      await page.evaluate(`document.querySelector(".view").scrollTo(0, 0)`);
      await tile(page, 0).waitFor();
      await until(page, `document.querySelector(".month select").value === "0"`);
    });
  });

  test("has no months where it is ordered by name", async () => {
    await onLargeAlbum({ size }, async ({ page }) => {
      const select = page.getByRole("combobox", { name: "Go to a month" });
      await select.waitFor();
      await page.getByLabel("Order of the pictures").selectOption("name");
      await select.waitFor({ state: "detached" });
    });
  });
});

describe.skipIf(!isRun)(`an album of ${COUNT} pictures`, () => {
  test(`takes at most ${MAX_GROWTH} times the memory after it was scrolled to its end and back ${ROUNDS} times`, async () => {
    await onLargeAlbum({}, async ({ page, context }) => {
      const devtools = await context.newCDPSession(page);
      await scrollThrough(page);
      const before = await heapOf(devtools);
      for (let round = 0; round < ROUNDS; round++) await scrollThrough(page);
      expect(before).toBeGreaterThan(0);
      expect((await heapOf(devtools)) / before).toBeLessThan(MAX_GROWTH);
    });
  });
});

describe.skipIf(!isRun)(`an album of ${COUNT} pictures`, () => {
  test("goes to its end although the bar is put right before the browser tells of the jump", async () => {
    await onLargeAlbum({}, async ({ page }) => {
      await page.getByRole("combobox", { name: "Go to a month" }).selectOption("March 2024");
      await tile(page, firstOf(2024, 3)).waitFor();
      await page.evaluate(`(async () => {
        const view = document.querySelector(".view");
        const { setTimeout } = globalThis;
        const timers = [];
        globalThis.setTimeout = (work) => timers.push(work);
        const told = new Promise((resolve) => view.addEventListener("scroll", resolve, { once: true }));
        view.scrollBy(0, 300);
        await told;
        globalThis.setTimeout = setTimeout;
        view.scrollTo(0, 1e9);
        for (const run of timers) run();
      })()`);
      await tile(page, COUNT - 1).waitFor();
    });
  });
});

describe.skipIf(!isRun)("the pictures of a large album", () => {
  test("are chosen all at once in at most ten times of what choosing one takes", async () => {
    await onLargeAlbum({}, async ({ page, context }) => {
      const devtools = await context.newCDPSession(page);
      await devtools.send("Performance.enable", { timeDomain: "threadTicks" });
      const focusFirst = () => page.locator('[data-index="0"] a').focus();
      const chosen = (text: string) => page.getByText(text, { exact: true }).waitFor();
      await focusFirst();
      const one = await scriptTimeOf(devtools, async () => {
        await page.keyboard.press(" ");
        await chosen("1 chosen");
      });
      const all = await scriptTimeOf(devtools, async () => {
        await page.keyboard.press("Control+a");
        await chosen("200,000 chosen");
      });
      expect(one).toBeGreaterThan(0);
      expect(all / one).toBeLessThan(10);

      await tile(page, 1).getByRole("checkbox").click();
      await chosen("199,999 chosen");
      await page.keyboard.press("End");
      await tile(page, COUNT - 1)
        .and(page.locator('[aria-selected="true"]'))
        .waitFor();
      await page.keyboard.press("Home");
      await tile(page, 1).and(page.locator('[aria-selected="false"]')).waitFor();
      await page.keyboard.press("Escape");
      await page.getByRole("toolbar").waitFor({ state: "detached" });
      await page.keyboard.press("Shift+End");
      await chosen("200,000 chosen");
      await page.getByLabel("Order of the pictures").selectOption("name");
      await page.getByRole("toolbar").waitFor({ state: "detached" });
    });
  });
});

/** Seconds of the processor. */
async function scriptTimeOf(devtools: CDPSession, work: () => Promise<void>): Promise<number> {
  const now = async () => {
    const { metrics } = await devtools.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "ScriptDuration")?.value ?? 0;
  };
  const before = await now();
  await work();
  return (await now()) - before;
}

/** By jumps to 16 places and back; at each, tiles are there before the next. */
async function scrollThrough(page: Page): Promise<void> {
  const places = Array.from({ length: 17 }, (_, place) => place / 16);
  for (const place of [...places, ...places.toReversed()]) {
    await page.evaluate(`{
      const view = document.querySelector(".view");
      view.scrollTop = view.scrollHeight * ${place};
    }`);
    await until(
      page,
      `[...document.querySelectorAll(".tile")].some((tile) => {
        const { top, bottom } = tile.getBoundingClientRect();
        return bottom > 0 && top < innerHeight;
      })`,
    );
  }
}

/** Bytes of scripts and elements, after the garbage is collected. */
async function heapOf(devtools: CDPSession): Promise<number> {
  await devtools.send("HeapProfiler.collectGarbage");
  return (await devtools.send("Runtime.getHeapUsage")).usedSize;
}
