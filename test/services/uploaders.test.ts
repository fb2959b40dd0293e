import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "../http/harness.ts";
import { newAlbum, newPng, sha256 } from "../http/image-fixtures.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { hasChromium, startChromium } from "./chromium.ts";

/*
 * The libraries that pages upload with, each with its defaults, in a page of another origin than the store's.
 */

const packages = join(import.meta.dir, "../../node_modules");

/** A page by its path: it uploads what is put into its input, and says in `outcomes` what came of it. */
const PAGES: Readonly<Record<string, (endpoint: string) => string>> = {
  "/uppy": (endpoint) => `<input type="file" multiple><script type="module">
    import { Uppy, XHRUpload } from "/uppy.js";
    window.outcomes = [];
    document.querySelector("input").onchange = async ({ target }) => {
      const uppy = new Uppy().use(XHRUpload, { endpoint: ${endpoint} });
      for (const file of target.files) uppy.addFile({ name: file.name, type: file.type, data: file });
      const { successful, failed } = await uppy.upload();
      for (const file of successful) outcomes.push(file.response.status);
      for (const file of failed) outcomes.push(file.error);
    };
  </script>`,
  "/uppy-bundle": (endpoint) => `<input type="file" multiple><script type="module">
    import { Uppy, XHRUpload } from "/uppy.js";
    window.outcomes = [];
    document.querySelector("input").onchange = async ({ target }) => {
      const uppy = new Uppy({ meta: { title: "From Uppy", page: 1 } });
      uppy.use(XHRUpload, { endpoint: ${endpoint}, bundle: true });
      for (const file of target.files) uppy.addFile({ name: file.name, type: file.type, data: file });
      const { successful, failed } = await uppy.upload();
      for (const file of successful) outcomes.push(file.response.status);
      for (const file of failed) outcomes.push(file.error);
    };
  </script>`,
  "/filepond": (endpoint) => `<input type="file" multiple><script src="/filepond/dist/filepond.js"></script><script>
    window.outcomes = [];
    FilePond.create(document.querySelector("input"), {
      server: ${endpoint},
      onprocessfile: (error, file) => outcomes.push(error?.body ?? (JSON.parse(file.serverId).items ? 201 : file.serverId)),
    });
  </script>`,
  "/dropzone": (endpoint) => `<form id="zone"></form><script src="/dropzone/dist/dropzone-min.js"></script><script>
    window.outcomes = [];
    const zone = new Dropzone("#zone", { url: ${endpoint} });
    zone.on("success", (file) => outcomes.push(file.xhr.status));
    zone.on("error", (file, error) => outcomes.push(error));
  </script>`,
  "/form": (endpoint) => `<form method="post" enctype="multipart/form-data" action=${endpoint}>
    <input name="title"><input type="file" name="photo" multiple><input type="file" name="other">
    <textarea name="description"></textarea><input name="tags"><input type="hidden" name="csrf" value="x">
    <button name="send" value="1">Send</button>
  </form>`,
};

const isRun = hasChromium();
let browser: Browser;
let store: TestStore;
let site: ReturnType<typeof Bun.serve>;
let endpoint = "";

beforeAll(async () => {
  if (!isRun) return;
  site = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
  store = await startStore({ CORS_ORIGINS: site.url.origin });
  browser = await startChromium();
});
afterAll(async () => {
  if (!isRun) return;
  await browser.close();
  await site.stop(true);
  await store[Symbol.asyncDispose]();
});

async function answer(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url);
  const page = PAGES[pathname];
  if (page !== undefined) {
    const head = '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">';
    return new Response(head + page(JSON.stringify(endpoint)), { headers: { "Content-Type": "text/html" } });
  }
  if (pathname === "/uppy.js")
    return new Response(await bundleUppy(), { headers: { "Content-Type": "text/javascript" } });
  return new Response(Bun.file(join(packages, pathname)));
}

/** Its packages are modules that name each other, which a page's bundler resolves. */
async function bundleUppy(): Promise<Blob> {
  const entry =
    'export { default as Uppy } from "@uppy/core"; export { default as XHRUpload } from "@uppy/xhr-upload";';
  const built = await Bun.build({
    entrypoints: ["/uppy-entry.js"],
    files: { "/uppy-entry.js": entry },
    root: packages,
    target: "browser",
  });
  const [output] = built.outputs;
  if (output === undefined) throw new Error("Uppy was not built.");
  return output;
}

interface Upload {
  readonly name: string;
  readonly mimeType: string;
  readonly buffer: Buffer;
}
const newFiles = (count: number): readonly Upload[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `photo ${index} ✓.png`,
    mimeType: "image/png",
    buffer: newPng(index * 700_000 + 100),
  }));

async function openPage(path: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(new URL(path, site.url).href);
  return page;
}

/** By name. */
async function imagesIn(album: string): Promise<readonly Image[]> {
  return (await jsonOf<{ items: readonly Image[] }>(await store.fetch(`${album}/images`))).items;
}

describe.skipIf(!isRun)("a page of another origin", () => {
  test.each([
    ["Uppy's XHR uploader", "/uppy", "input"],
    ["Uppy's XHR uploader, all files in one request", "/uppy-bundle", "input"],
    ["FilePond", "/filepond", "input[type=file]"],
    ["Dropzone", "/dropzone", ".dz-hidden-input"],
  ])("uploads with %s", async (_, path, input) => {
    const album = await newAlbum(store, crypto.randomUUID());
    // FilePond encodes what it is given once more, so that a path that needs none is what works with all.
    endpoint = `${store.url}${album}/images`;
    const page = await openPage(path);
    const files = newFiles(3);
    await page.locator(input).setInputFiles([...files]);
    await page.waitForFunction("outcomes.length === 3");
    expect(await page.evaluate<unknown>("outcomes")).toEqual([201, 201, 201]);
    expect((await imagesIn(album)).map(({ name, sha256: digest }) => [name, digest])).toEqual(
      files.map(({ name, buffer }) => [name, sha256(buffer)]),
    );
    await page.context().close();
  });

  test("uploads with a plain form that has text and an empty file field", async () => {
    const album = await newAlbum(store, crypto.randomUUID());
    endpoint = `${store.url}${album}/images`;
    const page = await openPage("/form");
    const files = newFiles(2);
    await page.locator("input[name=title]").fill("From a form");
    await page.locator("input[name=photo]").setInputFiles([...files]);
    await page.locator("textarea").fill("two\nlines");
    await page.locator("input[name=tags]").fill("a, b");
    const answered = page.waitForResponse(endpoint);
    await page.locator("button").click();
    expect((await answered).status()).toBe(201);
    expect(await imagesIn(album)).toMatchObject(
      files.map(({ name, buffer }) => ({
        name,
        sha256: sha256(buffer),
        title: "From a form",
        description: "two\nlines",
        tags: ["a", "b"],
      })),
    );
    await page.context().close();
  });
});

const requests = Bun.spawnSync(["python3", "-c", "import requests"]).success;
if (!requests && process.env["CI"] === "true") throw new Error("These tests need Python's requests.");
if (!requests) console.warn("SKIPPED: these tests need Python's requests.");

test.skipIf(!requests)("Python's requests uploads files and text fields", async () => {
  await using plain = await startStore();
  const album = await newAlbum(plain);
  const folder = await newFolder("python");
  try {
    const png = newPng();
    await Bun.write(join(folder, "one.png"), png);
    const program = `
import requests, sys
with open(sys.argv[2], "rb") as file:
    answer = requests.post(sys.argv[1], files={"file": file}, data={"title": "From Python", "tags": ["a", "b"], "x": "y"})
print(answer.status_code, answer.json()["items"][0]["title"])
`;
    const python = Bun.spawn(["python3", "-c", program, `${plain.url}${album}/images`, join(folder, "one.png")]);
    expect(await python.stdout.text()).toBe("201 From Python\n");
    const { items } = await jsonOf<{ items: readonly Image[] }>(await plain.fetch(`${album}/images`));
    expect(items).toMatchObject([{ name: "one.png", title: "From Python", tags: ["a", "b"], sha256: sha256(png) }]);
  } finally {
    await removeFolder(folder);
  }
});
