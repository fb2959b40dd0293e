import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { buildPage } from "../../web/build.ts";
import { cliOf, documentsOf } from "../cli/remote/run-remote.ts";
import { runCli } from "../cli/run-cli.ts";
import { startStore, type TestStore } from "../http/harness.ts";
import { hasChromium, startChromium } from "../services/chromium.ts";
import { freePort } from "../services/free-ports.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { drawPhoto } from "./drawings.ts";
import { seedAlbum } from "./seed.ts";
import { until } from "./until.ts";

/** Two browsers and the command line on one store, which is restarted under them. */

const isRun = hasChromium();
let folder: string;
beforeAll(async () => {
  if (!isRun) return;
  folder = await newFolder("together");
  await buildPage(join(folder, "page"));
});
afterAll(() => (folder === undefined ? undefined : removeFolder(folder)));

interface Together {
  readonly first: Page;
  readonly second: Page;
  readonly both: readonly [Page, Page];
  readonly cli: ReturnType<typeof cliOf>;
  /** A file for the command line. */
  readonly file: (name: string) => Promise<string>;
  /** Stops the store and starts it again at its address. */
  readonly restart: (whileItIsDown?: () => Promise<void>) => Promise<void>;
  readonly dataFolder: string;
}

/** Both browsers on a path, and an album `Shared` of two pictures. */
async function together(name: string, path: string, work: (all: Together) => Promise<void>): Promise<void> {
  const own = join(folder, name);
  const [dataFolder, pageFolder] = [join(own, "data"), join(folder, "page")];
  const PORT = String(await freePort());
  const start = () => startStore({ DATA: dataFolder, PORT }, { pageFolder });
  let store: TestStore = await start();
  const { url } = store;
  const browsers = await Promise.all([startChromium(), startChromium()]);
  try {
    await seedAlbum(store, "Shared", 2);
    const pages = await Promise.all(browsers.map((browser) => browser.newPage({ locale: "en-GB" })));
    await Promise.all(pages.map((page) => page.goto(url + path)));
    const [first, second] = pages as [Page, Page];
    await work({
      first,
      second,
      both: [first, second],
      cli: cliOf(url, own),
      dataFolder,
      file: async (file) => {
        const to = join(own, file);
        await Bun.write(to, await drawPhoto(file.length + file.charCodeAt(0)));
        return to;
      },
      async restart(whileItIsDown) {
        await store[Symbol.asyncDispose]();
        await whileItIsDown?.();
        store = await start();
      },
    });
  } finally {
    await Promise.all(browsers.map((browser) => browser.close()));
    await store[Symbol.asyncDispose]();
  }
}

const isLive = (page: Page) => page.getByText("Live").waitFor();
const hasPictures = (page: Page, count: number) =>
  until(page, `document.querySelectorAll(".tile").length === ${count}`);
const idsOf = (page: Page) =>
  page.evaluate<string[]>(`[...document.querySelectorAll(".tile")].map(({ dataset }) => dataset.imageId)`);

async function ran(command: ReturnType<Together["cli"]>): Promise<readonly Record<string, unknown>[]> {
  const done = await command;
  expect({ code: done.code, err: done.err }).toEqual({ code: 0, err: expect.any(String) });
  return documentsOf(done);
}

const namesOf = async (cli: Together["cli"]) =>
  (await ran(cli("ls", "Shared", "--json"))).map(({ name }) => String(name)).toSorted();

async function rename(page: Page, title: string): Promise<void> {
  await page.getByRole("button", { name: /^Actions for/ }).click();
  await page.getByRole("menuitem", { name: "Edit" }).click();
  await page.getByRole("dialog").getByRole("textbox", { name: "Title" }).fill(title);
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
}

async function add(page: Page, name: string): Promise<void> {
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    page.getByRole("button", { name: "Add pictures" }).click(),
  ]);
  await chooser.setFiles([{ name, mimeType: "image/jpeg", buffer: Buffer.from(await drawPhoto(20)) }]);
}

describe.skipIf(!isRun)("two browsers and the command line on one album", () => {
  test("see each other's changes, also those around a restart of the store", async () => {
    await together("album", "/albums/Shared", async ({ first, second, both, cli, file, restart }) => {
      for (const page of both) await hasPictures(page, 2);
      for (const page of both) await isLive(page);

      await ran(cli("put", await file("cli.jpg"), "Shared", "--json"));
      for (const page of both) await hasPictures(page, 3);

      await add(first, "first.jpg");
      await hasPictures(second, 4);
      expect(await namesOf(cli)).toEqual(["cli.jpg", "first.jpg", "photo-001.jpg", "photo-002.jpg"]);

      await rename(second, "Together");
      await first.getByRole("heading", { name: "Together" }).waitFor();
      expect(await ran(cli("stat", "Shared", "--json"))).toEqual([expect.objectContaining({ title: "Together" })]);

      await restart(async () => {
        for (const page of both) await page.getByText("Reconnecting…").waitFor();
      });
      await ran(cli("rm", "Shared/first.jpg", "--json"));
      await ran(cli("put", await file("after.jpg"), "Shared", "--json"));
      for (const page of both) {
        await isLive(page);
        await hasPictures(page, 4);
      }
      await ran(cli("put", await file("last.jpg"), "Shared", "--json"));
      for (const page of both) await hasPictures(page, 5);
      expect(await idsOf(first)).toEqual(await idsOf(second));
      const records = await ran(cli("ls", "Shared", "--json"));
      expect((await idsOf(first)).toSorted()).toEqual(records.map(({ id }) => String(id)).toSorted());
      expect(await namesOf(cli)).toEqual(["after.jpg", "cli.jpg", "last.jpg", "photo-001.jpg", "photo-002.jpg"]);
    });
  });
});

describe.skipIf(!isRun)("after the log has begun anew, which makes every cursor invalid,", () => {
  test("an album and the list of albums are read again and followed from there", async () => {
    await together("epoch", "/albums/Shared", async ({ first, second, both, cli, file, restart, dataFolder }) => {
      await second.goto(new URL("/", second.url()).href);
      await second.locator(".album-card", { hasText: "2 pictures" }).waitFor();
      await hasPictures(first, 2);
      for (const page of both) await isLive(page);
      const refused: string[] = [];
      for (const page of both)
        page.on("response", (response) => {
          if (response.status() === 410) refused.push(new URL(page.url()).pathname);
        });
      await restart(async () => {
        expect(await runCli(["epoch", "--renew"], dataFolder)).toMatchObject({ code: 0 });
      });
      await ran(cli("put", await file("missed.jpg"), "Shared", "--json"));
      await hasPictures(first, 3);
      await second.locator(".album-card", { hasText: "3 pictures" }).waitFor();
      expect(new Set(refused)).toEqual(new Set(["/", "/albums/Shared"]));
      for (const page of both) await isLive(page);
      await ran(cli("put", await file("seen.jpg"), "Shared", "--json"));
      await hasPictures(first, 4);
      await second.locator(".album-card", { hasText: "4 pictures" }).waitFor();
    });
  });

  test("the events are listed from the log's new beginning, and the page says so", async () => {
    await together("events", "/events", async ({ first, cli, file, restart, dataFolder }) => {
      await first.getByText("photo-002.jpg").waitFor();
      await restart(async () => {
        expect(await runCli(["epoch", "--renew"], dataFolder)).toMatchObject({ code: 0 });
      });
      await first.getByText("The store no longer has the events after the last one").waitFor();
      await ran(cli("put", await file("new.jpg"), "Shared", "--json"));
      await first.getByText("new.jpg").waitFor();
    });
  });
});
