import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { newPng } from "../http/image-fixtures.ts";
import { hasChromium } from "../services/chromium.ts";
import { expectAccessible } from "./axe.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** Names and texts of every kind are shown as they are, break no layout, and are never markup. */

const SCRIPT = `<img src=x onerror="window.hacked=1"><script>window.hacked=1<\u002fscript>`;
/** No slash may stand in a name. */
const MARKUP = `"><svg onload=window.hacked=1> &amp; '{{7*7}}' \${1}`;
const NAMES: Readonly<Record<string, string>> = {
  markup: MARKUP,
  "a scheme": "javascript:window.hacked=1",
  "right to left": "صور الصيف ٢٠٢٦ (2026).jpg",
  "255 bytes without a space": "W".repeat(255),
  "255 bytes of emoji": `${"👩‍👩‍👧‍👦".repeat(10)}abcde`,
  "what paths and queries are made of": "a?b=c&d#e%2Ff\\g..;:@",
  "a dot at its end": "..name..",
  combining: "Zalgo".replaceAll(/./g, (letter) => letter + "̸̦̰̍".repeat(4)),
};

const isRun = hasChromium();
let world: PageWorld;

beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld();
  for (const name of Object.values(NAMES)) {
    const path = `/v1/albums/${encodeURIComponent(name)}`;
    const album = await world.store.send("PUT", path, { description: SCRIPT, metadata: { [MARKUP]: SCRIPT } });
    expect([name, album.status]).toEqual([name, 201]);
    const image = `${path}/images/${encodeURIComponent(name)}`;
    await world.store.fetch(`${image}/content`, { method: "PUT", body: newPng() });
    const texts = { title: SCRIPT, description: SCRIPT, tags: [MARKUP], metadata: { [MARKUP]: SCRIPT } };
    expect((await world.store.send("PATCH", image, texts)).status).toBe(200);
  }
});
afterAll(() => world?.[Symbol.asyncDispose]());

async function expectHarmless(page: Page): Promise<void> {
  expect(await page.evaluate("'hacked' in window")).toBe(false);
  const widths = await page.evaluate<readonly number[]>("[document.documentElement.scrollWidth, innerWidth]");
  expect(widths[0]).toBeLessThanOrEqual(widths[1] ?? 0);
  expect(await page.locator("img[src=x], script:not([src]), svg[onload]").count()).toBe(0);
}

describe.skipIf(!isRun).each(SIZE_NAMES)("on a %s", (size) => {
  test("albums of all these names are shown by them", () =>
    world.visit("/", { size }, async ({ page, picture }) => {
      for (const name of Object.values(NAMES))
        await page.getByRole("link", { name: name.normalize("NFC"), exact: true }).waitFor();
      await expectHarmless(page);
      await expectAccessible(page);
      await picture("hostile-albums");
    }));

  test.each(Object.entries(NAMES))("an album and a picture are opened by a name with %s", (_what, given) =>
    world.visit("/", { size }, async ({ page }) => {
      const name = given.normalize("NFC");
      await page.getByRole("link", { name, exact: true }).click();
      await page.getByRole("heading", { name, exact: true }).waitFor();
      await expectHarmless(page);
      await page.locator("[data-image-id] a").first().click();
      await page.getByRole("dialog").waitFor();
      await expectHarmless(page);
      await page.reload();
      await page.getByRole("dialog").waitFor();
      await page.goto(`${world.store.url}/albums/${encodeURIComponent(name)}`);
      await page.getByRole("heading", { name, exact: true }).waitFor();
      expect(await page.evaluate("'hacked' in window")).toBe(false);
    }),
  );
});
