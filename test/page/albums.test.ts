import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { hasChromium } from "../services/chromium.ts";
import { expectAccessible } from "./axe.ts";
import { seedAlbum } from "./seed.ts";
import { until } from "./until.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** Albums, as a person makes, finds, changes and deletes them. */

const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld({ DESCRIBE: "true" });
  await seedAlbum(world.store, "Harbour", 4);
  await seedAlbum(world.store, "Alps", 6, { first: 10 });
});
afterAll(() => world?.[Symbol.asyncDispose]());

const HOSTILE = [
  "<img src=x onerror=alert(1)>",
  '"><script>alert(1)<\\script>',
  "رحلة إلى البحر",
  "ﷺ".repeat(85),
  "name with % and ? and # in it",
];

describe.skipIf(!isRun).each(SIZE_NAMES)("albums on a %s", (size) => {
  test("are shown with a cover, a count and a size", async () => {
    await world.visit("/", { size }, async ({ page, picture }) => {
      const card = page.locator(".album-card", { hasText: "Harbour" });
      await card.waitFor();
      expect(await card.locator(".facts").textContent()).toMatch(/^4 pictures · [\d.]+ [KM]B$/);
      await card.locator(".cover img").waitFor();
      await until(page, `[...document.querySelectorAll(".cover img")].every((image) => image.naturalWidth > 0)`);
      await expectAccessible(page);
      await picture("albums");
      const [name, facts] = [await card.locator(".name").boundingBox(), await card.locator(".facts").boundingBox()];
      expect((facts?.y ?? 0) - (name?.y ?? 0)).toBeLessThan(1.5 * (name?.height ?? 0));
    });
  });

  test("can be made, changed and deleted", async () => {
    const name = `Made on a ${size}`;
    // The page lists the album again when it hears of its end.
    await world.visit("/", { size, expected: [/status of 404/] }, async ({ page, picture }) => {
      await page.getByRole("button", { name: "New album" }).click();
      await page.getByLabel("Name", { exact: false }).first().fill(name);
      await page.getByRole("textbox", { name: "Title" }).fill("A title");
      await expectAccessible(page);
      await picture("album-new");
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("heading", { name: "A title" }).waitFor();
      expect(new URL(page.url()).pathname).toBe(`/albums/${encodeURIComponent(name)}`);

      await page.getByText("No pictures yet").waitFor();
      await picture("album-empty");
      await page.getByRole("button", { name: "Actions for A title" }).click();
      await picture("album-menu");
      await page.getByRole("menuitem", { name: "Edit" }).click();
      await page.getByRole("textbox", { name: "Title" }).fill("Another title");
      await page.getByRole("button", { name: "Save" }).click();
      await page.getByRole("heading", { name: "Another title" }).waitFor();

      await page.getByRole("button", { name: "Actions for Another title" }).click();
      await page.getByRole("menuitem", { name: "Delete" }).click();
      await page.getByRole("button", { name: "Delete album" }).click();
      await page.getByText(`Deleted the album Another title.`).waitFor();
      expect((await world.store.fetch(`/v1/albums/${encodeURIComponent(name)}`)).status).toBe(404);
    });
  });

  test("are told to be deleted with their pictures, and stay when the person says no", async () => {
    await world.visit("/", { size }, async ({ page, picture }) => {
      await page.getByRole("button", { name: "Actions for Alps" }).click();
      await page.getByRole("menuitem", { name: "Delete" }).click();
      await page.getByText(/Its 6 pictures \([\d.]+ [KM]B\) go with it/).waitFor();
      await picture("album-delete");
      await page.keyboard.press("Escape");
      await page.getByRole("dialog").waitFor({ state: "detached" });
      expect((await world.store.fetch("/v1/albums/Alps")).status).toBe(200);
    });
  });

  test("whose name is taken are refused in plain words, with the number of the request", async () => {
    await world.visit("/", { size, expected: [/status of 409/] }, async ({ page }) => {
      await page.getByRole("button", { name: "New album" }).click();
      await page.getByLabel("Name", { exact: false }).first().fill("Harbour");
      await page.getByRole("button", { name: "Save" }).click();
      const problem = page.getByRole("alert");
      await problem.waitFor();
      expect(await problem.textContent()).toMatch(
        /Another album has this name\..*Choose another name\..*Request [\da-f-]{36}/,
      );
    });
  });

  test("are found by the beginning of their name, and sorted", async () => {
    await world.visit("/", { size }, async ({ page }) => {
      await page.locator(".album-card", { hasText: "Alps" }).waitFor();
      await page.getByLabel("Find albums by the beginning of their name").fill("Har");
      await page.locator(".album-card", { hasText: "Alps" }).waitFor({ state: "detached" });
      expect(await page.locator(".album-card").count()).toBe(1);
      await page.getByLabel("Find albums by the beginning of their name").fill("");
      await page.locator(".album-card", { hasText: "Alps" }).waitFor();
      await page.getByLabel("Sort albums").selectOption("name");
      await until(page, `document.querySelector(".album-card .name")?.textContent === "Alps"`);
    });
  });
});

describe.skipIf(!isRun)("albums with hostile names", () => {
  test.each(HOSTILE)("are text, and open: %s", async (name) => {
    await world.store.send("POST", "/v1/albums", { name });
    await world.visit("/", {}, async ({ page }) => {
      const link = page.locator(".album-card .name").filter({ hasText: name });
      await link.click();
      await page.locator("h1", { hasText: name }).waitFor();
      await page.getByText("No pictures yet").waitFor();
      expect(decodeURIComponent(new URL(page.url()).pathname)).toBe(`/albums/${name}`);
      await expectAccessible(page);
    });
    expect((await world.store.fetch(`/v1/albums/${encodeURIComponent(name)}`, { method: "DELETE" })).status).toBe(204);
  });

  test("fit on a screen 320 pixels wide without a bar", async () => {
    const name = "W".repeat(255);
    await world.store.send("POST", "/v1/albums", { name });
    await world.visit("/", { size: "phone" }, async ({ page }) => {
      await page.setViewportSize({ width: 320, height: 640 });
      await page.locator(".album-card", { hasText: name }).waitFor();
      const overflow = () =>
        page.evaluate(`document.querySelector(".view").scrollWidth - document.querySelector(".view").clientWidth`);
      expect(await overflow()).toBe(0);
      await page.locator(".album-card .name", { hasText: name }).click();
      await page.locator("h1", { hasText: name }).waitFor();
      expect(await overflow()).toBe(0);
    });
    await world.store.fetch(`/v1/albums/${name}`, { method: "DELETE" });
  });
});
