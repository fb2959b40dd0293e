import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { buildPage } from "../../web/build.ts";
import { startStore, type TestStore } from "../http/harness.ts";
import { hasChromium } from "../services/chromium.ts";
import { freePort } from "../services/free-ports.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { seedAlbum } from "./seed.ts";
import { type PageWorld, startPageWorld } from "./visit.ts";

/** What others change appears without a reload. */

const isRun = hasChromium();
let world: PageWorld;
beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld();
  await seedAlbum(world.store, "Shared", 3);
});
afterAll(() => world?.[Symbol.asyncDispose]());

const upload = async (store: TestStore, name: string) => {
  const bytes = await (await store.fetch("/v1/albums/Shared/images/photo-001.jpg/content")).bytes();
  const response = await store.fetch(`/v1/albums/Shared/images/${name}/content`, { method: "PUT", body: bytes });
  expect(response.status).toBeLessThan(300);
};

describe.skipIf(!isRun)("changes of others", () => {
  test("appear in an album and in the list of albums: new, changed and deleted", async () => {
    // The picture that is deleted may still be loading.
    await world.visit("/", { expected: [/status of 404 .*\/content\//] }, async ({ page, context }) => {
      await page.locator(".album-card", { hasText: "3 pictures" }).waitFor();
      const second = await context.newPage();
      await second.goto(`${world.store.url}/albums/Shared`);
      await second.locator(".tile").nth(2).waitFor();

      await upload(world.store, "new.jpg");
      await page.locator(".album-card", { hasText: "4 pictures" }).waitFor();
      await second.locator(".tile").nth(3).waitFor();

      await world.store.fetch("/v1/albums/Shared/images/new.jpg", { method: "DELETE" });
      await page.locator(".album-card", { hasText: "3 pictures" }).waitFor();
      await second.locator(".tile").nth(3).waitFor({ state: "detached" });

      await world.store.send("PATCH", "/v1/albums/Shared", { title: "Together" });
      await page.locator(".album-card", { hasText: "Together" }).waitFor();
      await second.getByRole("heading", { name: "Together" }).waitFor();

      await world.store.send("POST", "/v1/albums", { name: "Brand new" });
      await page.locator(".album-card", { hasText: "Brand new" }).waitFor();
    });
  });

  test("that one browser makes appear in the other", async () => {
    await world.visit("/", {}, async ({ page, context }) => {
      await page.getByRole("heading", { name: "Albums" }).waitFor();
      const second = await context.newPage();
      await second.goto(world.store.url);
      await second.getByRole("button", { name: "New album" }).click();
      await second.getByRole("textbox", { name: "Name" }).fill("Of the other");
      await second.getByRole("button", { name: "Save" }).click();
      await page.locator(".album-card", { hasText: "Of the other" }).waitFor();
    });
  });

  test("move the page along when its album is renamed, and tell when it is deleted", async () => {
    await world.store.send("POST", "/v1/albums", { name: "Before" });
    await world.visit("/albums/Before", { expected: [/status of 404/] }, async ({ page }) => {
      await page.getByText("No pictures yet").waitFor();
      await page.getByText("Live").waitFor();
      await world.store.send("PATCH", "/v1/albums/Before", { name: "After" });
      await page.getByRole("heading", { name: "After" }).waitFor();
      expect(new URL(page.url()).pathname).toBe("/albums/After");
      await page.getByText("Live").waitFor();
      await world.store.fetch("/v1/albums/After", { method: "DELETE" });
      await page.getByText("The album After was deleted.").waitFor();
      expect(new URL(page.url()).pathname).toBe("/");
    });
  });

  test("of a picture that is open and deleted are said", async () => {
    await upload(world.store, "short-lived.jpg");
    const record = await world.store.fetch("/v1/albums/Shared/images/short-lived.jpg");
    const { id } = (await record.json()) as { id: string };
    await world.visit(`/albums/Shared/${id}`, { expected: [/status of 404/] }, async ({ page }) => {
      await page.locator(".lightbox-name", { hasText: "short-lived.jpg" }).waitFor();
      await page.locator(".lit img").first().waitFor();
      await world.store.fetch("/v1/albums/Shared/images/short-lived.jpg", { method: "DELETE" });
      await page.getByText("This picture does not exist any more.").waitFor();
    });
  });

  test("appear after a restart of the store, which is told while it lasts", async () => {
    const folder = await newFolder("restart");
    const pageFolder = join(folder, "page");
    await buildPage(pageFolder);
    const PORT = String(await freePort());
    let store = await startStore({ DATA: folder, PORT }, { pageFolder });
    try {
      await seedAlbum(store, "Shared", 2);
      const context = await world.browser.newContext();
      const page = await context.newPage();
      await page.goto(`${store.url}/albums/Shared`);
      await page.locator(".tile").nth(1).waitFor();
      await page.getByText("Live").waitFor();
      await store[Symbol.asyncDispose]();
      await page.getByText("Reconnecting…").waitFor();
      store = await startStore({ DATA: folder, PORT }, { pageFolder });
      await upload(store, "after.jpg");
      await page.locator(".tile").nth(2).waitFor();
      await page.getByText("Live").waitFor();
      await context.close();
    } finally {
      await store[Symbol.asyncDispose]();
      await removeFolder(folder);
    }
  });
});
