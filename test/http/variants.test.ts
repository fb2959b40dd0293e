import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import type { Image } from "../../src/domain/image.ts";
import { LADDER } from "../../src/domain/variant-presets.ts";
import { VARIANT_PARAMETERS } from "../../src/domain/variant-query.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { codeOf, newAlbum, newImage, putContent, sha256 } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

const svg = (width: number, height: number, content: string) =>
  Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${content}</svg>`);
const stripes = (width: number, height: number, colours: readonly string[]) =>
  sharp(
    svg(
      width,
      height,
      colours
        .map((colour, index) => {
          const share = width / colours.length;
          return `<rect x="${index * share}" width="${share}" height="${height}" fill="${colour}"/>`;
        })
        .join(""),
    ),
  );

/** Red, green and blue beside one another. */
const PHOTO = await stripes(600, 400, ["#f00", "#0f0", "#00f"]).jpeg({ quality: 90 }).toBuffer();
/** A black disc on nothing. */
const LOGO = await sharp(svg(300, 200, '<circle cx="150" cy="100" r="50"/>'))
  .png()
  .toBuffer();
const frame = (red: number) => Buffer.alloc(80 * 60 * 3, Buffer.from([red, 0, 0]));
const CLIP = await sharp(Buffer.concat([0, 128, 255].map(frame)), {
  raw: { width: 80, height: 180, channels: 3, pageHeight: 60 },
})
  .gif({ delay: [50, 50, 50], loop: 0 })
  .toBuffer();

/** What compresses badly. */
const noise = (width: number, height: number) =>
  sharp({
    create: {
      width,
      height,
      channels: 3,
      background: "#888",
      noise: { type: "gaussian", mean: 128, sigma: 60 },
    },
  });

const bytesOf = async (response: Response) => Buffer.from(await response.arrayBuffer());
const upload = (store: TestStore, album: string, name: string, bytes: Uint8Array) =>
  newImage(store, album, name, new Uint8Array(bytes));

async function rendersOf(store: TestStore, wanted?: string): Promise<number> {
  const metrics = await (await store.fetch("/metrics")).text();
  const counts = metrics.matchAll(
    /renderer_operation_duration_seconds_count\{operation="render",outcome="(\w+)"\} (\d+)/g,
  );
  return [...counts].reduce(
    (sum, [, outcome, count]) => sum + (outcome === (wanted ?? outcome) ? Number(count) : 0),
    0,
  );
}

async function variantFiles({ dataFolder }: TestStore): Promise<string[]> {
  const entries = await readdir(join(dataFolder, "variants"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && !entry.name.startsWith("index.")).map((entry) => entry.name);
}

let store: TestStore;
let album: string;
let photo: Image;
let logo: Image;
let clip: Image;
let content: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store);
  photo = await upload(store, album, "stripes.jpg", PHOTO);
  logo = await upload(store, album, "logo", LOGO);
  clip = await upload(store, album, "clip.gif", CLIP);
  content = `${photo.links.self}/content`;
});
afterAll(() => store[Symbol.asyncDispose]());

const lastingHeaders = ({ headers }: Response) => {
  const { date: _date, "x-request-id": _id, ...others } = Object.fromEntries(headers);
  return others;
};

const get = (path: string, headers: Readonly<Record<string, string>> = {}) => store.fetch(path, { headers });

describe("GET of a variant", () => {
  const pictures: readonly (readonly [query: string, expected: string])[] = [
    ["w=160", "image/jpeg 160x107"],
    ["h=200", "image/jpeg 300x200"],
    ["w=100&dpr=2", "image/jpeg 200x133"],
    ["w=100&h=100", "image/jpeg 100x100"],
    ["w=100&h=100&fit=contain&background=0ff", "image/jpeg 100x100"],
    ["w=100&h=100&fit=fill", "image/jpeg 100x100"],
    ["w=100&h=100&fit=inside", "image/jpeg 100x67"],
    ["w=100&h=100&crop=attention", "image/jpeg 100x100"],
    ["w=100&h=100&crop=entropy", "image/jpeg 100x100"],
    ["w=4000", "image/jpeg 600x400"],
    ["w=4000&h=4000", "image/jpeg 400x400"],
    ["format=webp", "image/webp 600x400"],
    ["w=160&format=png", "image/png 160x107"],
    ["w=160&format=avif", "image/avif 160x107"],
    ["w=160&q=10", "image/jpeg 160x107"],
    ["w=160&blur=5", "image/jpeg 160x107"],
    ["preset=thumb", "image/jpeg 240x240"],
    ["preset=small&format=webp", "image/webp 480x320"],
  ];
  test.each(pictures)("for %s is %s, by every path", async (query, expected) => {
    const bodies: Buffer[] = [];
    for (const path of [content, photo.links.content]) {
      const response = await get(`${path}?${query}`);
      expect(response.status).toBe(200);
      const body = await bytesOf(response);
      const { width, height } = await sharp(body).metadata();
      expect(`${response.headers.get("content-type")} ${width}x${height}`).toBe(expected);
      bodies.push(body);
    }
    expect(bodies[0]?.equals(bodies[1] ?? Buffer.alloc(0))).toBe(true);
  });

  test.each([
    ["w=100&h=400&crop=0,0.5", [255, 0, 0]],
    ["w=100&h=400&crop=centre", [0, 255, 0]],
    ["w=100&h=400&crop=1,0.5", [0, 0, 255]],
    ["w=100&h=400", [0, 0, 255]],
  ])("%s has the expected pixels", async (query, colour) => {
    const focal = await upload(
      store,
      album,
      `focal ${query}.png`,
      await stripes(600, 400, ["#f00", "#0f0", "#00f"]).png().toBuffer(),
    );
    expect((await store.send("PATCH", focal.links.self, { focalPoint: { x: 0.9, y: 0.5 } })).status).toBe(200);
    const body = await bytesOf(await get(`${focal.links.self}/content?${query}`));
    const { channels } = await sharp(body).stats();
    expect(channels.slice(0, 3).map(({ mean }) => Math.round(mean))).toEqual(colour);
  });

  test("has the background in empty areas", async () => {
    const body = await bytesOf(await get(`${logo.links.self}/content?format=jpeg&background=0000ff&q=100`));
    const [red, green, blue] = await sharp(body).extract({ left: 0, top: 0, width: 1, height: 1 }).raw().toBuffer();
    expect([red ?? 255, green ?? 255, 255 - (blue ?? 0)].every((difference) => difference < 5)).toBe(true);
    const kept = await bytesOf(await get(`${logo.links.self}/content?w=100`));
    expect((await sharp(kept).stats()).isOpaque).toBe(false);
  });

  test("is animated for an animation, unless a still is requested", async () => {
    const moving = [
      ["w=40", "image/webp 40x30x3"],
      ["w=40&frame=0", "image/png 40x30x1"],
      ["w=40&format=jpeg", "image/jpeg 40x30x1"],
    ];
    for (const [query, expected] of moving) {
      const response = await get(`${clip.links.self}/content?${query}`);
      const { pages = 1, width, pageHeight, height } = await sharp(await bytesOf(response)).metadata();
      expect(`${response.headers.get("content-type")} ${width}x${pageHeight ?? height}x${pages}`).toBe(expected ?? "");
    }
  });

  test("has the headers of an original except Last-Modified, with an ETag and a digest of its own", async () => {
    const original = await get(content);
    const variant = await get(`${content}?w=240&format=webp`);
    const body = await bytesOf(variant);
    expect([...variant.headers.keys()].sort()).toEqual(
      [...original.headers.keys(), "content-location"].filter((name) => name !== "last-modified").toSorted(),
    );
    const digest = sha256(body);
    expect(variant.headers.get("etag")).toBe(`"${digest}"`);
    expect(variant.headers.get("repr-digest")).toBe(`sha-256=:${Buffer.from(digest, "hex").toString("base64")}:`);
    expect(variant.headers.get("content-length")).toBe(String(body.byteLength));
    expect(variant.headers.get("content-disposition")).toContain('filename="stripes.webp"');
    for (const name of ["content-security-policy", "cross-origin-resource-policy", "accept-ranges"]) {
      expect(variant.headers.get(name)).toBe(original.headers.get(name));
    }
    expect((await get(`${logo.links.self}/content?w=9&format=jpeg`)).headers.get("content-disposition")).toContain(
      'filename="logo.jpg"',
    );
    expect((await get(`${logo.links.self}/content?w=9`)).headers.get("content-disposition")).toContain(
      'filename="logo"',
    );
  });

  test("HEAD has the headers of GET, for a new and a cached variant", async () => {
    const path = `${content}?w=77`;
    const head = await store.fetch(path, { method: "HEAD" });
    const whole = await get(path);
    const again = await store.fetch(path, { method: "HEAD" });
    expect(lastingHeaders(head)).toEqual(lastingHeaders(whole));
    expect(lastingHeaders(again)).toEqual(lastingHeaders(whole));
    expect([head.status, (await bytesOf(head)).byteLength]).toEqual([200, 0]);
  });

  test("supports conditions and ranges", async () => {
    const path = `${content}?w=320`;
    const whole = await get(path);
    const etag = whole.headers.get("etag") ?? "";
    const body = await bytesOf(whole);
    expect((await get(path, { "If-None-Match": etag })).status).toBe(304);
    expect((await get(path, { "If-None-Match": `"${photo.sha256}"` })).status).toBe(200);
    expect((await get(path, { "If-Match": etag })).status).toBe(200);
    expect(await codeOf(await get(path, { "If-Match": `"${photo.sha256}"` }))).toBe("precondition_failed");
    const part = await get(path, { Range: "bytes=10-19", "If-Range": etag });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, `bytes 10-19/${body.byteLength}`]);
    expect(await bytesOf(part)).toEqual(body.subarray(10, 20));
    expect((await get(path, { Range: "bytes=10-19", "If-Range": '"other"' })).status).toBe(200);
    expect(await codeOf(await get(path, { Range: "bytes=9999999-" }))).toBe("range_not_satisfiable");
  });

  test.each([
    ["w=0", "invalid_variant", "w"],
    ["w=99999", "invalid_variant", "w"],
    ["q=abc", "invalid_variant", "q"],
    ["preset=huge", "invalid_variant", "preset"],
    ["preset=thumb&w=100", "invalid_variant", "w"],
    ["width=100", "unknown_parameter", "width"],
    ["w=100&w=100", "unknown_parameter", "w"],
  ])("with %s is %s", async (query, code, parameter) => {
    for (const path of [content, photo.links.content]) {
      const response = await get(`${path}?${query}`);
      expect(response.status).toBe(400);
      expect(await jsonOf(response)).toMatchObject({ code, errors: [{ parameter }] });
    }
  });
});

describe("format=auto", () => {
  const chrome = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8";
  test.each([
    ["preset=thumb", chrome, "image/avif"],
    ["w=320", "image/webp,*/*", "image/webp"],
    ["w=320", "image/webp;q=0.5,image/jpeg;q=0.9", "image/jpeg"],
    ["w=320", "image/webp;q=0,*/*", "image/jpeg"],
    ["w=320", "*/*", "image/jpeg"],
    ["w=320", "IMAGE/WEBP", "image/webp"],
    ["w=320", "text/html", "image/jpeg"],
    ["w=480", chrome, "image/webp"],
  ])("of %s for Accept %s is %s", async (query, accept, type) => {
    const path = `${content}?${query}&format=auto`;
    const response = await get(path, { Accept: accept });
    expect(response.headers.get("content-type")).toBe(type);
    expect(response.headers.get("vary")).toBe("Accept");
    const etag = response.headers.get("etag") ?? "";
    const unchanged = await get(path, { Accept: accept, "If-None-Match": etag });
    expect([unchanged.status, unchanged.headers.get("vary")]).toEqual([304, "Accept"]);
    await bytesOf(response);
  });

  test("keeps transparency", async () => {
    const response = await get(`${logo.links.self}/content?w=160&format=auto`, { Accept: "image/jpeg,*/*" });
    expect(response.headers.get("content-type")).toBe("image/png");
  });
});

const { API_KEYS, bearer } = testKeys({
  reader: "read",
  artist: "read+transform+share",
  boss: "read+write+delete",
});

async function startWithKeys(env: Readonly<Record<string, string>>) {
  const keyed = await startStore({ API_KEYS, ...env });
  await keyed.send("POST", "/v1/albums", { name: "a" }, bearer("boss"));
  const response = await keyed.fetch("/v1/albums/a/images/b.jpg/content", {
    method: "PUT",
    body: PHOTO,
    headers: bearer("boss"),
  });
  const { links } = await jsonOf<Image>(response);
  const version = (await keyed.fetch(`${links.content}?w=160`, { headers: bearer("reader") })).status;
  expect(version).toBe(200);
  return { keyed, links };
}

describe("API keys and variants", () => {
  test("decide which variants a client may request, and the answer says so", async () => {
    const { keyed, links } = await startWithKeys({ PUBLIC_READ: "true" });
    await using _ = keyed;
    const status = async (query: string, headers: Readonly<Record<string, string>> = {}) =>
      (await keyed.fetch(`${links.self}/content?${query}`, { headers })).status;
    for (const query of ["w=160", "w=80&dpr=2&format=webp", "preset=thumb&format=png", "strip=location"]) {
      expect({ query, status: await status(query) }).not.toEqual({ query, status: 403 });
    }
    for (const query of ["w=161", "w=160&h=160", "w=160&q=1", "blur=3"]) {
      const refused = await keyed.fetch(`${links.self}/content?${query}`, { headers: bearer("reader") });
      expect(refused.status).toBe(403);
      expect(refused.headers.get("www-authenticate")).toEndWith('error="insufficient_scope", scope="transform"');
      expect(await jsonOf(refused)).toMatchObject({
        code: "variant_not_allowed",
        missing: ["transform"],
        allowed: { presets: ["thumb", "small", "medium", "large"], widths: expect.arrayContaining([160]) },
      });
      expect([await status(query), await status(query, bearer("artist"))]).toEqual([403, 200]);
    }
    const gone = await keyed.fetch("/v1/albums/a/images/none/content?w=161", { headers: bearer("reader") });
    expect(await codeOf(gone)).toBe("image_not_found");
  });

  test("make immutable answers private, which shared caches do not keep", async () => {
    const { keyed, links } = await startWithKeys({});
    await using _ = keyed;
    const cached = async (path: string) =>
      (await keyed.fetch(path, { headers: bearer("artist") })).headers.get("cache-control");
    const version = await versionOf(keyed, links.content, bearer("artist"));
    expect(await cached(`${links.content}?w=160&v=${version}`)).toBe("private, max-age=31536000, immutable");
    expect(await cached(`${links.content}?w=160`)).toBe("private, no-cache");
  });

  test("keep privileged variants out of shared caches on a publicly readable store", async () => {
    const { keyed, links } = await startWithKeys({ PUBLIC_READ: "true" });
    await using _ = keyed;
    const version = await versionOf(keyed, links.content);
    for (const [query, scope] of [
      ["w=160", "public"],
      ["strip=location", "public"],
      ["w=161", "private"],
      ["w=160&blur=1", "private"],
    ]) {
      const target = `${links.content}?${query}&v=${version}`;
      const { headers } = await keyed.fetch(target, { headers: bearer("artist") });
      expect([query, headers.get("cache-control")]).toEqual([query, `${scope}, max-age=31536000, immutable`]);
      expect((await keyed.fetch(target)).status).toBe(scope === "public" ? 200 : 403);
    }
  });
});

/** Of the renderer, as the store says it where it is asked for another. */
async function versionOf(of: TestStore, path: string, headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const response = await of.fetch(`${path}?w=160&v=none`, { headers });
  expect([response.status, response.headers.get("cache-control")]).toEqual([404, "no-store"]);
  const { present } = await jsonOf<{ present: string }>(response);
  return present;
}

const cacheControl = async (path: string) => (await get(path)).headers.get("cache-control");

test("only a canonical variant URL is immutable", async () => {
  const version = await versionOf(store, photo.links.content);
  for (const query of ["w=160", "w=99&h=99&crop=centre", "w=99&h=99&fit=inside&format=webp&q=7"]) {
    expect(await cacheControl(`${photo.links.content}?${query}&v=${version}`)).toBe(
      "public, max-age=31536000, immutable",
    );
    expect(await cacheControl(`${photo.links.content}?${query}`)).toBe("no-cache");
    expect(await cacheControl(`${content}?${query}&v=${version}`)).toBe("no-cache");
  }
  // Configuration, the record or the client's Accept decide these.
  for (const query of ["preset=thumb", "w=99&h=99", "w=160&format=auto"]) {
    expect(await cacheControl(`${photo.links.content}?${query}&v=${version}`)).toBe("no-cache");
  }
});

const locationOf = (response: Response) => response.headers.get("content-location");

describe("Content-Location of a variant", () => {
  test.each([
    ["w=240", "w=240"],
    ["q=80&format=jpeg&w=120&dpr=2", "w=240&format=jpeg"],
    ["preset=thumb", "w=240&h=240&crop=0.2,0.4"],
    ["w=99&h=99", "w=99&h=99&crop=0.2,0.4"],
    ["w=160&format=auto", "w=160&format=webp"],
    ["strip=location", "strip=location"],
  ])("of %s is canonical: %s", async (query, expected) => {
    const image = await upload(store, album, `focused-${query}`, PHOTO);
    await store.send("PATCH", image.links.self, { focalPoint: { x: 0.2, y: 0.4 } });
    const version = await versionOf(store, image.links.content);
    const path = `${image.links.self}/content?${query}`;
    const headers = { Accept: "image/webp" };
    const response = await get(path, headers);
    const etag = response.headers.get("etag") ?? "";
    const location = locationOf(response) ?? "";
    expect(location).toBe(`${image.links.content}?${expected}&v=${version}`);
    const there = await get(location);
    expect(await bytesOf(there)).toEqual(await bytesOf(response));
    expect(there.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(locationOf(there)).toBe(location);
    const unchanged = await get(path, { ...headers, "If-None-Match": etag });
    expect([unchanged.status, locationOf(unchanged)]).toEqual([304, location]);
    expect(locationOf(await get(path, { ...headers, Range: "bytes=0-9" }))).toBe(location);
  });

  test("changes with the focal point", async () => {
    const image = await upload(store, album, "moved", PHOTO);
    const path = `${image.links.content}?w=50&h=50`;
    expect(locationOf(await get(path))).toContain("crop=centre");
    await store.send("PATCH", image.links.self, { focalPoint: { x: 0, y: 1 } });
    expect(locationOf(await get(path))).toContain("crop=0,1");
  });

  test("is absent for originals and for variants that the client may not request", async () => {
    expect(locationOf(await get(photo.links.content))).toBeNull();
    const { keyed, links } = await startWithKeys({ PUBLIC_READ: "true" });
    await using _ = keyed;
    const locations = async (query: string) => [
      locationOf(await keyed.fetch(`${links.content}?${query}`)),
      locationOf(await keyed.fetch(`${links.content}?${query}`, { headers: bearer("artist") })),
    ];
    expect(await locations("preset=thumb")).toEqual([null, expect.stringContaining("?w=240&h=240&crop=centre&v=")]);
    const free = expect.stringContaining("?w=480&v=");
    expect(await locations("preset=small")).toEqual([free, free]);
    const link = await keyed.send("POST", `${links.self}/links`, { variant: { w: "480" } }, bearer("artist"));
    const { url } = await jsonOf<{ url: string }>(link);
    const linked = await keyed.fetch(url);
    expect([linked.status, locationOf(linked)]).toEqual([200, null]);
  });
});

describe("concurrent requests", () => {
  test("for one cold variant (200 of them) cost one render", async () => {
    const before = await rendersOf(store);
    const answers = await Promise.all(Array.from({ length: 200 }, () => get(`${content}?w=123&format=png`)));
    const digests = await Promise.all(answers.map(async (answer) => sha256(await bytesOf(answer))));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(new Set(digests).size).toBe(1);
    expect((await rendersOf(store)) - before).toBe(1);
  });

  test("for different variants are answered, or 503 with Retry-After", async () => {
    await using busy = await startStore({ RENDERERS: "1" });
    const image = await upload(busy, await newAlbum(busy), "a", PHOTO);
    // Over sockets of their own: fetch has 256 at most.
    const answers = await Promise.all(
      Array.from({ length: 320 }, async (_, index) => {
        const target = `${image.links.content}?w=${index + 1}`;
        const { text } = await busy.sendRaw(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
        const end = text.indexOf("\r\n\r\n") + 4;
        return { head: text.slice(0, end), body: Buffer.from(text.slice(end), "latin1") };
      }),
    );
    const statuses = answers.map(({ head }) => head.slice(9, 12));
    expect([...new Set(statuses)].sort()).toEqual(["200", "503"]);
    for (const [index, { head, body }] of answers.entries()) {
      if (statuses[index] === "503") expect(head).toMatch(/^Retry-After: 1\r$/im);
      else expect((await sharp(body).metadata()).width).toBe(index + 1);
    }
  });

  test("cancel their render when the client disconnects", async () => {
    const image = await upload(store, album, "noise", await noise(2000, 1500).jpeg().toBuffer());
    const before = await rendersOf(store, "cancelled");
    const isCancelled = async () => (await rendersOf(store, "cancelled")) > before;
    // On a busy machine a render may begin only when its client has left: then another client waits longer.
    for (let pause = 100; !(await isCancelled()); pause += 100) {
      const leaving = new AbortController();
      const left = store.fetch(`${image.links.content}?format=avif&q=100`, { signal: leaving.signal });
      setTimeout(() => leaving.abort(), pause);
      expect(await left.catch((error: Error) => error.name)).toBe("AbortError");
      for (let turn = 0; turn < 20 && !(await isCancelled()); turn++) await Bun.sleep(10);
    }
  });
});

describe("docs/images.md", () => {
  const docs = join(import.meta.dir, "../../docs");

  test("has pictures that the store makes of its own example", async () => {
    const page = await Bun.file(join(docs, "images.md")).text();
    const boat = await upload(store, album, "boat.png", await Bun.file(join(docs, "images/boat.png")).bytes());
    const shown = [...page.matchAll(/^\| `\?(\S+)` \| !\[.*\]\((images\/\S+)\) \|$/gm)];
    expect(shown).toHaveLength(10);
    for (const [, query, file = ""] of shown) {
      const response = await get(`${boat.links.self}/content?${query}`);
      const picture = await sharp(join(docs, file)).metadata();
      const { width, height } = await sharp(await bytesOf(response)).metadata();
      expect({ query, width, height }).toEqual({ query, width: picture.width, height: picture.height });
    }
  });

  test("lists every parameter, preset and width", async () => {
    const page = await Bun.file(join(docs, "images.md")).text();
    const parameters = page.split("\n## ").find((section) => section.startsWith("Parameters")) ?? "";
    const rows = [...parameters.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap(([, names = ""]) =>
      names.split(", "),
    );
    expect(rows.sort()).toEqual(VARIANT_PARAMETERS.map((name) => `\`${name}\``).sort());
    for (const width of LADDER) expect(page).toMatch(new RegExp(`\\b${width}\\b`));
  });
});

describe("variants of an image", () => {
  test("are rendered again when their file is missing", async () => {
    await using own = await startStore();
    const image = await upload(own, await newAlbum(own), "a.jpg", PHOTO);
    const path = `${image.links.content}?w=160`;
    // Made, and not yet opened.
    const head = await own.fetch(path, { method: "HEAD" });
    await rm(join(own.dataFolder, "variants/files"), { recursive: true });
    const response = await own.fetch(path);
    expect(response.status).toBe(200);
    expect(sha256(await bytesOf(response))).toBe(head.headers.get("etag")?.replaceAll('"', "") ?? "");
    expect(await rendersOf(own)).toBe(2);
  });

  test("are 404 as soon as it is deleted, and soon removed from the disk", async () => {
    await using own = await startStore();
    const image = await upload(own, await newAlbum(own), "a.jpg", PHOTO);
    const paths = [`${image.links.self}/content?w=160`, `${image.links.content}?w=160`];
    for (const path of paths) expect((await own.fetch(path)).status).toBe(200);
    expect(await variantFiles(own)).toHaveLength(1);
    expect((await own.fetch(image.links.self, { method: "DELETE" })).status).toBe(204);
    for (const path of paths) expect((await own.fetch(path)).status).toBe(404);
    while ((await variantFiles(own)).length > 0) await Bun.sleep(10);
  });

  test("show the new bytes after a replacement, and the old digest URL is 404", async () => {
    const image = await upload(store, album, "changing", PHOTO);
    expect((await get(`${image.links.content}?w=160`)).status).toBe(200);
    const green = await sharp({ create: { width: 500, height: 500, channels: 3, background: "#080" } })
      .png()
      .toBuffer();
    expect((await putContent(store, album, "changing", new Uint8Array(green))).status).toBe(200);
    const gone = await get(`${image.links.content}?w=160`);
    expect([gone.status, gone.headers.get("cache-control")]).toEqual([404, "no-store"]);
    const now = await get(`${image.links.self}/content?w=160`);
    expect((await sharp(await bytesOf(now)).metadata()).height).toBe(160);
  });

  test("that cannot be decoded are refused, and decoding is tried once", async () => {
    const sound = await noise(64, 64).png().toBuffer();
    const pixels = sound.indexOf("IDAT") + 6;
    const broken = Buffer.concat([sound.subarray(0, pixels), Buffer.alloc(sound.length - pixels)]);
    const image = await upload(store, album, "broken.png", broken);
    const before = await rendersOf(store);
    for (let attempt = 0; attempt < 3; attempt++) {
      const response = await get(`${image.links.content}?w=32`);
      expect(response.status).toBe(422);
      expect(await codeOf(response)).toBe("invalid_image");
    }
    expect((await rendersOf(store)) - before).toBe(1);
  });
});
