import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { jsonOf } from "../http/harness.ts";
import { testKeys } from "../http/test-keys.ts";
import { hasChromium } from "../services/chromium.ts";
import { until } from "../waiting.ts";
import { expectAccessible } from "./axe.ts";
import { drawPhoto } from "./drawings.ts";
import { seedAlbum } from "./seed.ts";
import { endSession, type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** How a person gets in, and out: with a key, with a share link, with neither, and when the session is gone. */

const { API_KEYS, bearer, secretOf } = testKeys({ boss: "read+write+delete+transform+share+events+admin" });
const boss = bearer("boss");
const isRun = hasChromium();
let world: PageWorld;

beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld({ API_KEYS });
  await seedAlbum(world.store, "Private", 1, { headers: boss });
  await seedAlbum(world.store, "Shared", 3, { headers: boss });
});
afterAll(() => world?.[Symbol.asyncDispose]());

/** Requests that are refused are on the console too. */
const REFUSED = /status of 40[134]/;
const albumLink = (page: Page, name: string) => page.getByRole("link", { name, exact: true });

async function enter(page: Page, secret: string): Promise<void> {
  await page.getByLabel("API key").fill(secret);
  await page.getByRole("button", { name: "Sign in" }).click();
}

interface NewShare {
  readonly id: string;
  readonly secret: string;
}
const newShare = async (label: string) =>
  jsonOf<NewShare>(await world.store.send("POST", "/v1/albums/Shared/shares", { label }, boss));

describe.skipIf(!isRun).each(SIZE_NAMES)("on a %s", (size) => {
  test("a person signs in with a key, and out", () =>
    world.visit("/sign-in", { size, expected: [REFUSED] }, async ({ page, context, picture }) => {
      await page.getByLabel("API key").waitFor();
      await expectAccessible(page);
      await picture("sign-in");
      await enter(page, secretOf("boss"));
      await albumLink(page, "Private").waitFor();
      // No script can read what the browser has been given.
      expect(await page.evaluate("document.cookie")).toBe("");
      expect(await page.evaluate("JSON.stringify([localStorage, sessionStorage])")).not.toContain(secretOf("boss"));
      expect((await context.cookies()).map(({ httpOnly, sameSite }) => [httpOnly, sameSite])).toEqual([
        [true, "Strict"],
      ]);
      await page.reload();
      await albumLink(page, "Private").waitFor();
      await page.getByRole("button", { name: "Account" }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await albumLink(page, "Private").waitFor({ state: "detached" });
      expect(await context.cookies()).toEqual([]);
    }));

  test("a wrong key is refused in plain words, and another try works", () =>
    world.visit("/sign-in", { size, expected: [REFUSED] }, async ({ page }) => {
      await enter(page, "wrong");
      await page.getByRole("alert").filter({ hasText: "does not know this key" }).waitFor();
      await enter(page, secretOf("boss"));
      await albumLink(page, "Private").waitFor();
    }));

  test("a share link shows its album and no other, and its secret leaves the address bar", async () => {
    const { secret } = await newShare("Ann");
    await world.visit(`/s/${secret}?fbclid=1`, { size }, async ({ page, picture }) => {
      await page.getByRole("heading", { name: "Shared" }).waitFor();
      await page.locator("[data-image-id]").nth(2).waitFor();
      expect(await page.locator("[data-image-id]").count()).toBe(3);
      expect(new URL(page.url()).pathname).toBe("/albums/Shared");
      expect(await page.evaluate("history.state === null || !JSON.stringify(history.state).includes('imgsh_')")).toBe(
        true,
      );
      await picture("shared-album");
      await page.goto(`${world.store.url}/albums`);
      await albumLink(page, "Shared").waitFor();
      expect(await albumLink(page, "Private").count()).toBe(0);
    });
  });

  test("a revoked share says so, and so does an album that a visitor must not see", async () => {
    const { id, secret } = await newShare("Ben");
    await world.store.fetch(`/v1/albums/Shared/shares/${id}`, { method: "DELETE", headers: boss });
    await world.visit(`/s/${secret}`, { size, expected: [REFUSED] }, async ({ page }) => {
      await page.getByRole("alert").filter({ hasText: "This link does not work any more." }).waitFor();
      await page.goto(`${world.store.url}/albums/Private`);
      await page.getByRole("alert").filter({ hasText: "This album does not exist." }).waitFor();
      expect(await page.locator("[data-image-id]").count()).toBe(0);
    });
  });
});

describe.skipIf(!isRun).each(SIZE_NAMES)("a session on a %s", (size) => {
  test("that ends under an open form says so in it, and what was typed is saved after signing in beside it", async () => {
    const album = `Typed on a ${size}`;
    await seedAlbum(world.store, album, 1, { headers: boss });
    const path = `/albums/${encodeURIComponent(album)}`;
    const visit = { size, signedInWith: secretOf("boss"), expected: [REFUSED] };
    await world.visit(path, visit, async ({ page, context, picture }) => {
      await page.getByText("Live").waitFor({ state: "attached" });
      await page.locator('[data-index="0"] .picture').click();
      await page.getByRole("button", { name: "Details" }).click();
      const form = page.getByRole("form", { name: "Edit the picture" });
      await form.getByLabel("Title").fill("Typed before the end");
      await endSession(context, world.store);
      // As where the response to an image has removed the cookie before.
      if (size === "desktop") await context.clearCookies();
      await form.getByRole("button", { name: "Save" }).click();
      const alert = form.getByRole("alert");
      await alert.getByText("Your session has ended.").waitFor();
      await expectAccessible(page);
      await alert.scrollIntoViewIfNeeded();
      await picture("ended-in-form");
      const [beside] = await Promise.all([context.waitForEvent("page"), alert.getByRole("link").click()]);
      await enter(beside, secretOf("boss"));
      await albumLink(beside, album).waitFor();
      await beside.close();
      await form.getByText("You are signed in again.").waitFor();
      await form.getByRole("button", { name: "Save" }).click();
      await page.getByText("Saved.").waitFor();
      await page.getByRole("heading", { name: "Typed before the end" }).waitFor();
      await page.getByRole("button", { name: "Back to the album" }).click();
      await page.getByText("Live").waitFor({ state: "attached" });
      await until(async () => (await page.getByRole("alert").count()) === 0);
    });
  });
});

describe.skipIf(!isRun)("uploads", () => {
  test("wait when the session ends, and go on after signing in beside them", async () => {
    const name = "Uploaded in two sessions";
    await seedAlbum(world.store, name, 1, { headers: boss });
    const path = `/albums/${encodeURIComponent(name)}`;
    const visit = { signedInWith: secretOf("boss"), expected: [REFUSED] };
    await world.visit(path, visit, async ({ page, context, picture }) => {
      let asked = 0;
      await context.route(/\/images\/[^/]+\/content$/, async (route) => {
        asked += 1;
        if (asked === 2) await endSession(context, world.store);
        await route.continue();
      });
      const [chooser] = await Promise.all([
        page.waitForEvent("filechooser"),
        page.getByRole("button", { name: "Add pictures" }).click(),
      ]);
      const names = Array.from({ length: 8 }, (_, index) => `added-${index}.jpg`);
      const files = names.map(async (file, index) => {
        const buffer = Buffer.from(await drawPhoto(70 + index, { size: [320, 240] }));
        return { name: file, mimeType: "image/jpeg", buffer };
      });
      await chooser.setFiles(await Promise.all(files));
      const uploads = page.getByRole("region", { name: "Uploads" });
      await uploads.getByText("Uploads wait, and go on once you have signed in again.").waitFor();
      await expectAccessible(page);
      await picture("ended-uploads");
      const link = uploads.getByRole("link", { name: "Sign in, in another tab" });
      const [beside] = await Promise.all([context.waitForEvent("page"), link.click()]);
      await enter(beside, secretOf("boss"));
      await albumLink(beside, name).waitFor();
      await uploads.getByText("All 8 files are there.").waitFor();
      await until(async () => (await page.getByRole("alert").count()) === 0);
    });
  });
});

describe.skipIf(!isRun)("a session", () => {
  test.each([
    ["says so once it is used", async () => undefined],
    [
      "says so when the response to an image has removed the cookie",
      async (page: Page) => {
        const statusOf = () => page.evaluate<number>("fetch('/v1/albums/Private').then(({ status }) => status)");
        await until(async () => (await statusOf()) === 404);
      },
    ],
  ] as const)("that ends while the page is open %s, and a new one goes on", (_, before) =>
    world.visit("/", { signedInWith: secretOf("boss"), expected: [REFUSED] }, async ({ page, context }) => {
      await albumLink(page, "Private").waitFor();
      await endSession(context, world.store);
      await before(page);
      await albumLink(page, "Private").click();
      await page.getByRole("alert").filter({ hasText: "Your session has ended." }).waitFor();
      await until(async () => (await page.getByRole("alert").count()) === 1);
      await page.getByRole("alert").getByRole("link", { name: "Sign in" }).click();
      await enter(page, secretOf("boss"));
      await page.getByRole("heading", { name: "Private" }).waitFor();
      await page.locator("[data-image-id]").first().waitFor();
    }),
  );
});
