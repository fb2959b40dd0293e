import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Download, Page } from "playwright-core";
import { readZip } from "../read-zip.ts";
import { hasChromium } from "../services/chromium.ts";
import { drawPhoto } from "./drawings.ts";
import { seedAlbum } from "./seed.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** What the browser saves of the pictures that are chosen. */

const COUNT = 7;
const isRun = hasChromium();
let world: PageWorld;
let photos: readonly Buffer[];
beforeAll(async () => {
  if (!isRun) return;
  world = await startPageWorld();
  await seedAlbum(world.store, "Alps", COUNT);
  photos = await Promise.all(
    ["photo-001.jpg", "photo-002.jpg", "photo-003.jpg"].map(async (name) => {
      const response = await world.store.fetch(`/v1/albums/Alps/images/${name}/content`);
      return Buffer.from(await response.arrayBuffer());
    }),
  );
});
afterAll(() => world?.[Symbol.asyncDispose]());

async function choose(page: Page, count: number, album: string): Promise<void> {
  await page.addInitScript(`localStorage.setItem("image-store.order", "name")`);
  await page.goto(`${world.store.url}/albums/${encodeURIComponent(album)}`);
  await page.locator('[data-index="0"] a').focus();
  await page.keyboard.press(" ");
  for (let index = 1; index < count; index++) await page.keyboard.press("Shift+ArrowRight");
  await page.getByText(`${count} chosen`).waitFor();
}

interface Saved {
  readonly name: string;
  readonly bytes: Buffer;
  readonly url: string;
}

async function download(page: Page): Promise<Saved> {
  const [saved] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("toolbar").getByRole("button", { name: "Download" }).click(),
  ]);
  return { name: saved.suggestedFilename(), bytes: await bytesOf(saved), url: saved.url() };
}

const bytesOf = async (saved: Download): Promise<Buffer> => Buffer.from(await Bun.file(await saved.path()).bytes());

describe.skipIf(!isRun).each(SIZE_NAMES)("a download on a %s", (size) => {
  test("of one picture is its file, of several a ZIP archive of them, and of all the store's archive", async () => {
    await world.visit("/", { size }, async ({ page }) => {
      await choose(page, 1, "Alps");
      expect(await download(page)).toMatchObject({ name: "photo-001.jpg", bytes: photos[0] as Buffer });

      await choose(page, 3, "Alps");
      const told = page.getByText("The browser saves 3 pictures.").waitFor();
      const [part] = await Promise.all([download(page), told]);
      expect(part.name).toBe("Alps.zip");
      expect(readZip(part.bytes)).toEqual(
        new Map(photos.map((bytes, index) => [`photo-00${index + 1}.jpg`, bytes] as const)),
      );

      await choose(page, COUNT, "Alps");
      const all = await download(page);
      expect([all.name, all.url, readZip(all.bytes).size]).toEqual([
        "Alps.zip",
        `${world.store.url}/v1/albums/Alps/zip`,
        COUNT,
      ]);
    });
  });
});

describe.skipIf(!isRun)("an archive of several pictures", () => {
  test("has a name for each that every system takes", async () => {
    const album = "Odd: names";
    await world.store.send("POST", "/v1/albums", { name: album });
    const bytes = [await drawPhoto(1), await drawPhoto(2), await drawPhoto(3), await drawPhoto(4)];
    for (const [index, name] of ["a:b.jpg", "a_b.jpg", "lake", "zzz.jpg"].entries()) {
      const path = `/v1/albums/${encodeURIComponent(album)}/images/${encodeURIComponent(name)}/content`;
      expect((await world.store.fetch(path, { method: "PUT", body: bytes[index] ?? null })).status).toBe(201);
    }
    await world.visit("/", {}, async ({ page }) => {
      await choose(page, 3, album);
      const { bytes: archive } = await download(page);
      expect([...readZip(archive).keys()]).toEqual(["a_b.jpg", "a_b (2).jpg", "lake.jpg"]);
    });
  });

  test("leaves out one that was deleted meanwhile, and is not saved if another fails", async () => {
    await seedAlbum(world.store, "Short", 4);
    await world.visit("/", { expected: [/status of 404/, /status of 500/] }, async ({ page }) => {
      await choose(page, 3, "Short");
      const { id } = (await (await world.store.fetch("/v1/albums/Short/images/photo-002.jpg")).json()) as {
        id: string;
      };
      await page.route(`**/v1/images/${id}`, (route) =>
        route.fulfill({
          status: 404,
          headers: { "Content-Type": "application/problem+json", "X-Request-Id": "1" },
          json: { title: "Not Found", status: 404, detail: "It is gone.", code: "image_not_found" },
        }),
      );
      expect([...readZip((await download(page)).bytes).keys()]).toEqual(["photo-001.jpg", "photo-003.jpg"]);

      await choose(page, 3, "Short");
      await page.unroute(`**/v1/images/${id}`);
      await page.route(`**/v1/images/${id}`, (route) =>
        route.fulfill({
          status: 500,
          headers: { "Content-Type": "application/problem+json", "X-Request-Id": "2" },
          json: { title: "Internal Server Error", status: 500, detail: "It failed.", code: "internal" },
        }),
      );
      const saved: string[] = [];
      page.on("download", (file) => saved.push(file.suggestedFilename()));
      await page.getByRole("toolbar").getByRole("button", { name: "Download" }).click();
      await page.getByRole("heading", { name: "Some pictures failed" }).waitFor();
      expect(saved).toEqual([]);
    });
  });
});
