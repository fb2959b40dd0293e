import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hasChromium } from "../services/chromium.ts";
import { until as untilTrue } from "../waiting.ts";
import { seedAlbum } from "./seed.ts";
import { until } from "./until.ts";
import { type PageWorld, startPageWorld } from "./visit.ts";

/** What a tile shows until its picture is there. */

const COUNT = 12;
const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld({ DESCRIBE: "true" });
  const album = await seedAlbum(world.store, "Alps", COUNT);
  await untilTrue(async () => {
    const { placeholders } = (await (await world.store.fetch(`${album}/layout`)).json()) as { placeholders: unknown[] };
    return placeholders.every((placeholder) => placeholder !== null);
  });
});
afterAll(() => world?.[Symbol.asyncDispose]());

const pictures = `[...document.querySelectorAll(".tile .picture")]`;

describe.skipIf(!isRun)("a tile without its picture", () => {
  test("has the picture's colour at once, and the blurred picture soon after", async () => {
    await world.visit("/sign-in", {}, async ({ context }) => {
      const page = await context.newPage();
      await page.route("**/content/**", () => undefined);
      await page.addInitScript(`
        new MutationObserver((_changes, observer) => {
          const pictures = ${pictures};
          if (pictures.length === 0) return;
          observer.disconnect();
          globalThis.atFirst = pictures.map(({ style }) => [style.backgroundColor, style.backgroundImage]);
        }).observe(document, { childList: true, subtree: true });`);
      await page.goto(`${world.store.url}/albums/Alps`);
      await until(page, "globalThis.atFirst");
      const atFirst = await page.evaluate<readonly [colour: string, image: string][]>("globalThis.atFirst");
      expect(atFirst.length).toBe(COUNT);
      for (const [colour, image] of atFirst) expect([colour, image]).toEqual([expect.stringMatching(/^rgb/), "none"]);
      await until(page, `${pictures}.every(({ style }) => style.backgroundImage.startsWith('url("data:image/png'))`);
    });
  });
});
