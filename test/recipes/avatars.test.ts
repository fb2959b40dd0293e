import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "../http/harness.ts";
import { newPng } from "../http/image-fixtures.ts";
import { hasChromium, startChromium } from "../services/chromium.ts";
import { codeOf } from "./page.ts";

const isRun = hasChromium();
const cli = ["bun", join(import.meta.dir, "../../src/main.ts")];

const photo = readFileSync(join(import.meta.dir, "../../docs/dusk.jpg"));

let browser: Browser;
let store: TestStore;
let folder: string;
let site: Bun.Subprocess<"ignore", "pipe", "inherit">;
let siteUrl: string;
let key: string;

beforeAll(async () => {
  if (!isRun) return;
  const { js: [program = ""] = [], sh: [makeKey = "", start = ""] = [] } = codeOf("avatars");
  const made = Bun.spawnSync(["bash", "-c", `image-store() { ${cli.join(" ")} "$@"; }\n${makeKey}`]);
  const [secret = "", line = ""] = made.stdout.toString().split("\n");
  key = secret;
  store = await startStore({ API_KEYS: line });
  folder = await mkdtemp(join(tmpdir(), "image-store-avatars-"));
  await Bun.write(join(folder, "avatars.mjs"), program);
  // Of the page but for the port of the store.
  const command = start.replace("http://localhost:8080", store.url);
  expect(command).not.toBe(start);
  site = Bun.spawn(["bash", "-c", command], {
    cwd: folder,
    env: { ...process.env, key, PORT: "0" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  siteUrl = await firstUrlOf(site.stdout);
  browser = await startChromium();
});
afterAll(async () => {
  if (!isRun) return;
  await browser.close();
  site.kill();
  await site.exited;
  await store[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

async function firstUrlOf(output: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of output) {
    text += Buffer.from(chunk).toString();
    const url = /http:\S+(?=\n)/.exec(text)?.[0];
    if (url !== undefined) return url;
  }
  throw new Error(`The site did not start: ${text}`);
}

const authorized = {
  headers: {
    get Authorization() {
      return `Bearer ${key}`;
    },
  },
};
const avatars = async () =>
  (await jsonOf<{ items: readonly Image[] }>(await store.fetch("/v1/albums/avatars/images", authorized))).items;

async function choose(page: Page, buffer: Buffer, mimeType = "image/png", name = "me.png") {
  await page.locator("input").setInputFiles({ name, mimeType, buffer });
  await page.waitForFunction('document.querySelector("output").value !== ""');
  return page.locator("output").textContent();
}

const shownWidth = (page: Page) =>
  page.waitForFunction("document.querySelector('img').naturalWidth").then((width) => width.jsonValue());

describe.skipIf(!isRun)("the recipe for avatars", () => {
  test("uploads from the browser with progress, and shows 64 pixels", async () => {
    const page = await (await browser.newContext()).newPage();
    const sent: string[] = [];
    page.on("request", (request) =>
      sent.push(`${request.method()} ${request.url()} ${JSON.stringify(request.headers())}`),
    );
    await page.goto(siteUrl);
    await page.evaluate(`
      window.shares = [];
      new MutationObserver(() => shares.push(document.querySelector("progress").value))
        .observe(document.querySelector("progress"), { attributes: true });
    `);
    expect(await choose(page, photo, "image/jpeg", "me.jpg")).toBe("Done.");
    expect(await shownWidth(page)).toBe(64);
    const shares = await page.evaluate<number[]>("shares");
    expect(shares.at(-1)).toBe(1);

    const [image, ...others] = await avatars();
    expect(others).toEqual([]);
    expect(image).toMatchObject({ metadata: { user: "anna" }, contentType: "image/jpeg" });
    // The bytes went to the store itself, and the key nowhere.
    expect(sent.filter((request) => request.startsWith(`PUT ${store.url}/v1/uploads/`))).toHaveLength(1);
    for (const request of sent) expect(request).not.toContain(key);

    expect(await choose(page, newPng(100_000))).toBe("Done.");
    const after = await avatars();
    expect(after).toHaveLength(1);
    expect(after[0]?.id).not.toBe(image?.id as string);
    await page.context().close();
  });

  test("shows why an upload is refused, and keeps the avatar", async () => {
    const page = await (await browser.newContext()).newPage();
    await page.goto(siteUrl);
    expect(await choose(page, photo, "image/jpeg", "me.jpg")).toBe("Done.");
    const before = await avatars();
    expect(await choose(page, newPng(5_000_001))).toContain("5000000 bytes");
    expect(await choose(page, Buffer.from("no image"))).toContain("image");
    expect(await choose(page, Buffer.from("GIF89a"), "image/gif", "me.gif")).toContain("image/gif");
    expect(await shownWidth(page)).toBe(64);
    expect(await avatars()).toEqual(before);
    await page.context().close();
  });

  test("uploads again by itself when the response is lost", async () => {
    const page = await (await browser.newContext()).newPage();
    let lost = 0;
    await page.route("**/v1/uploads/*", async (route) => {
      if (route.request().method() !== "PUT" || lost++ > 0) return route.continue();
      await route.fetch();
      await route.abort("connectionreset");
    });
    await page.goto(siteUrl);
    expect(await choose(page, newPng(20_000))).toBe("Done.");
    expect(lost).toBe(2);
    expect(await avatars()).toHaveLength(1);
    await page.context().close();
  });
});
