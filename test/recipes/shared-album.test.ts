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
const { js: [program = ""] = [], sh: [startStore = "", startPage = "", share = "", revoke = ""] = [] } =
  codeOf("shared-album");

let folder: string;
let browser: Browser;
let siteUrl: string;
let storeUrl: string;
const running: Bun.Subprocess[] = [];

/** Commands of the page, in a folder with the gallery. */
function run(commands: string): Bun.Subprocess<"ignore", "pipe", "inherit"> {
  const installed = `image-store() { bun ${root}/src/main.ts "$@"; }\nnode() { bun "$@"; }\n`;
  return Bun.spawn(["bash", "-ec", installed + commands], {
    cwd: folder,
    env: environmentOf(storeUrl),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
}

/** What the commands print. */
async function outputOf(commands: string): Promise<string> {
  const child = run(commands);
  const text = await child.stdout.text();
  expect(await child.exited).toBe(0);
  return text.trim();
}

beforeAll(async () => {
  if (!isRun) return;
  folder = await mkdtemp(join(tmpdir(), "image-store-shared-"));
  siteUrl = `http://127.0.0.1:${await freePort()}`;
  storeUrl = `http://127.0.0.1:${await freePort()}`;
  // The ports are those of this test; all else is run as the page shows it.
  const placed = program.replace("http://127.0.0.1:8080", storeUrl).replace("http://127.0.0.1:3000", siteUrl);
  await Bun.write(join(folder, "gallery.mjs"), placed);
  await Bun.write(join(folder, "dusk.jpg"), Bun.file(join(root, "docs/dusk.jpg")));
  running.push(run(startStore.replace(" image-store\n", ` exec bun ${root}/src/main.ts\n`)));
  running.push(run(startPage.replace("node ", "exec bun ")));
  await until(() => isUp(`${storeUrl}/readyz`), 20);
  await until(() => isUp(siteUrl), 20);
  browser = await startChromium();
});
afterAll(async () => {
  if (!isRun) return;
  await browser.close();
  for (const child of running) child.kill();
  await Promise.all(running.map(({ exited }) => exited));
  await rm(folder, { recursive: true });
});

/** Of a busy machine the first answer may be 503, and then a person reloads. */
async function pictureWidth(page: Page): Promise<number> {
  for (;;) {
    await page.waitForFunction("document.querySelector('main img')?.complete");
    const width = await page.evaluate<number>("document.querySelector('main img').naturalWidth");
    if (width > 0) return width;
    await page.reload();
  }
}

const statusOf = (page: Page, method: string, path: string) =>
  page.evaluate<number>(`fetch(${JSON.stringify(path)}, { method: "${method}" }).then(({ status }) => status)`);

describe.skipIf(!isRun)("the recipe for an album that is shared with a client", () => {
  test("shows the client the pictures, but no originals, until the link is revoked", async () => {
    const link = await outputOf(share);
    expect(link).toStartWith(`${siteUrl}/#imgsh_`);
    const page = await (await browser.newContext()).newPage();
    await page.goto(link);
    expect(await saidBy(page)).toBe("Pictures: 1");
    expect(await pictureWidth(page)).toBe(640);
    expect(await page.textContent("h1")).toBe("Wedding");
    expect(page.url()).toBe(`${siteUrl}/#Wedding`);

    const picture = "/v1/albums/Wedding/images/dusk.jpg";
    expect(await statusOf(page, "GET", `${picture}/content`)).toBe(403);
    expect(await statusOf(page, "DELETE", picture)).toBe(403);
    expect(await statusOf(page, "GET", "/v1/albums/Other")).toBe(404);
    await page.reload();
    expect(await saidBy(page)).toBe("Pictures: 1");

    await outputOf(revoke);
    await page.reload();
    expect(await saidBy(page)).toBe("This link has ended.");
    await page.goto("about:blank");
    await page.goto(link);
    expect(await saidBy(page)).toBe("This link has ended.");
    await page.context().close();
  });
});
