import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { hasChromium, startChromium } from "../services/chromium.ts";
import { freePort } from "../services/free-ports.ts";
import { until } from "../waiting.ts";
import { codeOf, environmentOf, isUp, saidBy } from "./page.ts";

const isRun = hasChromium();
const root = join(import.meta.dir, "../..");
const PHOTO = { name: "dusk.jpg", mimeType: "image/jpeg" };

let folder: string;
let browser: Browser;
let applicationUrl: string;
let storeUrl: string;
const running: Bun.Subprocess[] = [];

/** The commands of the page, in a folder with the application; ports are those of this test. */
function run(
  commands: string,
  ports: Readonly<Record<string, string>>,
): Bun.Subprocess<"ignore", "inherit", "inherit"> {
  const pasted = Object.entries(ports).reduce((text, [shown, ours]) => text.replaceAll(shown, ours), commands);
  return Bun.spawn(["bash", "-c", `image-store() { exec bun ${root}/src/main.ts "$@"; }\n${pasted}`], {
    cwd: folder,
    env: {
      ...environmentOf(storeUrl),
      PORT: new URL(applicationUrl).port,
    },
    stdin: "ignore",
    stdout: "inherit",
    stderr: "inherit",
  });
}

beforeAll(async () => {
  if (!isRun) return;
  const { js: [program = ""] = [], sh: [makeKey = "", startStore = "", startApplication = ""] = [] } =
    codeOf("own-login");
  folder = await mkdtemp(join(tmpdir(), "image-store-login-"));
  await Bun.write(join(folder, "gallery.mjs"), program);
  applicationUrl = `http://127.0.0.1:${await freePort()}`;
  storeUrl = `http://localhost:${await freePort()}`;
  const ports = { "http://127.0.0.1:3000": applicationUrl, "http://localhost:8080": storeUrl };
  expect(await run(makeKey, ports).exited).toBe(0);
  running.push(run(startStore, ports));
  running.push(run(`exec env ${startApplication}`, ports));
  await until(() => isUp(`${storeUrl}/readyz`), 20);
  await until(() => isUp(applicationUrl), 20);
  browser = await startChromium();
});
afterAll(async () => {
  if (!isRun) return;
  await browser.close();
  for (const child of running) child.kill();
  await Promise.all(running.map(({ exited }) => exited));
  await rm(folder, { recursive: true });
});

async function signIn(name: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(applicationUrl);
  await page.fill("[name=user]", name);
  await page.click("button");
  return page;
}

/** What the page's own session may do, with the token that it has. */
const statusOf = (page: Page, method: string, path: string): Promise<number> =>
  page.evaluate(`(async () => {
    const { token } = await (await fetch("/token", { method: "POST" })).json();
    const headers = { Authorization: "Bearer " + token };
    return (await fetch("${storeUrl}/v1" + ${JSON.stringify(path)}, { method: "${method}", headers })).status;
  })()`);

describe.skipIf(!isRun)("the recipe for an application with its own login", () => {
  test("gives each user an album, which the browser uploads to and shows", async () => {
    const ann = await signIn("ann");
    expect(await saidBy(ann)).toBe("Done.");
    await ann.setInputFiles("[type=file]", {
      ...PHOTO,
      buffer: Buffer.from(await Bun.file(`${root}/docs/dusk.jpg`).bytes()),
    });
    await ann.waitForFunction("document.querySelector('main img')?.naturalWidth === 240");
    expect(await statusOf(ann, "GET", "/albums/u-ann/images/dusk.jpg")).toBe(200);

    const bob = await signIn("bob");
    expect(await saidBy(bob)).toBe("Done.");
    expect(await bob.locator("main img").count()).toBe(0);
    expect(await statusOf(bob, "GET", "/albums/u-ann/images/dusk.jpg")).toBe(404);
    expect(await statusOf(bob, "GET", "/albums/u-ann/images/dusk.jpg/content")).toBe(404);
    expect(await statusOf(bob, "DELETE", "/albums/u-ann")).toBe(404);
    expect(await statusOf(bob, "PUT", "/albums/u-carl")).toBe(404);
    expect(await statusOf(bob, "GET", "/events")).toBe(403);
  });

  test.each(["*", "..", "ann/../bob"])("gives a user of the name %s nothing of others", async (name) => {
    const page = await signIn(name);
    expect(await saidBy(page)).not.toBe("Done.");
    for (const path of ["/albums/u-ann", "/albums/u-bob", "/albums/u-*"])
      expect([403, 404]).toContain(await statusOf(page, "GET", path));
  });

  test("shows nothing without a token", async () => {
    const albums = await fetch(`${storeUrl}/v1/albums`);
    expect(await albums.json()).toMatchObject({ items: [] });
    expect((await fetch(`${storeUrl}/v1/albums/u-ann`)).status).toBe(404);
    expect((await fetch(`${applicationUrl}/token`, { method: "POST" })).status).toBe(401);
  });
});
