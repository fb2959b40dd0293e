import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hasChromium } from "../services/chromium.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** More events than the page draws at once. */

const COUNT = 70;
const DRAWN = 50;
const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld();
  for (let index = 0; index < COUNT; index++)
    expect((await world.store.send("POST", "/v1/albums", { name: `Album ${index}` })).status).toBe(201);
});
afterAll(() => world?.[Symbol.asyncDispose]());

describe.skipIf(!isRun).each(SIZE_NAMES)("the events on a %s", (size) => {
  test("begin with the newest, and show older ones on demand", async () => {
    await world.visit("/events", { size }, async ({ page }) => {
      const names = page.locator(".event-name");
      await page.getByText(`Album ${COUNT - 1}`, { exact: true }).waitFor();
      const older = page.getByRole("button", { name: "Show older events" });
      await older.waitFor();
      expect(await names.count()).toBe(DRAWN);
      expect(await page.getByText("Album 0", { exact: true }).count()).toBe(0);
      await older.click();
      await page.getByText("Album 0", { exact: true }).waitFor();
      expect(await names.count()).toBe(COUNT);
      expect(await older.count()).toBe(0);
    });
  });
});
