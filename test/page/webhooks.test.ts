import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { Webhook as Verifier } from "standardwebhooks";
import { asRoot, jsonOf, ROOT, ROOT_KEY, type TestStore } from "../http/harness.ts";
import { hasChromium } from "../services/chromium.ts";
import { until } from "../waiting.ts";
import { type Delivery, type Receiver, startReceiver } from "../workers/webhooks/receiver.ts";
import { expectAccessible } from "./axe.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** Webhooks in the administration, with a receiver that answers by the path of the address. */

const HOSTILE = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>\u202E${"W".repeat(400)}`;

const isRun = hasChromium();
let receiver: Receiver;
let world: PageWorld;
let root: TestStore;
const received: Delivery[] = [];
/** Paths that get 410. */
const gone = new Set<string>();

beforeAll(async () => {
  if (!isRun) return;
  receiver = startReceiver((_event, delivery) => {
    received.push(delivery);
    if (gone.has(delivery.path)) return new Response("Gone.", { status: 410 });
    if (delivery.path.includes("hostile")) return new Response(HOSTILE, { status: 500 });
    return new Response("Thanks.");
  });
  const settings = { OUTBOUND_ALLOW: "127.0.0.1", OUTBOUND_HTTP: "true", OUTBOUND_PORTS: "1-65535" };
  const webhookTimes = { pollInterval: 50, saveInterval: 50, retryDelay: () => 3_600_000 };
  world = await startPageWorld({ API_KEYS: ROOT_KEY, ...settings }, { webhookTimes });
  root = asRoot(world.store);
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await receiver?.[Symbol.asyncDispose]();
});

interface Webhook {
  readonly id: string;
  readonly url: string;
  readonly secret: string;
  readonly description: string | null;
  readonly types: readonly string[] | null;
  readonly albums: unknown;
  readonly paused: boolean;
}

const signedIn = { signedInWith: ROOT.secret };
const arrivedAt = (path: string) => received.filter((one) => one.path === `/${path}`);
const createWebhook = async (path: string, body: object = {}) =>
  jsonOf<Webhook>(await root.send("POST", "/v1/webhooks", { url: receiver.url + path, ...body }));
const webhookAt = async (path: string) =>
  (await jsonOf<{ items: Webhook[] }>(await root.fetch("/v1/webhooks?pageSize=1000"))).items.find(
    ({ url }) => url === receiver.url + path,
  );
const createAlbum = async (name: string) => expect((await root.send("POST", "/v1/albums", { name })).status).toBe(201);

const rowOf = (page: Page, path: string) =>
  page
    .getByRole("list", { name: "Webhooks" })
    .getByRole("listitem")
    .filter({ hasText: receiver.url + path });

async function act(page: Page, path: string, action: string): Promise<void> {
  await page.getByRole("button", { name: `Actions for the webhook ${receiver.url}${path}`, exact: true }).click();
  await page.getByRole("menuitem", { name: action, exact: true }).click();
}

/** Reads the webhooks again until one of them says this. */
async function refreshUntil(page: Page, path: string, text: string | RegExp): Promise<void> {
  await until(async () => {
    await page.getByRole("button", { name: "Refresh the webhooks" }).click();
    return (await rowOf(page, path).getByText(text).count()) > 0;
  });
}

async function expectHarmless(page: Page): Promise<void> {
  expect(await page.evaluate("'hacked' in window")).toBe(false);
  expect(await page.locator("img[src=x], script:not([src])").count()).toBe(0);
  const widths = await page.evaluate<readonly number[]>(
    "[document.querySelector('dialog').scrollWidth, document.querySelector('dialog').clientWidth]",
  );
  expect(widths[0]).toBeLessThanOrEqual(widths[1] ?? 0);
}

describe.skipIf(!isRun).each(SIZE_NAMES)("on a %s", (size) => {
  test("a person adds a webhook, and its secret, which is shown once, signs what the receiver gets", async () => {
    const path = `added-${size}`;
    await world.visit("/admin", { size, ...signedIn }, async ({ page, context, picture }) => {
      await context.grantPermissions(["clipboard-read", "clipboard-write"]);
      await page.getByRole("button", { name: "New webhook" }).click();
      const dialog = page.getByRole("dialog", { name: "New webhook" });
      await dialog.getByLabel("Address").fill(receiver.url + path);
      await dialog.getByLabel("Description").fill("Purges <b>the CDN</b>");
      await dialog.getByLabel("Only these").check();
      const make = dialog.getByRole("button", { name: "New webhook" });
      expect(await make.isDisabled()).toBe(true);
      await dialog.getByRole("button", { name: "Events of Albums: none" }).click();
      await dialog.getByLabel("album created").check();
      await dialog.getByLabel("Albums, one on each line").fill(`${path}, with a comma\n${path}-*\n`);
      await expectAccessible(page);
      await picture("webhook-new");
      await make.click();
      const shown = page.getByRole("dialog", { name: "The secret of the webhook" });
      const secret = await shown.getByRole("textbox").inputValue();
      await shown.getByRole("button", { name: "Copy" }).click();
      await page.getByText("Copied.").waitFor();
      expect(await page.evaluate<string>("navigator.clipboard.readText()")).toBe(secret);
      await expectAccessible(page);
      await picture("webhook-secret");
      await shown.getByRole("button", { name: "Close" }).click();
      await rowOf(page, path).getByText(`album created, of ${path}, with a comma, ${path}-*`).waitFor();
      await rowOf(page, path).getByText("Purges <b>the CDN</b>").waitFor();
      await rowOf(page, path)
        .getByText(/^made by root/)
        .waitFor();
      expect(await webhookAt(path)).toMatchObject({
        description: "Purges <b>the CDN</b>",
        types: ["imagestore.album.created"],
        albums: { names: [`${path}, with a comma`, `${path}-*`] },
      });

      await createAlbum(`${path}-1`);
      await createAlbum(`another-${path}`);
      await createAlbum(`${path}, with a comma`);
      await until(() => arrivedAt(path).length === 2);
      for (const { body, headers } of arrivedAt(path)) expect(new Verifier(secret).verify(body, headers)).toBeTruthy();
      await refreshUntil(page, path, /up to date/);
      await page.reload();
      await rowOf(page, path).getByText("Active").waitFor();
      await page.getByText("No durable readers.").waitFor();
      expect(await page.content()).not.toContain("whsec_");
    });
  });

  test("events are chosen by their kinds, which open to single ones", async () => {
    const path = `kinds-${size}`;
    await world.visit("/admin", { size, ...signedIn }, async ({ page, picture }) => {
      await page.getByRole("button", { name: "New webhook" }).click();
      const dialog = page.getByRole("dialog", { name: "New webhook" });
      await dialog.getByLabel("Address").fill(receiver.url + path);
      await dialog.getByLabel("Only these").check();
      const boxes = dialog.getByRole("checkbox");
      expect(await boxes.count()).toBe(8);
      await picture("webhook-kinds");
      await dialog.getByRole("checkbox", { name: "Pictures" }).check();
      const open = dialog.getByRole("button", { name: /^Events of Pictures: / });
      await open.getByText("all", { exact: true }).waitFor();
      await open.click();
      expect(await boxes.count()).toBe(11);
      await dialog.getByLabel("picture deleted").uncheck();
      await open.getByText("2 of 3").waitFor();
      expect(await dialog.getByRole("checkbox", { name: "Pictures" }).isChecked()).toBe(false);
      await dialog.getByRole("checkbox", { name: "Quotas" }).check();
      await expectAccessible(page);
      await picture("webhook-kinds-open");
      await dialog.getByRole("button", { name: "New webhook" }).click();
      await page.getByRole("dialog", { name: "The secret of the webhook" }).waitFor();
      const types = ["imagestore.image.created", "imagestore.image.updated", "imagestore.quota.updated"];
      expect((await webhookAt(path))?.types).toEqual(types);
    });
  });

  test("a webhook is made once where the response to its form is lost", async () => {
    const path = `once-${size}`;
    await world.visit("/admin", { size, ...signedIn, expected: [/net::ERR_FAILED/] }, async ({ page, context }) => {
      let lost = 0;
      await context.route(/\/v1\/webhooks$/, async (route) => {
        if (route.request().method() !== "POST" || lost > 0) return route.continue();
        lost += 1;
        expect((await route.fetch()).status()).toBe(201);
        return route.abort();
      });
      await page.getByRole("button", { name: "New webhook" }).click();
      const dialog = page.getByRole("dialog", { name: "New webhook" });
      await dialog.getByLabel("Address").fill(receiver.url + path);
      await dialog.getByRole("button", { name: "New webhook" }).click();
      await page.getByRole("dialog", { name: "The secret of the webhook" }).waitFor();
      await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();
      await rowOf(page, path).waitFor();
      expect(lost).toBe(1);
      expect(await rowOf(page, path).count()).toBe(1);
    });
  });

  test("an address that the store must not use is refused with its reason, and what was typed stays", async () => {
    await world.visit("/admin", { size, ...signedIn, expected: [/status of 400/] }, async ({ page }) => {
      await page.getByRole("button", { name: "New webhook" }).click();
      const dialog = page.getByRole("dialog", { name: "New webhook" });
      await dialog.getByLabel("Address").fill("http://10.0.0.1/private");
      await dialog.getByRole("button", { name: "New webhook" }).click();
      await dialog.getByRole("alert").getByText("10.0.0.1").first().waitFor();
      expect(await dialog.getByLabel("Address").inputValue()).toBe("http://10.0.0.1/private");
    });
  });

  test("a webhook is paused and goes on, gets another secret, and is deleted after a question", async () => {
    const path = `managed-${size}`;
    const { secret: former } = await createWebhook(path, { types: ["album.created"] });
    await world.visit("/admin", { size, ...signedIn }, async ({ page }) => {
      await act(page, path, "Pause");
      await rowOf(page, path).getByText("Paused").waitFor();
      await createAlbum(`${path}-1`);
      await refreshUntil(page, path, /event[s]? behind/);
      expect(arrivedAt(path)).toEqual([]);
      await act(page, path, "Resume");
      await until(() => arrivedAt(path).length === 1);
      await rowOf(page, path).getByText("Active").waitFor();

      await act(page, path, "Rotate the secret");
      await page.getByRole("dialog").getByRole("button", { name: "Rotate the secret" }).click();
      const shown = page.getByRole("dialog", { name: "The secret of the webhook" });
      const secret = await shown.getByRole("textbox").inputValue();
      await shown.getByRole("button", { name: "Close" }).click();
      await rowOf(page, path)
        .getByText(/^The former secret signs too until/)
        .waitFor();
      await act(page, path, "Send a test event");
      await page.getByRole("dialog").getByText("Delivered: 200").waitFor();
      const [, { body, headers } = { body: "", headers: {} }] = arrivedAt(path);
      for (const one of [former, secret]) expect(new Verifier(one).verify(body, headers)).toBeTruthy();
      await page.getByRole("dialog").getByRole("button", { name: "Close" }).click();

      await act(page, path, "Delete");
      await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click();
      expect(await webhookAt(path)).toBeDefined();
      await act(page, path, "Delete");
      await expectAccessible(page);
      await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
      await rowOf(page, path).waitFor({ state: "detached" });
      expect(await webhookAt(path)).toBeUndefined();
    });
  });

  test("an edit does not overwrite what another person saved meanwhile before that is shown", async () => {
    const path = `edited-${size}`;
    const { id } = await createWebhook(path, { description: "first", types: ["album.created"] });
    const theirs = { description: "theirs", types: ["image.deleted"] };
    await world.visit("/admin", { size, ...signedIn, expected: [/status of 412/] }, async ({ page, picture }) => {
      await act(page, path, "Edit");
      const dialog = page.getByRole("dialog", { name: `Edit the webhook ${receiver.url}${path}` });
      await dialog.getByLabel("Description").fill("mine");
      expect((await root.send("PATCH", `/v1/webhooks/${id}`, theirs)).status).toBe(200);
      await dialog.getByRole("button", { name: "Save" }).click();
      await dialog.getByText("Someone else changed this meanwhile.").waitFor();
      expect(await webhookAt(path)).toMatchObject({ description: "theirs" });
      await dialog.getByRole("button", { name: "Try again" }).click();
      await dialog
        .getByRole("status")
        .getByText(/^Fields that the other person changed too/)
        .waitFor();
      await dialog.getByText("Saved meanwhile: theirs").waitFor();
      expect(await dialog.getByLabel("Description").inputValue()).toBe("mine");
      await expectAccessible(page);
      await picture("webhook-conflict");
      await dialog.getByRole("button", { name: "Save" }).click();
      await rowOf(page, path).getByText("mine").waitFor();
      expect(await webhookAt(path)).toMatchObject({ description: "mine", types: ["imagestore.image.deleted"] });
    });
  });

  test("a webhook whose receiver is gone says so, and is enabled again", async () => {
    const path = `gone-${size}`;
    gone.add(`/${path}`);
    await createWebhook(path, { types: ["album.created"] });
    await createAlbum(`${path}-1`);
    await world.visit("/admin", { size, ...signedIn }, async ({ page }) => {
      await refreshUntil(page, path, /^Disabled .*: the receiver answered 410$/);
      await expectAccessible(page);
      gone.delete(`/${path}`);
      await act(page, path, "Enable");
      await rowOf(page, path).getByText("Active").waitFor();
      await until(() => arrivedAt(path).length === 2);
    });
  });

  test("deliveries are listed newest first, and the receiver's text is never markup", async () => {
    const path = `hostile-${size}`;
    const { id } = await createWebhook(path, { types: ["album.created"] });
    for (let count = 0; count < 30; count++) await createAlbum(`${path}-${count}`);
    const saved = async () =>
      (await jsonOf<{ items: object[] }>(await root.fetch(`/v1/webhooks/${id}/deliveries?pageSize=1000`))).items;
    await until(async () => (await saved()).length === 30);
    await world.visit("/admin", { size, ...signedIn }, async ({ page, picture }) => {
      await refreshUntil(page, path, /^Failing since/);
      await rowOf(page, path).scrollIntoViewIfNeeded();
      await expectAccessible(page);
      await picture("webhooks");
      await act(page, path, "Deliveries");
      const dialog = page.getByRole("dialog", { name: `Deliveries to ${receiver.url}${path}` });
      const attempts = dialog.getByRole("list", { name: "Deliveries" }).getByRole("listitem");
      await attempts.nth(24).waitFor();
      expect(await attempts.count()).toBe(25);
      await dialog.getByRole("button", { name: "Show more" }).click();
      await attempts.nth(29).waitFor();
      expect(await dialog.getByRole("button", { name: "Show more" }).count()).toBe(0);
      const times = await attempts
        .locator("time")
        .evaluateAll((all) => all.map((one) => Date.parse(one.getAttribute("datetime") ?? "")));
      expect(times).toEqual(times.toSorted((a, b) => b - a));
      await attempts.first().getByText("Failed: 500").waitFor();
      await attempts
        .first()
        .getByText(/ms · attempt 1$/)
        .waitFor();
      await attempts.first().getByText("Response").click();
      expect(await attempts.first().locator("pre").textContent()).toContain(HOSTILE.slice(0, 60));
      await expectHarmless(page);
      await attempts.first().scrollIntoViewIfNeeded();
      await expectAccessible(page);
      await picture("webhook-deliveries");
      await dialog.getByRole("button", { name: "Close" }).click();

      await act(page, path, "Send a test event");
      const result = page.getByRole("dialog", { name: `Test of ${receiver.url}${path}` });
      await result.getByText("Failed: 500").waitFor();
      await result.getByText("Response").click();
      await expectHarmless(page);
      await expectAccessible(page);
      await picture("webhook-test");
    });
  });

  test("events are sent again from a time", async () => {
    const path = `replayed-${size}-${"x".repeat(200)}`;
    await createWebhook(path, { types: ["album.created"], albums: { names: [`replayed-${size}`] } });
    await createAlbum(`replayed-${size}`);
    await until(() => arrivedAt(path).length === 1);
    const visit = { size, ...signedIn, expected: [/status of 4(00|22)/] };
    await world.visit("/admin", visit, async ({ page, picture }) => {
      await act(page, path, "Send again");
      const dialog = page.getByRole("dialog");
      await dialog.getByLabel(/^From/).fill("yesterday");
      await dialog.getByRole("button", { name: "Send again" }).click();
      await dialog.getByRole("alert").waitFor();
      await expectHarmless(page);
      await expectAccessible(page);
      await picture("webhook-replay");
      await dialog.getByLabel(/^From/).fill("2020-01-01 00:00");
      await dialog.getByRole("button", { name: "Send again" }).click();
      await page.getByText("The store sends the events again.").waitFor();
      await until(() => arrivedAt(path).length === 2);
      const [first, again] = arrivedAt(path);
      expect(again?.headers["webhook-id"]).toBe(first?.headers["webhook-id"] ?? "none");
    });
  });

  test("an administrator who may not read events changes only the description", async () => {
    const path = `limited-${size}`;
    await createWebhook(path);
    const grants = [{ rights: ["admin"], albums: "*" }];
    const key = await jsonOf<{ secret: string }>(
      await root.send("POST", "/v1/keys", { name: `limited-${size}`, grants }),
    );
    await world.visit("/admin", { size, signedInWith: key.secret, expected: [/status of 403/] }, async ({ page }) => {
      await rowOf(page, path).waitFor();
      expect(await page.getByRole("button", { name: "New webhook" }).count()).toBe(0);
      await act(page, path, "Edit");
      const dialog = page.getByRole("dialog");
      await dialog.getByText(/you need the right to read events/).waitFor();
      expect(await dialog.getByLabel("Address").count()).toBe(0);
      await dialog.getByLabel("Description").fill("for people");
      await dialog.getByRole("button", { name: "Save" }).click();
      await rowOf(page, path).getByText("for people").waitFor();
    });
  });
});
