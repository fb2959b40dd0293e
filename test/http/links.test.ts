import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import pino from "pino";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { codeOf, newPng } from "./image-fixtures.ts";

interface Link {
  readonly url: string;
  readonly expiresAt: string;
}
interface Problem {
  readonly code: string;
  readonly errors?: readonly { readonly pointer?: string }[];
}

const ALBUM = "/v1/albums/a";
const secretOf = (name: string): string => `${name}-${"k".repeat(40)}`;
const API_KEYS = Object.entries({
  reader: "read+share",
  maker: "read+transform+share",
  boss: "read+write+delete+transform+share+admin",
})
  .map(([name, rights]) => `${name}:${rights}:${createHash("sha256").update(secretOf(name)).digest("hex")}`)
  .join(",");
const bearer = (name: string) => ({ Authorization: `Bearer ${secretOf(name)}` });
const linkKey = (id: string) => `${id}:${createHash("sha256").update(id).digest("base64url")}`;

type Sent = Readonly<Record<string, string>>;
const NO_KEY: Sent = {};

/** A store whose clock is moved by hand, with an album. */
async function startWith(env: Readonly<Record<string, string>>, headers: Sent = {}) {
  const clock = { now: Date.parse("2026-07-14T09:30:00.250Z") };
  const store = await startStore(env, { now: () => clock.now });
  await store.send("PUT", ALBUM, {}, headers);
  return { store, clock };
}

async function put(store: TestStore, name: string, bytes: Uint8Array<ArrayBuffer>, headers: Sent = bearer("boss")) {
  const path = `${ALBUM}/images/${name}/content`;
  const response = await store.fetch(path, { method: "PUT", body: bytes, headers });
  expect([200, 201]).toContain(response.status);
  return jsonOf<Image>(response);
}

const ask = (store: TestStore, name: string, body: unknown = {}, headers: Sent = {}) =>
  store.send("POST", `${ALBUM}/images/${name}/links`, body, headers);

async function link(store: TestStore, name: string, body: unknown = {}, headers: Sent = bearer("boss")): Promise<Link> {
  const response = await ask(store, name, body, headers);
  expect(response.status).toBe(200);
  expect(response.headers.get("cache-control")).toBe("no-store");
  return jsonOf<Link>(response);
}

describe("a signed link of a store with keys", () => {
  let store: TestStore;
  let clock: { now: number };
  let image: Image;
  const png = newPng(5000);

  beforeAll(async () => {
    ({ store, clock } = await startWith(
      { API_KEYS, LINK_KEYS: `${linkKey("new")},${linkKey("old")}` },
      bearer("boss"),
    ));
    image = await put(store, "b", png);
  });
  afterAll(() => store[Symbol.asyncDispose]());

  test("permits its GET until it expires, and is cacheable until then", async () => {
    const { url, expiresAt } = await link(store, "b");
    expect(url).toStartWith(`${image.links.content}?expires=${Date.parse(expiresAt) / 1000}&key=new&signature=`);
    const seconds = (Date.parse(expiresAt) - clock.now) / 1000;
    expect(seconds).toBeGreaterThanOrEqual(3600);
    expect(seconds).toBeLessThanOrEqual(4501);
    const response = await store.fetch(url);
    expect(response.status).toBe(200);
    expect(Buffer.from(await response.arrayBuffer()).equals(png)).toBeTrue();
    expect(response.headers.get("cache-control")).toBe(`public, max-age=${Math.floor(seconds)}`);
    expect(response.headers.get("cross-origin-resource-policy")).toBe("cross-origin");
    expect((await store.fetch(image.links.content)).status).toBe(404);
  });

  test("supports HEAD, ranges and conditions", async () => {
    const { url } = await link(store, "b");
    const head = await store.fetch(url, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, String(png.length)]);
    const range = await store.fetch(url, { headers: { Range: "bytes=1-3" } });
    expect(range.status).toBe(206);
    expect(Buffer.from(await range.arrayBuffer())).toEqual(png.subarray(1, 4));
    const again = await store.fetch(url, { headers: { "If-None-Match": head.headers.get("etag") ?? "" } });
    expect(again.status).toBe(304);
    expect(again.headers.get("cache-control")).toStartWith("public, max-age=");
    expect((await store.fetch(url, { method: "DELETE" })).status).toBe(405);
  });

  test("takes precedence over an API key, valid or not", async () => {
    const { url } = await link(store, "b");
    expect((await store.fetch(url, { headers: { Authorization: "Bearer wrong" } })).status).toBe(200);
    const response = await store.fetch(`${url.slice(0, -2)}xx`, { headers: bearer("boss") });
    expect([response.status, await codeOf(response)]).toEqual([403, "invalid_link"]);
  });

  test("is refused after its expiry", async () => {
    const { url, expiresAt } = await link(store, "b", { expiresIn: 60 });
    const before = clock.now;
    clock.now = Date.parse(expiresAt) - 1;
    const last = await store.fetch(url);
    expect([last.status, last.headers.get("cache-control")]).toEqual([200, "public, max-age=0"]);
    clock.now += 1;
    const late = await store.fetch(url);
    expect([late.status, await codeOf(late), late.headers.get("cache-control")]).toEqual([
      403,
      "link_expired",
      "no-store",
    ]);
    clock.now = before;
  });

  test("is the same when it is requested again soon, whatever the Idempotency-Key", async () => {
    const first = await link(store, "b", { expiresIn: 86_400 });
    clock.now += 1;
    expect(await link(store, "b", { expiresIn: 86_400 }, { ...bearer("reader"), "Idempotency-Key": "x" })).toEqual(
      first,
    );
    expect(await link(store, "b", {}, { ...bearer("reader"), "Idempotency-Key": "x" })).not.toEqual(first);
    clock.now += 86_400_000 / 4;
    expect(await link(store, "b", { expiresIn: 86_400 })).not.toEqual(first);
    clock.now -= 86_400_000 / 4 + 1;
  });

  test("is created without a body and requires the read right", async () => {
    const path = `${ALBUM}/images/b/links`;
    expect((await store.fetch(path, { method: "POST", headers: bearer("reader") })).status).toBe(200);
    expect((await store.fetch(path, { method: "POST" })).status).toBe(401);
  });

  test("names one variant in its canonical spelling, with presets expanded", async () => {
    const { url } = await link(store, "b", { variant: { format: "webp", w: 2, dpr: "1.5", q: "80" } });
    expect(url).toStartWith(`${image.links.content}?w=3&format=webp&expires=`);
    const preset = await link(store, "b", { variant: { preset: "thumb" } }, bearer("reader"));
    expect(preset.url).not.toContain("preset");
    const stripped = await link(store, "b", { variant: { strip: "location" } }, bearer("reader"));
    expect(stripped.url).toStartWith(`${image.links.content}?strip=location&expires=`);
    expect((await link(store, "b", { variant: {} })).url).toBe((await link(store, "b")).url);
    const response = await store.fetch(url);
    expect([response.status, response.headers.get("content-type")]).toEqual([200, "image/webp"]);
    expect(response.headers.get("cache-control")).toStartWith("public, max-age=");
  });

  test("to an arbitrary variant requires the right to transform", async () => {
    const variant = { w: 3, h: 2, q: 50 };
    const refused = await ask(store, "b", { variant }, bearer("reader"));
    expect([refused.status, await codeOf(refused)]).toEqual([403, "variant_not_allowed"]);
    expect((await ask(store, "b", { variant: { w: 320, format: "webp" } }, bearer("reader"))).status).toBe(200);
    const { url } = await link(store, "b", { variant }, bearer("maker"));
    expect((await store.fetch(url)).status).toBe(200);
    const query = url.slice(url.indexOf("?"), url.indexOf("&expires"));
    expect((await store.fetch(`${image.links.content}${query}`, { headers: bearer("reader") })).status).toBe(403);
  });

  test.each<[what: string, body: unknown, code: string, pointer: string]>([
    ["too short a life", { expiresIn: 59 }, "invalid_request", "/expiresIn"],
    ["too long a life", { expiresIn: 604_801 }, "invalid_request", "/expiresIn"],
    ["a life that is no number", { expiresIn: "1h" }, "invalid_request", "/expiresIn"],
    ["an unknown field", { expires: 60 }, "invalid_request", "/expires"],
    ["an unknown parameter", { variant: { width: 1 } }, "invalid_request", "/variant/width"],
    ["the renderer's version", { variant: { w: 320, v: "1" } }, "invalid_request", "/variant/v"],
    ["a value of another kind", { variant: { w: [1] } }, "invalid_request", "/variant/w"],
    ["a bad value", { variant: { w: 0 } }, "invalid_variant", "/variant/w"],
    ["a value that only looks like one", { variant: { w: 1e21 } }, "invalid_variant", "/variant/w"],
    ["an unknown preset", { variant: { preset: "nope" } }, "invalid_variant", "/variant/preset"],
    ["a preset and sizes", { variant: { preset: "thumb", w: 320 } }, "invalid_variant", "/variant/w"],
  ])("is not created with %s", async (_what, body, code, pointer) => {
    const response = await ask(store, "b", body, bearer("boss"));
    expect(response.status).toBe(400);
    const problem = await jsonOf<Problem>(response);
    expect([problem.code, problem.errors?.map((error) => error.pointer)]).toEqual([code, [pointer]]);
  });

  test("is not created for a missing image", async () => {
    expect(await codeOf(await ask(store, "nope", {}, bearer("boss")))).toBe("image_not_found");
    const nowhere = await store.send("POST", "/v1/albums/nope/images/b/links", {}, bearer("boss"));
    expect(await codeOf(nowhere)).toBe("album_not_found");
  });

  test("ends with the bytes and the image; a reused name does not revive it", async () => {
    const first = newPng();
    await put(store, "mortal", first);
    const { url } = await link(store, "mortal");
    const variant = await link(store, "mortal", { variant: { w: 2 } });
    expect((await store.fetch(variant.url)).status).toBe(200);
    const expectGone = async () => {
      for (const dead of [url, variant.url]) expect((await store.fetch(dead)).status).toBe(404);
    };
    await put(store, "mortal", newPng());
    await expectGone();
    await put(store, "mortal", first);
    expect((await store.fetch(url)).status).toBe(200);
    await store.fetch(`${ALBUM}/images/mortal`, { method: "DELETE", headers: bearer("boss") });
    await expectGone();
    await put(store, "mortal", first);
    await expectGone();
  });

  test("survives a rename", async () => {
    await put(store, "before", newPng());
    const { url } = await link(store, "before");
    await store.send("PATCH", `${ALBUM}/images/before`, { name: "after" }, bearer("boss"));
    expect((await store.fetch(url)).status).toBe(200);
  });

  test("does not work for other images, other bytes or other paths", async () => {
    const other = await put(store, "other", newPng());
    const { url } = await link(store, "b");
    const search = url.slice(url.indexOf("?"));
    for (const path of [
      other.links.content,
      image.links.content.replace(image.id, other.id),
      image.links.content.replace(image.sha256, other.sha256),
    ]) {
      const response = await store.fetch(path + search);
      expect([response.status, await codeOf(response)]).toEqual([403, "invalid_link"]);
    }
    for (const path of [`${image.links.self}/content`, image.links.self, `/v1/images/${image.id}`, "/v1/albums"]) {
      for (const headers of [NO_KEY, bearer("boss")]) {
        const response = await store.fetch(path + search, { headers });
        expect([response.status, await codeOf(response)]).toEqual([400, "unknown_parameter"]);
      }
    }
  });

  /** Where a "?" or "#" within the path leaves what is open to every client: the documentation, and images of public albums. */
  const OPEN_PATHS: ReadonlySet<string> = new Set(["/", "/v1/images"]);

  test("is refused with any character changed, removed or added", async () => {
    const { url } = await link(store, "b", { variant: { w: 2, format: "webp" } });
    const place = fc.nat({ max: url.length - 1 });
    const end = fc.oneof(place, fc.constant(url.length));
    const character = fc.constantFrom(...`&=?%+;/.,-_# ${url}`.split(""));
    const altered = fc.oneof(
      fc.tuple(place, character).map(([at, by]) => url.slice(0, at) + by + url.slice(at + 1)),
      fc.tuple(end, character).map(([at, by]) => url.slice(0, at) + by + url.slice(at)),
      place.map((at) => url.slice(0, at) + url.slice(at + 1)),
    );
    const cut = ["#", "?"].flatMap((by) =>
      Array.from(url, (_, at): [string] => [url.slice(0, at + 1) + by + url.slice(at + 1)]),
    );
    await fc.assert(
      fc.asyncProperty(altered, async (target) => {
        fc.pre(URL.canParse(target, store.url));
        const { origin, pathname, search } = new URL(target, store.url);
        // Such as `/v1/./images`, or `#` at the end: what is sent is the link all the same.
        fc.pre(origin === store.url && pathname + search !== url);
        const response = await fetch(origin + pathname + search);
        await response.arrayBuffer();
        expect(response.headers.get("content-type")).not.toStartWith("image/");
        if (!OPEN_PATHS.has(pathname)) expect([400, 401, 403, 404]).toContain(response.status);
      }),
      {
        numRuns: cut.length + Number(process.env.IMAGE_STORE_TEST_LINK_RUNS ?? 300),
        examples: cut,
      },
    );
  });
});

describe("a signed link", () => {
  test("works after a restart, without configured keys", async () => {
    const DATA = await mkdtemp(join(tmpdir(), "image-store-links-"));
    try {
      let url = "";
      {
        const { store } = await startWith({ DATA, API_KEYS }, bearer("boss"));
        await using _ = store;
        await put(store, "b", newPng());
        ({ url } = await link(store, "b"));
        expect(url).toContain("&key=store&");
      }
      {
        const { store } = await startWith({ DATA, API_KEYS }, bearer("boss"));
        await using _ = store;
        expect((await store.fetch(url)).status).toBe(200);
      }
      const { store } = await startWith({ DATA, API_KEYS, LINK_KEYS: linkKey("mine") }, bearer("boss"));
      await using _ = store;
      expect(await codeOf(await store.fetch(url))).toBe("invalid_link");
    } finally {
      await rm(DATA, { recursive: true, force: true });
    }
  });

  test("works while its key is kept in a rotation, and ends when the key is dropped", async () => {
    const DATA = await mkdtemp(join(tmpdir(), "image-store-links-"));
    const withKeys = (...ids: string[]) => startWith({ DATA, API_KEYS, LINK_KEYS: ids.map(linkKey).join(",") });
    try {
      let url = "";
      {
        const { store } = await withKeys("old");
        await using _ = store;
        await store.send("PUT", ALBUM, {}, bearer("boss"));
        await put(store, "b", newPng());
        ({ url } = await link(store, "b"));
      }
      {
        const { store } = await withKeys("new", "old");
        await using _ = store;
        expect((await store.fetch(url)).status).toBe(200);
        expect((await link(store, "b")).url).toContain("&key=new&");
      }
      const { store } = await withKeys("new");
      await using _ = store;
      expect(await codeOf(await store.fetch(url))).toBe("invalid_link");
    } finally {
      await rm(DATA, { recursive: true, force: true });
    }
  });

  test("is checked on a publicly readable store, where arbitrary variants still need a key", async () => {
    const { store, clock } = await startWith({ API_KEYS, PUBLIC_READ: "true" }, bearer("boss"));
    await using _ = store;
    await put(store, "b", newPng());
    expect(await codeOf(await ask(store, "b"))).toBe("unauthorized");
    const { url, expiresAt } = await link(store, "b", {}, bearer("reader"));
    expect((await store.fetch(url)).status).toBe(200);
    const refused = await ask(store, "b", { variant: { w: 3, q: 7 } }, bearer("reader"));
    expect([refused.status, await codeOf(refused)]).toEqual([403, "variant_not_allowed"]);
    expect((await link(store, "b", { variant: { w: 3, q: 7 } }, bearer("maker"))).url).toContain("w=3&q=7&expires=");
    expect(await codeOf(await store.fetch(`${url}x`))).toBe("invalid_link");
    clock.now = Date.parse(expiresAt);
    expect(await codeOf(await store.fetch(url))).toBe("link_expired");
  });

  test("of a store without keys may name any variant, and is absolute with a public URL", async () => {
    const { store } = await startWith({ PUBLIC_URL: "https://photos.example" });
    await using _ = store;
    await put(store, "b", newPng(), NO_KEY);
    const { url } = await link(store, "b", { variant: { w: 3, q: 7 } }, NO_KEY);
    expect(url).toStartWith("https://photos.example/v1/images/");
    const target = url.slice("https://photos.example".length);
    expect((await store.fetch(target, { headers: { Host: "photos.example" } })).status).toBe(200);
    expect(await codeOf(await store.fetch(target.replace("w=3", "w=4")))).toBe("invalid_link");
    const foreign = await ask(store, "b", {}, { Origin: "https://evil.example" });
    expect(await codeOf(foreign)).toBe("forbidden_origin");
  });

  test("appears without its signature in logs and problems", async () => {
    const lines: string[] = [];
    const logger = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
    await using store = await startStore({ API_KEYS }, { logger });
    await store.send("PUT", ALBUM, {}, bearer("boss"));
    await put(store, "b", newPng());
    const { url } = await link(store, "b");
    const signature = url.slice(url.lastIndexOf("=") + 1);
    const texts: string[] = [];
    for (const target of [
      url,
      url.replace("?", "?w=1&"),
      url.replace("?", "%3F"),
      `/v1/albums${url.slice(url.indexOf("?"))}`,
    ])
      texts.push(await (await store.fetch(target, { headers: bearer("reader") })).text());
    expect(lines.join("\n")).toContain(url.slice(0, url.indexOf("?")));
    expect(lines.join("\n")).not.toContain(signature);
    expect(texts.slice(1).join("\n")).not.toContain(signature);
  });
});
