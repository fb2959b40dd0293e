import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { buildPage } from "../../web/build.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newAlbum } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

const BROWSER = { Accept: "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8" };
const VIEWS = ["/albums", "/albums/Summer", "/albums/Summer/0192e4a0", "/events", "/admin", "/admin/keys", "/sign-in"];

let folder: string;
let pageFolder: string;
let store: TestStore;
beforeAll(async () => {
  folder = await newFolder("page");
  pageFolder = join(folder, "page");
  await buildPage(pageFolder);
  store = await startStore({}, { pageFolder });
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
  await removeFolder(folder);
});

const open = (path: string, headers: Readonly<Record<string, string>> = BROWSER) => store.fetch(path, { headers });
/** What a document loads, as paths of the store. */
const linksOf = (html: string, path: string) =>
  [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = ""]) => new URL(link, store.url + path).pathname);

const scriptPath = async () => linksOf(await (await open("/")).text(), "/").find((link) => link.endsWith(".js")) ?? "";
/** As it goes over the wire: fetch would unpack it. */
const packed = async (path: string, coding: string) => {
  const response = await fetch(store.url + path, { headers: { "Accept-Encoding": coding }, decompress: false });
  return { response, bytes: Buffer.from(await response.arrayBuffer()) };
};

/** What a build would leave there. */
const writePage = async (path: string, text: string) => {
  await mkdir(join(path, "assets"), { recursive: true });
  await Bun.write(join(path, "index.html"), `<script type="module" src="./assets/${text}.js"></script>`);
  await Bun.write(join(path, `assets/${text}.js`), text);
};

describe("the document", () => {
  test.each(["/", ...VIEWS, "/albums/", "/albums/%ff", "/albums/Summer/", "/s/imgsh_none"])(
    "at %s is the page, with links that lead to its files",
    async (path) => {
      const response = await open(path);
      expect([response.status, response.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
      const links = linksOf(await response.text(), path);
      expect(links.length).toBeGreaterThanOrEqual(2);
      for (const link of links) expect([link, (await open(link, {})).status]).toEqual([link, 200]);
    },
  );

  test("allows nothing that is inline or comes from elsewhere, and no text as markup", async () => {
    for (const path of ["/", "/albums", "/s/imgsh_none"]) {
      const { headers } = await open(path);
      const policy = headers.get("content-security-policy") ?? "";
      expect(policy).toStartWith("default-src 'none'; script-src 'self'; style-src 'self';");
      for (const rule of ["base-uri 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"])
        expect(policy).toContain(rule);
      expect(policy).not.toMatch(/unsafe|https?:|\*/);
      expect([
        headers.get("cross-origin-opener-policy"),
        headers.get("x-content-type-options"),
        headers.get("referrer-policy"),
      ]).toEqual(["same-origin", "nosniff", "no-referrer"]);
    }
  });

  test("has no inline script, style or handler", async () => {
    const html = await (await open("/")).text();
    for (const [, attributes, inline] of html.matchAll(/<script([^>]*)>(.*?)<\/script>/gs))
      expect([attributes, inline]).toEqual([expect.stringContaining("src="), ""]);
    expect(html).toContain("<script");
    expect(html).not.toMatch(/\son\w+=|style=|<style|https?:/);
  });

  test("is revalidated by its ETag, answers HEAD and refuses every other method", async () => {
    for (const path of ["/", "/albums/Summer"]) {
      const first = await open(path);
      const etag = first.headers.get("etag") ?? "";
      expect(first.headers.get("cache-control")).toBe("no-cache");
      const again = await open(path, { ...BROWSER, "If-None-Match": etag });
      expect([again.status, again.headers.get("etag"), await again.text()]).toEqual([304, etag, ""]);
      const head = await store.fetch(path, { method: "HEAD", headers: BROWSER });
      expect([head.status, head.headers.get("content-length")]).toEqual([200, first.headers.get("content-length")]);
      const post = await store.fetch(path, { method: "POST", headers: BROWSER });
      expect([post.status, post.headers.get("allow")]).toEqual([405, "GET, HEAD, OPTIONS"]);
    }
  });

  test("leaves any query to its script", async () => {
    for (const path of ["/?order=-takenAt&x=%zz", "/albums/Summer?image=1&image=2", "/s/imgsh_none?fbclid=1"])
      expect([path, (await open(path)).status]).toEqual([path, 200]);
  });

  test("needs no right where the API refuses", async () => {
    const { API_KEYS } = testKeys({ boss: "read" });
    await using closed = await startStore({ API_KEYS }, { pageFolder });
    expect((await closed.fetch("/v1/albums/Summer")).status).toBe(404);
    for (const path of ["/", ...VIEWS]) expect((await closed.fetch(path, { headers: BROWSER })).status).toBe(200);
  });
});

describe("programs", () => {
  test("get JSON from / and from a share link, and caches are told that it depends on Accept", async () => {
    for (const headers of [{}, { Accept: "*/*" }, { Accept: "application/json" }] as Record<string, string>[]) {
      const response = await open("/", headers);
      expect(await response.json()).toMatchObject({ name: "Image Store" });
      expect(response.headers.get("vary")).toBe("Accept");
    }
    const album = await newAlbum(store, "shared");
    const { secret } = await jsonOf<{ secret: string }>(await store.send("POST", `${album}/shares`, {}));
    const opened = await open(`/s/${secret}`, {});
    expect([opened.headers.get("vary"), await opened.json()]).toEqual([
      "Accept",
      expect.objectContaining({ album: "shared" }),
    ]);
  });

  test("that prefer HTML on a share link get the page, which no cache keeps and no search engine lists", async () => {
    const { headers } = await open("/s/imgsh_none");
    expect([headers.get("cache-control"), headers.get("x-robots-tag"), headers.get("vary")]).toEqual([
      "no-store",
      "noindex, nofollow",
      "Accept",
    ]);
  });

  test("get 404 where neither the API nor the page has a path", async () => {
    for (const path of ["/album", "/albums/a/b/c", "/events/x", "/sign-in/x", "/assets", "/index.html", "/V1"]) {
      const response = await open(path);
      expect([path, response.status, response.headers.get("content-type")]).toEqual([
        path,
        404,
        "application/problem+json",
      ]);
    }
  });
});

describe("a file of the page", () => {
  test("is cached forever, and sent as Brotli, gzip or as it is", async () => {
    const path = await scriptPath();
    const plain = await packed(path, "identity");
    expect(plain.response.headers.get("content-type")).toBe("text/javascript; charset=utf-8");
    const codings = { br: brotliDecompressSync, gzip: gunzipSync };
    for (const [coding, unpack] of Object.entries(codings)) {
      const { response, bytes } = await packed(path, coding);
      expect([response.headers.get("content-encoding"), unpack(bytes).equals(plain.bytes)]).toEqual([coding, true]);
      expect(bytes.length).toBeLessThan(plain.bytes.length / 2);
      expect(response.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
      expect(response.headers.get("vary")).toBe("Accept-Encoding");
      expect(response.headers.get("etag")).not.toBe(plain.response.headers.get("etag"));
      const etag = response.headers.get("etag") ?? "";
      const again = await store.fetch(path, { headers: { "Accept-Encoding": coding, "If-None-Match": etag } });
      expect(again.status).toBe(304);
    }
  });

  test.each([
    ["gzip, deflate, br, zstd", "br"],
    ["gzip;q=1, br;q=0", "gzip"],
    ["*", "br"],
    ["deflate", null],
    ["identity;q=1, *;q=0", null],
  ])("with Accept-Encoding %s has the coding %s", async (accept, coding) => {
    expect((await packed(await scriptPath(), accept)).response.headers.get("content-encoding")).toBe(coding);
  });

  test("that is none is 404, also with a name that leads elsewhere", async () => {
    const name = (await scriptPath()).split("/").at(-1) ?? "";
    for (const other of ["none.js", "..%2Findex.html", "%2e%2e%2findex.html", `${name}.br`, "constructor", "", "a/b"])
      expect([other, (await open(`/assets/${other}`)).status]).toEqual([other, 404]);
  });
});

test("a store with PAGE=false has none of it", async () => {
  await using bare = await startStore({ PAGE: "false" }, { pageFolder });
  for (const path of [...VIEWS, "/assets/x.js"])
    expect([path, (await bare.fetch(path, { headers: BROWSER })).status]).toEqual([path, 404]);
  expect((await bare.fetch("/s/imgsh_none", { headers: BROWSER })).status).toBe(404);
});

test("a store whose page was not built serves the API, and says so", async () => {
  await using bare = await startStore({}, { pageFolder: join(folder, "none") });
  expect((await bare.fetch("/", { headers: BROWSER })).status).toBe(302);
  expect((await bare.fetch("/albums", { headers: BROWSER })).status).toBe(404);
  expect((await bare.fetch("/v1/albums")).status).toBe(200);
});

test("a page that is built anew is served without a restart", async () => {
  const own = join(folder, "own");
  await writePage(own, "first");
  await using changing = await startStore({}, { pageFolder: own });
  const html = async () => (await changing.fetch("/albums/x", { headers: BROWSER })).text();
  expect(await html()).toContain('src="../assets/first.js"');
  await rename(own, `${own}-old`);
  expect(await html()).toContain('src="../assets/first.js"');
  await writePage(own, "second");
  expect(await html()).toContain('src="../assets/second.js"');
  expect(await (await changing.fetch("/assets/second.js")).text()).toBe("second");
});
