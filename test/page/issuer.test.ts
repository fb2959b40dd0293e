import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { testKeys } from "../http/test-keys.ts";
import { hasChromium } from "../services/chromium.ts";
import { type OidcProvider, PAGE_CLIENT, providerKey, RESOURCE, startProvider } from "../services/oidc-provider.ts";
import { expectAccessible } from "./axe.ts";
import { seedAlbum } from "./seed.ts";
import { endSession, type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** Signing in at a real OpenID provider, and everything that can go wrong on the way. */

const RULES = '[{"claim":"scope","has":"images","rights":["read","write"],"albums":["u-{sub}-*"]}]';
const { API_KEYS, bearer } = testKeys({ boss: "read+write+delete+share+events+admin" });
const isRun = hasChromium();
let provider: OidcProvider;
let world: PageWorld;

const settingsFor = (issuer: string) => ({
  API_KEYS,
  JWT_ISSUER: issuer,
  JWT_AUDIENCE: RESOURCE,
  JWT_RULES: RULES,
  PAGE_CLIENT_ID: PAGE_CLIENT,
  PAGE_SCOPE: "openid images",
  PAGE_LOGIN_QUERY: `resource=${RESOURCE}`,
});

beforeAll(async () => {
  if (!isRun) return;
  provider = await startProvider({ keys: [providerKey("RS256", "first")] });
  world = await startPageWorld(settingsFor(provider.issuer));
  await seedAlbum(world.store, "u-ann-photos", 2, { headers: bearer("boss") });
  await seedAlbum(world.store, "u-bob-photos", 1, { headers: bearer("boss") });
});
afterAll(async () => {
  await world?.[Symbol.asyncDispose]();
  await provider?.[Symbol.asyncDispose]();
});

/** The issuer's own pages are elsewhere, and not ours to judge. */
const expected = [
  /^elsewhere: http:\/\/127\.0\.0\.1:\d+\/(auth|interaction|token)/,
  /fonts\.googleapis\.com/,
  /status of 40[134]/,
  /favicon/,
];
const leave = (page: Page) => page.getByRole("button", { name: /^Continue with 127\.0\.0\.1/ }).click();

/** What a person does at the provider. */
async function signInAt(page: Page, login: string): Promise<void> {
  await page.locator("input[name=login]").fill(login);
  await page.locator("input[name=password]").fill("any");
  await page.locator("button[type=submit]").click();
  await consent(page);
}

async function consent(page: Page): Promise<void> {
  await page.locator("input[name=prompt][value=consent]").waitFor({ state: "attached" });
  await page.locator("button[type=submit]").click();
}

describe.skipIf(!isRun).each(SIZE_NAMES)("on a %s", (size) => {
  test("a person signs in at the issuer, comes back to the same view, and signs out", () =>
    world.visit("/albums/u-ann-photos", { size, expected }, async ({ page, context, picture }) => {
      await page.getByText("This album does not exist.").waitFor();
      await page.getByRole("link", { name: "Sign in" }).click();
      await page.getByRole("button", { name: /^Continue with/ }).waitFor();
      await expectAccessible(page);
      await picture("sign-in-issuer");
      await leave(page);
      await signInAt(page, "ann");
      await page.locator(".tile").nth(1).waitFor();
      expect(new URL(page.url())).toMatchObject({ pathname: "/albums/u-ann-photos", search: "" });
      expect(await page.evaluate("JSON.stringify([localStorage, sessionStorage, document.cookie])")).not.toMatch(
        /eyJ|verifier/,
      );
      expect((await context.cookies(world.store.url)).filter(({ httpOnly }) => !httpOnly)).toEqual([]);
      await page.goto(`${world.store.url}/albums`);
      await page.getByRole("link", { name: "u-ann-photos" }).waitFor();
      expect(await page.getByRole("link", { name: "u-bob-photos" }).count()).toBe(0);
      await page.getByRole("button", { name: "Account" }).click();
      await page.getByRole("menuitem", { name: "Sign out" }).click();
      await page.getByRole("link", { name: "u-ann-photos" }).waitFor({ state: "detached" });
      expect((await page.request.get(`${world.store.url}/v1/albums/u-ann-photos`)).status()).toBe(404);
    }));

  test("a person who refuses at the issuer is told so, and can try again", () =>
    world.visit("/sign-in", { size, expected }, async ({ page, picture }) => {
      await leave(page);
      await page.getByRole("link", { name: /cancel/i }).click();
      await page.getByText("The login did not let you in.").waitFor();
      expect(new URL(page.url())).toMatchObject({ pathname: "/sign-in", search: "" });
      await page.getByRole("button", { name: /^Continue with/ }).waitFor();
      await expectAccessible(page);
      await picture("sign-in-denied");
      await leave(page);
      await signInAt(page, "ann");
      await page.getByRole("link", { name: "u-ann-photos" }).waitFor();
    }));
});

describe.skipIf(!isRun)("a person who comes back", () => {
  const strange = "This answer of the login does not belong to your attempt.";

  test("with a state that the page did not send is not signed in", () =>
    world.visit("/sign-in", { expected }, async ({ page, context }) => {
      await leave(page);
      await page.locator("input[name=login]").waitFor();
      await page.goto(`${world.store.url}/sign-in?code=stolen&state=of-another`);
      await page.getByText(strange).waitFor();
      expect(new URL(page.url()).search).toBe("");
      expect((await context.cookies(world.store.url)).length).toBe(0);
    }));

  test.each([
    ["another nonce", { nonce: "of-another" }],
    ["another client", { aud: "of-another" }],
    ["another issuer", { iss: "https://evil.example" }],
  ])("with an ID token of %s is not signed in", (_what, forged) =>
    world.visit("/sign-in", { expected }, async ({ page, context }) => {
      await context.route(`${provider.issuer}/token`, async (route) => {
        const response = await route.fetch();
        const tokens = (await response.json()) as { id_token: string };
        const [header, payload = "", signature] = tokens.id_token.split(".");
        const claims = { ...JSON.parse(Buffer.from(payload, "base64url").toString()), ...forged };
        const id_token = [header, Buffer.from(JSON.stringify(claims)).toString("base64url"), signature].join(".");
        await route.fulfill({ response, json: { ...tokens, id_token } });
      });
      await leave(page);
      await signInAt(page, "ann");
      await page.getByText(strange).waitFor();
      expect(await page.evaluate("fetch('/v1/session').then(({ status }) => status)")).toBe(404);
    }),
  );

  test("while the token endpoint does not respond is told so, and the code is not kept", () =>
    world.visit("/sign-in", { expected: [...expected, /net::ERR/] }, async ({ page, context }) => {
      await context.route(`${provider.issuer}/token`, (route) => route.abort());
      await leave(page);
      await signInAt(page, "ann");
      await page.getByText("The login does not respond.").waitFor();
      expect(new URL(page.url()).search).toBe("");
      await context.unroute(`${provider.issuer}/token`);
      await leave(page);
      await consent(page);
      await page.getByRole("link", { name: "u-ann-photos" }).waitFor();
    }));

  test("with a token that the store refuses is told who knows why", () =>
    world.visit("/sign-in", { expected }, async ({ page, context }) => {
      await context.route(`${provider.issuer}/token`, async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, json: { ...(await response.json()), access_token: "eyJ.e30.AAAA" } });
      });
      await leave(page);
      await signInAt(page, "ann");
      await page.getByText("The store does not accept what the login gave you.").waitFor();
      await page.getByText(/Request [\da-f-]{36}/).waitFor();
    }));
});

describe.skipIf(!isRun)("a session of the issuer's token", () => {
  test("that ends under a form is renewed at the issuer in another tab, and what was typed is saved", () =>
    world.visit("/albums/u-ann-photos", { expected }, async ({ page, context }) => {
      await page.getByRole("link", { name: "Sign in" }).click();
      await leave(page);
      await signInAt(page, "ann");
      await page.locator('[data-index="0"] .picture').click();
      await page.getByRole("button", { name: "Details" }).click();
      const form = page.getByRole("form", { name: "Edit the picture" });
      await form.getByLabel("Title").fill("Typed before the end");
      await endSession(context, world.store);
      await form.getByRole("button", { name: "Save" }).click();
      const link = form.getByRole("alert").getByRole("link");
      const [beside] = await Promise.all([context.waitForEvent("page"), link.click()]);
      await leave(beside);
      await consent(beside);
      await beside.getByRole("link", { name: "u-ann-photos" }).waitFor();
      await form.getByText("You are signed in again.").waitFor();
      await form.getByRole("button", { name: "Save" }).click();
      await page.getByRole("heading", { name: "Typed before the end" }).waitFor();
    }));
});

describe.skipIf(!isRun)("an issuer that is down", () => {
  test("is told, and keys work", async () => {
    const gone = await startProvider({ keys: [providerKey("RS256", "first")] });
    await gone[Symbol.asyncDispose]();
    await using other = await startPageWorld(settingsFor(gone.issuer));
    await other.visit("/sign-in", { expected: [/status of 503/, /status of 40[14]/] }, async ({ page }) => {
      await page.getByText("The login does not respond.").waitFor();
      await expectAccessible(page);
      await page.getByLabel("API key").fill(bearer("boss").Authorization.slice("Bearer ".length));
      await page.getByRole("button", { name: "Sign in", exact: true }).click();
      await page.getByRole("heading", { name: "Albums", exact: true }).waitFor();
    });
  });
});
