import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import sharp from "sharp";
import { hasChromium } from "../services/chromium.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { expectAccessible } from "./axe.ts";
import { drawPhoto } from "./drawings.ts";
import { type PageWorld, SIZE_NAMES, startPageWorld } from "./visit.ts";

/** Adding pictures: picked, dropped and pasted, with everything that can come in between. */

const isRun = hasChromium();
const MAX_UPLOAD = 200_000;
let world: PageWorld;
beforeAll(async () => {
  if (isRun) world = await startPageWorld({ MAX_UPLOAD: String(MAX_UPLOAD) });
});
afterAll(() => world?.[Symbol.asyncDispose]());

interface TestFile {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}

const photo = async (name: string, index: number): Promise<TestFile> => ({
  name,
  mimeType: "image/jpeg",
  buffer: Buffer.from(await drawPhoto(index)),
});

async function newAlbum(name: string): Promise<string> {
  expect((await world.store.send("POST", "/v1/albums", { name })).status).toBe(201);
  return `/albums/${encodeURIComponent(name)}`;
}

interface ListedImage {
  readonly name: string;
  readonly sha256: string;
  readonly revision: number;
}

async function imagesOf(album: string): Promise<readonly ListedImage[]> {
  const path = `/v1/albums/${encodeURIComponent(album)}/images?pageSize=1000`;
  return ((await (await world.store.fetch(path)).json()) as { items: ListedImage[] }).items;
}

async function pick(page: Page, files: readonly TestFile[]): Promise<void> {
  const [chooser] = await Promise.all([
    page.waitForEvent("filechooser"),
    page.getByRole("button", { name: "Add pictures" }).click(),
  ]);
  await chooser.setFiles([...files]);
}

/** A drop or a paste of files anywhere on the page, as the browser tells of it. */
async function give(page: Page, event: "drop" | "paste", files: readonly TestFile[]): Promise<void> {
  const sent = files.map(({ name, mimeType, buffer }) => ({ name, mimeType, base64: buffer.toString("base64") }));
  await page.evaluate(`{
    const transfer = new DataTransfer();
    for (const { name, mimeType, base64 } of ${JSON.stringify(sent)}) {
      const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
      transfer.items.add(new File([bytes], name, { type: mimeType }));
    }
    const options = { bubbles: true, cancelable: true, dataTransfer: transfer, clipboardData: transfer };
    document.body.dispatchEvent(new ${event === "drop" ? "DragEvent" : "ClipboardEvent"}("${event}", options));
  }`);
}

const row = (page: Page, name: string) => page.locator(".upload", { hasText: name });
const finished = (page: Page) => page.getByRole("region", { name: "Uploads" }).getByText(/there\.|failed\./);

describe.skipIf(!isRun).each(SIZE_NAMES)("uploads on a %s", (size) => {
  test("go into the open album, each with its own state, and appear in it", async () => {
    const path = await newAlbum(`Picked on a ${size}`);
    await world.visit(path, { size }, async ({ page, picture }) => {
      await pick(page, [await photo("one.jpg", 1), await photo("two.jpg", 2), await photo("three.jpg", 3)]);
      await page.getByText("All 3 files are there.").waitFor();
      await expectAccessible(page);
      await picture("uploads");
      await page.locator(".tile").nth(2).waitFor();
      await page.getByRole("button", { name: "Close" }).click();
      await page.getByRole("region", { name: "Uploads" }).waitFor({ state: "detached" });
    });
    expect((await imagesOf(`Picked on a ${size}`)).map(({ name }) => name)).toEqual([
      "one.jpg",
      "three.jpg",
      "two.jpg",
    ]);
  });

  test("that are refused say why, and the others go on", async () => {
    const path = await newAlbum(`Refused on a ${size}`);
    await world.visit(path, { size, expected: [/status of 4(15|22|00)/] }, async ({ page, picture }) => {
      await pick(page, [
        { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("notes") },
        { name: "empty.jpg", mimeType: "image/jpeg", buffer: Buffer.alloc(0) },
        { name: "large.jpg", mimeType: "image/jpeg", buffer: Buffer.alloc(MAX_UPLOAD + 1) },
        { name: "noise.jpg", mimeType: "image/jpeg", buffer: Buffer.from("this is not a picture at all") },
        { name: "reversed \u202egpj.exe", mimeType: "image/jpeg", buffer: Buffer.from(await drawPhoto(1)) },
        await photo("good.jpg", 10),
      ]);
      await page.getByText("1 file is there, 5 failed.").waitFor();
      expect(await row(page, "notes.txt").textContent()).toContain("This file is not a picture.");
      expect(await row(page, "empty.jpg").textContent()).toContain("The file is empty.");
      expect(await row(page, "large.jpg").textContent()).toContain(
        "The file is larger than the store accepts: 200 KB.",
      );
      expect(await row(page, "noise.jpg").textContent()).toMatch(/does not accept this type of file.*\([\da-f-]{36}\)/);
      expect(await row(page, "reversed").textContent()).toMatch(/This name can't be used\..*\([\da-f-]{36}\)/);
      await expectAccessible(page);
      await picture("refused");
    });
    expect((await imagesOf(`Refused on a ${size}`)).map(({ name }) => name)).toEqual(["good.jpg"]);
  });
});

describe.skipIf(!isRun)("uploads", () => {
  test("are dropped, with a folder's name for a new album where none is open", async () => {
    await world.visit("/", {}, async ({ page }) => {
      await page.getByRole("heading", { name: "Albums" }).waitFor();
      await give(page, "drop", [await photo("dropped.jpg", 4)]);
      await page.getByRole("heading", { name: "Add 1 file to an album" }).waitFor();
      await page.getByRole("dialog").getByRole("combobox").fill("Dropped");
      await page.getByRole("button", { name: "Add", exact: true }).click();
      await page.getByText("The file is there.").waitFor();
      expect(new URL(page.url()).pathname).toBe("/albums/Dropped");
    });
    expect(await imagesOf("Dropped")).toHaveLength(1);
  });

  test("of a folder with folders in it are all found, more than a browser lists at a time", async () => {
    await using folder = { path: await newFolder("drop"), [Symbol.asyncDispose]: () => removeFolder(folder.path) };
    const bytes = await drawPhoto(20);
    const root = join(folder.path, "Holiday");
    const places = ["", "day 1", "day 2/evening"];
    for (const place of places) await mkdir(join(root, place), { recursive: true });
    const names = Array.from({ length: 160 }, (_, index) => `picture ${String(index).padStart(3, "0")}.jpg`);
    for (const [index, name] of names.entries()) {
      const place = index < 150 ? "" : (places[(index % 2) + 1] ?? "");
      await writeFile(join(root, place, name), Buffer.concat([bytes, Buffer.from(`${index}`)]));
    }
    await writeFile(join(root, ".hidden.jpg"), bytes);
    await world.visit("/", {}, async ({ page, context }) => {
      await page.getByRole("heading", { name: "Albums", exact: true }).waitFor();
      const browser = await context.newCDPSession(page);
      const data = { items: [], files: [root], dragOperationsMask: 1 };
      for (const type of ["dragEnter", "dragOver"] as const)
        await browser.send("Input.dispatchDragEvent", { type, x: 400, y: 400, data });
      await page.getByText("Drop to add pictures").waitFor();
      await browser.send("Input.dispatchDragEvent", { type: "drop", x: 400, y: 400, data });
      const dialog = page.getByRole("dialog", { name: "Add 160 files to an album" });
      await dialog.waitFor();
      expect(await dialog.getByRole("combobox").inputValue()).toBe("Holiday");
      await dialog.getByRole("button", { name: "Add", exact: true }).click();
      await page.getByText("All 160 files are there.").waitFor({ timeout: 480_000 });
    });
    expect((await imagesOf("Holiday")).map(({ name }) => name)).toEqual(names);
  }, 600_000);

  test("are pasted from the clipboard of the browser", async () => {
    const path = await newAlbum("Clipboard");
    const png = await sharp(await drawPhoto(21))
      .png()
      .toBuffer();
    await world.visit(path, {}, async ({ page, context }) => {
      await context.grantPermissions(["clipboard-read", "clipboard-write"]);
      await page.getByText("No pictures yet").waitFor();
      await page.evaluate(`(async () => {
        const bytes = Uint8Array.from(atob("${png.toString("base64")}"), (character) => character.charCodeAt(0));
        await navigator.clipboard.write([new ClipboardItem({ "image/png": new Blob([bytes], { type: "image/png" }) })]);
      })()`);
      await page.keyboard.press("Control+v");
      await finished(page).waitFor();
    });
    expect(await imagesOf("Clipboard")).toHaveLength(1);
  });

  test("are pasted", async () => {
    const path = await newAlbum("Pasted");
    await world.visit(path, {}, async ({ page }) => {
      await page.getByText("No pictures yet").waitFor();
      await give(page, "paste", [await photo("image.png", 5)]);
      await finished(page).waitFor();
    });
    expect(await imagesOf("Pasted")).toHaveLength(1);
  });

  test("of bytes that the album has send nothing", async () => {
    const path = await newAlbum("Known");
    await world.visit(path, {}, async ({ page }) => {
      const files = [await photo("first.jpg", 6), await photo("second.jpg", 7)];
      await pick(page, files);
      await finished(page).waitFor();
      const puts: string[] = [];
      page.on("request", (request) => request.method() === "PUT" && puts.push(request.url()));
      await pick(page, [...files, { ...(files[0] as TestFile), name: "another name.jpg" }]);
      await page.locator('.upload[data-status="present"]').nth(2).waitFor();
      expect(puts).toEqual([]);
    });
    expect(await imagesOf("Known")).toHaveLength(2);
  });

  test.each([
    ["Skip", ["taken.jpg"], 8],
    ["Replace", ["taken.jpg"], 9],
    ["Keep both", ["taken (2).jpg", "taken.jpg"], 8],
  ] as const)("ask once what to do with names that are taken: %s", async (answer, names, kept) => {
    const album = `Taken: ${answer}`;
    const path = await newAlbum(album);
    // A tile may ask for the replaced bytes just before it hears of the new ones.
    const expected = [/status of 412/, /status of 404.*\/content\//];
    await world.visit(path, { expected }, async ({ page }) => {
      await pick(page, [await photo("taken.jpg", 8)]);
      await finished(page).waitFor();
      await pick(page, [await photo("taken.jpg", 9)]);
      const dialog = page.getByRole("dialog", { name: "A name is taken" });
      await dialog.waitFor();
      await expectAccessible(page);
      await dialog.getByRole("button", { name: answer }).click();
      await finished(page).waitFor();
    });
    const images = await imagesOf(album);
    expect(images.map(({ name }) => name)).toEqual([...names]);
    const digest = new Bun.CryptoHasher("sha256").update(await drawPhoto(kept)).digest("hex");
    expect(images.find(({ name }) => name === "taken.jpg")?.sha256).toBe(digest);
  });

  test("of 300 files survive a dead network in the middle: all arrive, each once", async () => {
    const path = await newAlbum("Three hundred");
    const bytes = await drawPhoto(11);
    // A comment behind the picture makes each file another one.
    const files = Array.from({ length: 300 }, (_, index) => ({
      name: `file ${String(index + 1).padStart(3, "0")}.jpg`,
      mimeType: "image/jpeg",
      buffer: Buffer.concat([bytes, Buffer.from(`${index}`)]),
    }));
    await world.visit(path, { expected: [/net::ERR/, /status of 412/] }, async ({ page, context }) => {
      await page.getByText("No pictures yet").waitFor();
      await give(page, "drop", files);
      await page.getByRole("button", { name: /^Uploading [1-9]\d* of 300/ }).waitFor();
      await context.setOffline(true);
      await page.getByText("The store can't be reached. Uploads go on as soon as it is back.").waitFor();
      await context.setOffline(false);
      await page.getByText("All 300 files are there.").waitFor({ timeout: 480_000 });
    });
    expect((await imagesOf("Three hundred")).map(({ name }) => name)).toEqual(files.map(({ name }) => name));
  }, 600_000);

  test("can be paused, go on, and be cancelled", async () => {
    const path = await newAlbum("Paused");
    await world.visit(path, {}, async ({ page, context }) => {
      const browser = await context.newCDPSession(page);
      const slow = (bytes: number) =>
        browser.send("Network.emulateNetworkConditions", {
          offline: false,
          latency: 0,
          downloadThroughput: -1,
          uploadThroughput: bytes,
        });
      await browser.send("Network.enable");
      await page.getByText("No pictures yet").waitFor();
      await slow(200);
      await pick(page, [await photo("a.jpg", 12), await photo("b.jpg", 13)]);
      await page.getByRole("button", { name: "Pause uploads" }).click();
      await page.getByRole("region", { name: "Uploads" }).getByText("Paused").waitFor();
      await page.locator('.upload[data-status="waiting"]').nth(1).waitFor();
      await page.getByRole("button", { name: "Cancel b.jpg" }).click();
      await slow(-1);
      await page.getByRole("button", { name: "Resume uploads" }).click();
      await page.getByText("The file is there.").waitFor();
    });
    expect((await imagesOf("Paused")).map(({ name }) => name)).toEqual(["a.jpg"]);
  });

  test("that a quota refuses say so", async () => {
    const path = await newAlbum("Full");
    const set = await world.store.send("PUT", "/v1/quotas/albums/Full", { maxImages: 1 });
    expect(set.status).toBeLessThan(300);
    await world.visit(path, { expected: [/status of 507/] }, async ({ page }) => {
      await pick(page, [await photo("fits.jpg", 14), await photo("does not.jpg", 15)]);
      await page.getByText("1 file is there, 1 failed.").waitFor();
      await page.getByText("There is no room left: a quota is used up.").waitFor();
    });
  });
});
