import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { asRoot, jsonOf, ROOT, ROOT_KEY, type TestStore } from "../http/harness.ts";
import { hasChromium } from "../services/chromium.ts";
import { until } from "../waiting.ts";
import { expectAccessible } from "./axe.ts";
import { seedAlbum } from "./seed.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** Signing in, sharing, events and administration, in a store with keys. */

const isRun = hasChromium();
let world: PageWorld;
let root: TestStore;
beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld({ API_KEYS: ROOT_KEY });
  root = asRoot(world.store);
  await seedAlbum(root, "Alps", 4, { headers: { Authorization: `Bearer ${ROOT.secret}` } });
});
afterAll(() => world?.[Symbol.asyncDispose]());

const signedIn = { signedInWith: ROOT.secret };

describe.skipIf(!isRun).each(SIZE_NAMES)("on a %s", (size) => {
  test("a person signs in with a key, and out again", async () => {
    await world.visit("/", { size, expected: [/status of 401/] }, async ({ page, picture }) => {
      await page.getByText("There is nothing public here. Sign in to see your albums.").waitFor();
      await page.getByRole("link", { name: "Sign in" }).click();
      await page.getByLabel("API key, or the address of a share link").fill("wrong");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByText("The store does not know this key, or it has ended.").waitFor();
      await expectAccessible(page);
      await picture("sign-in-refused");
      await page.getByLabel("API key, or the address of a share link").fill(ROOT.secret);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.locator(".album-card", { hasText: "Alps" }).waitFor();
      await page.reload();
      await page.locator(".album-card", { hasText: "Alps" }).waitFor();
      await page.getByRole("button", { name: "Account" }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await page.getByText("There is nothing public here.").waitFor();
      expect(await page.locator(".album-card").count()).toBe(0);
    });
  });

  test("an album is shared by a link, which shows a guest the album and nothing else, until it is revoked", async () => {
    let url = "";
    await world.visit("/albums/Alps", { size, ...signedIn }, async ({ page, picture }) => {
      await page.getByRole("button", { name: "Actions for Alps" }).click();
      await page.getByRole("menuitem", { name: "Share" }).click();
      await page.getByLabel("For whom").fill("Ann <b>");
      await page.getByRole("button", { name: "Make a link" }).click();
      url = await page.getByLabel("Link", { exact: true }).inputValue();
      await page.getByText("Ann <b>").waitFor();
      await expectAccessible(page);
      await picture("share");
    });
    await world.visit(new URL(url).pathname, { size, expected: [/status of 40[134]/] }, async ({ page }) => {
      await page.getByRole("heading", { name: "Alps" }).waitFor();
      await page.locator(".tile").nth(3).waitFor();
      expect(new URL(page.url()).pathname).toBe("/albums/Alps");
      expect(await page.getByRole("button", { name: "Actions for Alps" }).count()).toBe(0);
      expect(await page.getByRole("button", { name: "Add pictures" }).count()).toBe(0);
      expect(await page.getByRole("navigation").isVisible()).toBe(false);
      // There is nothing that a guest could do with chosen pictures.
      expect(await page.getByRole("checkbox").count()).toBe(0);
      await page.locator('[data-index="0"] .picture').focus();
      await page.keyboard.press("Control+a");
      await page.locator('[data-index="0"] .picture').click();
      await page.getByRole("button", { name: "Details" }).waitFor();
      expect(await page.getByRole("toolbar").count()).toBe(0);
      expect(await page.getByRole("button", { name: "Download" }).count()).toBe(0);
      expect(await page.getByRole("button", { name: "Delete" }).count()).toBe(0);
      const { items } = (await (await root.fetch("/v1/albums/Alps/shares")).json()) as { items: { id: string }[] };
      for (const { id } of items) await root.fetch(`/v1/albums/Alps/shares/${id}`, { method: "DELETE" });
      await page.reload();
      await page.getByText("Your session has ended. Sign in again to go on.").waitFor();
      expect(await page.locator(".tile").count()).toBe(0);
    });
    await world.visit(new URL(url).pathname, { size, expected: [/status of 404/] }, async ({ page }) => {
      await page.getByText("This link does not work any more.").waitFor();
    });
  });

  test("events appear as they come, whole when opened, and by kind", async () => {
    await world.visit("/events", { size, ...signedIn }, async ({ page, picture }) => {
      await page.getByText("Alps / photo-004.jpg").first().waitFor();
      await root.send("POST", "/v1/albums", { name: `Of a ${size}`, description: "Just made." });
      await page.getByRole("button", { name: new RegExp(`album created Of a ${size} root`) }).click();
      await page.getByLabel("The whole event").getByText("Just made.").waitFor();
      const tools = page.locator(".events-tools > *");
      expect(await tools.count()).toBe(5);
      const tops = await tools.evaluateAll((all) => all.map((one) => Math.round(one.getBoundingClientRect().top)));
      expect(new Set(tops).size).toBeLessThanOrEqual(3);
      await expectAccessible(page);
      await picture("events");
      await page.getByLabel("Kind of event").selectOption("album");
      await page.getByText("Alps / photo-004.jpg").first().waitFor({ state: "detached" });
      await page.getByRole("button", { name: /album created Alps/ }).waitFor();
      await page.getByLabel("Kind of event").selectOption("");
      await page.getByText("Alps / photo-004.jpg").first().waitFor();
      const filter = page.getByLabel("Only of the album");
      // The suggestions open over the field, and are chosen by keys or by a tap.
      await filter.click();
      const offered = page.getByRole("listbox", { name: "Albums that begin so" }).getByRole("option");
      await offered.filter({ hasText: "Alps" }).waitFor();
      await filter.fill("Of");
      await offered.filter({ hasText: "Alps" }).waitFor({ state: "detached" });
      await offered.filter({ hasText: `Of a ${size}` }).waitFor();
      await expectAccessible(page);
      await picture("events-suggestions");
      const order = await offered.allTextContents();
      for (let step = 0; step <= order.indexOf(`Of a ${size}`); step += 1) await filter.press("ArrowDown");
      await filter.press("Enter");
      expect(await filter.inputValue()).toBe(`Of a ${size}`);
      expect(await offered.count()).toBe(0);
      await page.getByText("Alps / photo-004.jpg").first().waitFor({ state: "detached" });
      await page.getByRole("button", { name: new RegExp(`album created Of a ${size}`) }).waitFor();
      expect(await page.locator(".event-name").allTextContents()).toEqual([`Of a ${size}`]);
      await root.send("POST", "/v1/albums", { name: `Another of a ${size}` });
      expect((await root.fetch(`/v1/albums/Of%20a%20${size}`, { method: "DELETE" })).status).toBe(204);
      await page.getByRole("button", { name: new RegExp(`album deleted Of a ${size}`) }).waitFor();
      expect(await page.locator(".event-name").count()).toBe(2);
      await filter.fill("");
      await filter.press("Enter");
      await page.getByRole("button", { name: new RegExp(`album created Another of a ${size}`) }).waitFor();
    });
    await world.visit("/events", { size, ...signedIn, expected: [/status of 404/] }, async ({ page }) => {
      const filter = page.getByLabel("Only of the album");
      await filter.fill("Al");
      await page.getByRole("option", { name: "Alps" }).click();
      expect(await filter.inputValue()).toBe("Alps");
      const ofAlps = page.getByRole("button", { name: /Alps/ });
      await ofAlps.first().waitFor();
      await filter.fill("missing");
      await filter.press("Enter");
      await page.getByRole("alert").getByText("This album does not exist.").waitFor();
      expect(await ofAlps.count()).toBe(0);
      await root.send("PATCH", "/v1/albums/Alps", { description: `seen on a ${size}` });
      await root.send("POST", "/v1/albums", { name: "missing" });
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("button", { name: /album created missing/ }).waitFor();
      expect(await ofAlps.count()).toBe(0);
      expect((await root.fetch("/v1/albums/missing", { method: "DELETE" })).status).toBe(204);
    });
  });

  test("the cache of variants is shown as the metrics of the node count it", async () => {
    const { items } = await jsonOf<{ items: { links: { content: string } }[] }>(
      await root.fetch("/v1/albums/Alps/images"),
    );
    for (const { links } of items.concat(items)) expect((await root.fetch(`${links.content}?w=160`)).status).toBe(200);
    await world.visit("/admin", { size, ...signedIn }, async ({ page, picture }) => {
      const cache = page.getByRole("region", { name: "Cache of variants" });
      await cache.scrollIntoViewIfNeeded();
      await cache.getByText("Found in the cache").waitFor();
      const shown = await cache.locator("dd").allTextContents();
      const metrics = await (await root.fetch("/metrics")).text();
      const counted = new Map(metrics.split("\n").map((line) => line.split(/ (?=\S+$)/) as [string, string]));
      const valueOf = (name: string) => Number(counted.get(`image_store_variant_${name}`));
      expect(valueOf("cache_entries")).toBeGreaterThanOrEqual(items.length);
      expect(shown[0]).toBe(String(valueOf("cache_entries")));
      expect(shown[1]).toMatch(/^[1-9][\d.]* [KM]?B$/);
      const [hits, misses] = ["hit", "miss"].map((outcome) => valueOf(`lookups_total{outcome="${outcome}"}`)) as [
        number,
        number,
      ];
      expect(hits).toBeGreaterThanOrEqual(items.length);
      expect(Number.parseFloat(shown[2] ?? "")).toBeCloseTo((100 * hits) / (hits + misses), 0);
      await cache.scrollIntoViewIfNeeded();
      await picture("variant-cache");
    });
  });

  test("keys, quotas and totals are administered", async () => {
    const name = `web-${size}`;
    const grants = [{ rights: ["read"], albums: "*" }];
    const { id } = await jsonOf<{ id: string }>(
      await root.send("POST", "/v1/keys", { name: `limited-${size}`, grants }),
    );
    for (const of of ["albums/Alps", `keys/${id}`])
      expect((await root.send("PUT", `/v1/quotas/${of}`, { maxImages: 20 })).status).toBe(200);
    await world.visit("/admin", { size, ...signedIn }, async ({ page, picture }) => {
      const quotas = page.getByRole("list", { name: "Quotas" }).getByRole("listitem");
      await quotas.filter({ hasText: "Album Alps" }).getByText("4 pictures of 20").waitFor();
      await quotas
        .filter({ hasText: `API key limited-${size}` })
        .getByText("0 pictures of 20")
        .waitFor();
      const totals = page.getByRole("region", { name: "In the store" });
      await totals.getByText("4", { exact: true }).waitFor();
      await page.getByRole("button", { name: "Quota of the store" }).click();
      await page.getByRole("dialog").getByLabel("Pictures").fill("1000");
      await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
      await page.getByText("4 pictures of 1,000").waitFor();
      await page.getByRole("button", { name: "Quota of the store" }).click();
      expect(await page.getByRole("dialog").getByLabel("Pictures").inputValue()).toBe("1000");
      expect(await page.getByRole("dialog").getByLabel("Gigabytes").inputValue()).toBe("");
      await page.keyboard.press("Escape");

      await page.getByRole("button", { name: "New key" }).click();
      await page.getByRole("dialog").getByLabel("Name").fill(name);
      await page.getByRole("dialog").getByLabel("Albums, separated by commas").fill("client-*");
      await expectAccessible(page);
      await page.getByRole("dialog").getByRole("button", { name: "New key" }).click();
      const secret = await page.getByLabel("The new key").and(page.getByRole("textbox")).inputValue();
      expect((await world.store.fetch("/v1/me", { headers: { Authorization: `Bearer ${secret}` } })).status).toBe(200);
      await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
      await page.getByText("read on client-*").first().waitFor();
      await picture("admin");
      await expectAccessible(page);

      await page.getByRole("button", { name: `Revoke the key ${name}` }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
      await page.getByRole("button", { name: `Revoke the key ${name}` }).waitFor({ state: "detached" });
      const refused = await world.store.fetch("/v1/me", { headers: { Authorization: `Bearer ${secret}` } });
      expect(refused.status).toBe(401);
    });
  });
});

describe.skipIf(!isRun).each(SIZE_NAMES)("on a %s", (size) => {
  test("a durable reader of the log is set back to a time, and deleted", async () => {
    const name = `reader-${size}`;
    await using catalog = await world.store.openCatalog();
    const { lastSequence } = await catalog.log();
    await catalog.write({ type: "registerCursor", name });
    await catalog.write({ type: "advanceCursor", name, seq: lastSequence });
    await world.visit("/admin", { size, ...signedIn, expected: [/status of 4(00|22)/] }, async ({ page, picture }) => {
      const reader = page.getByRole("listitem").filter({ hasText: name });
      await reader.getByText("up to date").waitFor();
      await page.getByRole("button", { name: `Rewind the reader ${name}` }).click();
      const dialog = page.getByRole("dialog", { name: `Rewind the reader ${name}` });
      await dialog.getByLabel("Time or cursor").fill("yesterday");
      await dialog.getByRole("button", { name: "Rewind" }).click();
      await dialog.getByRole("alert").waitFor();
      await expectAccessible(page);
      await picture("rewind");
      await dialog.getByLabel("Time or cursor").fill("2020-01-01 00:00");
      await dialog.getByRole("button", { name: "Rewind" }).click();
      await reader.getByText(/^\d+ events and .* behind/).waitFor();
      await page.getByRole("button", { name: `Delete the reader ${name}` }).click();
      await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
      await reader.waitFor({ state: "detached" });
    });
  });
});

describe.skipIf(!isRun)("a session", () => {
  test("that ends while an album is open is said, and the page goes on after signing in", async () => {
    const made = await root.send("POST", "/v1/keys", { name: "short", grants: [{ rights: ["read"], albums: "*" }] });
    const { id, secret } = (await made.json()) as { id: string; secret: string };
    await world.visit("/albums/Alps", { signedInWith: secret, expected: [/status of 40[14]/] }, async ({ page }) => {
      await page.locator(".tile").nth(3).waitFor();
      await root.fetch(`/v1/keys/${id}`, { method: "DELETE" });
      await page.getByLabel("Order of the pictures").selectOption("name");
      await page.getByText("Your session has ended. Sign in again to go on.").waitFor();
      await until(async () => (await page.getByRole("alert").count()) === 1);
      await expectAccessible(page);
      await page.getByRole("link", { name: "Sign in" }).first().click();
      await page.getByLabel("API key, or the address of a share link").fill(ROOT.secret);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.locator(".tile").nth(3).waitFor();
      expect(new URL(page.url()).pathname).toBe("/albums/Alps");
    });
  });

  test("is asked for where a visitor opens the events or the administration", async () => {
    await world.visit("/admin", {}, async ({ page }) => {
      await page.getByLabel("API key, or the address of a share link").fill(ROOT.secret);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Administration" }).waitFor();
    });
  });
});
