import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { open, truncate, unlink } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import type { Image } from "../../src/domain/image.ts";
import { parseRange } from "../../src/http/content.ts";
import { startStore, type TestStore } from "./harness.ts";
import { codeOf, GIF, newAlbum, newImage, newPng, putContent, sha256 } from "./image-fixtures.ts";
import { BLOBS, spoilObjects } from "./places.ts";

/** Alters the last byte of the image in its segment, where the digest in the header of its record leads. */
const spoil = async (path: string, { sha256: digest, size }: Image): Promise<void> => {
  const segment = Buffer.from(await Bun.file(path).bytes());
  const last = segment.indexOf(digest, 0, "hex") - 32 + 128 + size - 1;
  await using file = await open(path, "r+");
  await file.write(Buffer.of((segment[last] ?? 0) ^ 1), 0, 1, last);
};

describe("Range", () => {
  const SIZE = 100;
  test.each([
    ["bytes=0-0", { start: 0, end: 1 }],
    ["bytes=0-99", { start: 0, end: 100 }],
    ["bytes=10-1000000000000000000000000", { start: 10, end: 100 }],
    ["bytes=10-", { start: 10, end: 100 }],
    ["bytes=-1", { start: 99, end: 100 }],
    ["bytes=-1000", { start: 0, end: 100 }],
    ["BYTES= 1-2 ", { start: 1, end: 3 }],
    ["bytes=100-", "unsatisfiable"],
    ["bytes=100-200", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    [null, "whole"],
    ["", "whole"],
    ["bytes=", "whole"],
    ["bytes=-", "whole"],
    ["bytes=2-1", "whole"],
    ["bytes=0-1,3-4", "whole"],
    ["bytes=a-b", "whole"],
    ["bytes=0x1-2", "whole"],
    ["bytes=1.5-2", "whole"],
    ["bytes=--1", "whole"],
    ["items=0-1", "whole"],
  ] as const)("%p of 100 bytes is read correctly", (field, expected) => {
    expect(parseRange(field, SIZE)).toEqual(expected);
  });

  test("selects a part or the whole, for any text", () => {
    const number = fc.option(fc.oneof(fc.nat(), fc.bigInt({ min: 0n, max: 10n ** 30n })), { nil: "" });
    const anything = fc.oneof(
      fc.string(),
      fc.tuple(number, number).map(([first, last]) => `bytes=${first}-${last}`),
    );
    fc.assert(
      fc.property(anything, fc.integer({ min: 1, max: 2 ** 50 }), (field, size) => {
        const range = parseRange(field, size);
        if (typeof range === "string") return;
        expect(range.start).toBeGreaterThanOrEqual(0);
        expect(range.start).toBeLessThan(range.end);
        expect(range.end).toBeLessThanOrEqual(size);
      }),
    );
  });

  test("is read back as it was written", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1 }), fc.nat(), (start, length, rest) => {
        const range = { start, end: start + length };
        expect(parseRange(`bytes=${start}-${range.end - 1}`, range.end + rest)).toEqual(range);
      }),
    );
  });
});

const bodyOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

const lastingHeaders = ({ headers }: Response) => {
  const { date: _date, "x-request-id": _id, ...others } = Object.fromEntries(headers);
  return others;
};

describe("image content", () => {
  let store: TestStore;
  let album: string;
  let image: Image;
  let bytes: Buffer<ArrayBuffer>;
  let byName: string;
  let byDigest: string;
  beforeAll(async () => {
    store = await startStore();
    album = await newAlbum(store);
    bytes = newPng(50_000);
    image = await newImage(store, album, 'a "name".png', bytes);
    byName = `${image.links.self}/content`;
    byDigest = image.links.content;
  });
  afterAll(() => store[Symbol.asyncDispose]());

  const get = (path: string, headers: Readonly<Record<string, string>> = {}) => store.fetch(path, { headers });
  const spoilObject = async ({ sha256: digest }: Image, change: Parameters<typeof spoilObjects>[2]) =>
    expect(await spoilObjects(store.dataFolder, digest, change)).toBe(1);
  const ownFile = ({ sha256: digest }: Image) => glob(`files/**/${digest}.*`);
  const glob = (pattern: string) =>
    Array.fromAsync(new Bun.Glob(pattern).scan({ cwd: join(store.dataFolder, "blobs"), absolute: true }));
  test("is what was uploaded, with every documented header", async () => {
    for (const path of [byName, byDigest]) {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(await bodyOf(response)).toEqual(bytes);
      expect(Object.fromEntries(response.headers)).toMatchObject({
        "content-type": "image/png",
        "content-length": String(bytes.length),
        etag: `"${image.sha256}"`,
        "accept-ranges": "bytes",
        "repr-digest": `sha-256=:${Buffer.from(image.sha256, "hex").toString("base64")}:`,
        "content-disposition": "inline; filename=\"a _name_.png\"; filename*=UTF-8''a%20%22name%22.png",
        "content-security-policy": "default-src 'none'; sandbox",
        "cross-origin-resource-policy": "same-site",
        "x-content-type-options": "nosniff",
      });
      expect(response.headers.has("set-cookie")).toBe(false);
      expect(response.headers.has("content-range")).toBe(false);
    }
    expect((await get(byName)).headers.get("cache-control")).toBe("no-cache");
    expect((await get(byDigest)).headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
  });

  test("HEAD has the headers of GET, for any size", async () => {
    const large = await newImage(store, album, "large", newPng(3_000_000));
    for (const path of [byName, byDigest, `${large.links.self}/content`, large.links.content]) {
      const [head, full] = [await store.fetch(path, { method: "HEAD" }), await get(path)];
      expect(head.status).toBe(200);
      expect(lastingHeaders(head)).toEqual(lastingHeaders(full));
      expect((await bodyOf(head)).length).toBe(0);
      expect((await bodyOf(full)).length).toBe(Number(full.headers.get("content-length")));
      // Range has no meaning for HEAD.
      expect((await store.fetch(path, { method: "HEAD", headers: { Range: "bytes=0-1" } })).status).toBe(200);
    }
  });

  test("is revalidated by its ETag", async () => {
    const etag = `"${image.sha256}"`;
    for (const path of [byName, byDigest]) {
      for (const tags of [etag, `W/${etag}`, `"x", ${etag}`, "*"]) {
        const response = await get(path, { "If-None-Match": tags, Range: "bytes=0-1" });
        expect({ tags, status: response.status }).toEqual({ tags, status: 304 });
        expect(response.headers.get("etag")).toBe(etag);
        expect(response.headers.get("cache-control")).toBe((await get(path)).headers.get("cache-control"));
        expect((await store.fetch(path, { method: "HEAD", headers: { "If-None-Match": tags } })).status).toBe(304);
      }
      expect((await get(path, { "If-None-Match": '"x"' })).status).toBe(200);
      expect((await get(path, { "If-Match": etag })).status).toBe(200);
      expect(await codeOf(await get(path, { "If-Match": `W/${etag}` }))).toBe("precondition_failed");
    }
  });

  test("is one range, or the whole when the Range cannot be satisfied so", async () => {
    const etag = `"${image.sha256}"`;
    for (const path of [byName, byDigest]) {
      const part = await get(path, { Range: "bytes=10-19" });
      expect(part.status).toBe(206);
      expect(part.headers.get("content-range")).toBe(`bytes 10-19/${bytes.length}`);
      expect(part.headers.get("content-length")).toBe("10");
      expect(part.headers.get("repr-digest")).toContain("sha-256=:");
      expect(await bodyOf(part)).toEqual(bytes.subarray(10, 20));
      expect((await get(path, { Range: "bytes=0-1", "If-Range": etag })).status).toBe(206);
      for (const headers of [
        { Range: "bytes=0-1,3-4" },
        { Range: "bytes=0-1", "If-Range": '"x"' },
        { Range: "bytes=0-1", "If-Range": `W/${etag}` },
        { Range: "bytes=0-1", "If-Range": new Date().toUTCString() },
        { Range: "lines=0-1" },
      ]) {
        const whole = await get(path, headers);
        expect(whole.status).toBe(200);
        expect((await bodyOf(whole)).length).toBe(bytes.length);
      }
      const beyond = await get(path, { Range: `bytes=${bytes.length}-` });
      expect(beyond.status).toBe(416);
      expect(beyond.headers.get("content-range")).toBe(`bytes */${bytes.length}`);
      expect(await codeOf(beyond)).toBe("range_not_satisfiable");
    }
  });

  test("returns any range of a small and of a large image", async () => {
    const long = newPng(2_500_000);
    const { links } = await newImage(store, album, "long", long);
    const number = fc.nat({ max: long.length - 1 });
    await fc.assert(
      fc.asyncProperty(number, number, async (one, other) => {
        const [first, last] = [Math.min(one, other), Math.max(one, other)];
        const response = await get(links.content, { Range: `bytes=${first}-${last}` });
        expect(response.status).toBe(206);
        expect(response.headers.get("content-range")).toBe(`bytes ${first}-${last}/${long.length}`);
        // What comes from S3 as it goes out is sent in chunks.
        if (BLOBS === "files") expect(response.headers.get("content-length")).toBe(String(last - first + 1));
        expect(sha256(await bodyOf(response))).toBe(sha256(long.subarray(first, last + 1)));
      }),
      { numRuns: 20 },
    );
  });

  test("under another digest, or of a missing image, is an uncacheable 404", async () => {
    for (const path of [
      `/v1/images/${image.id}/content/${"0".repeat(64)}`,
      `/v1/images/${image.id}/content/${image.sha256.toUpperCase()}`,
      `/v1/images/${image.id}/content/`,
      `/v1/images/${Bun.randomUUIDv7()}/content/${image.sha256}`,
      `${album}/images/none/content`,
      "/v1/albums/none/images/none/content",
    ]) {
      const response = await get(path);
      expect({ path, status: response.status }).toEqual({ path, status: 404 });
      expect(response.headers.get("cache-control")).toBe("no-store");
    }
  });

  test("that is missing or truncated is blob_damaged until it is uploaded again", async () => {
    type Damage = readonly [bytes: number, harm: (harmed: Image) => Promise<unknown>];
    const damage: readonly Damage[] =
      BLOBS === "s3"
        ? [
            [1_100_000, (harmed) => spoilObject(harmed, () => undefined)],
            [2_000_000, (harmed) => spoilObject(harmed, (whole) => whole.subarray(0, 100))],
            [1000, (harmed) => spoilObject(harmed, (whole) => whole.toReversed())],
          ]
        : [
            [1_100_000, async (harmed) => Promise.all((await ownFile(harmed)).map(unlink))],
            [2_000_000, async (harmed) => Promise.all((await ownFile(harmed)).map((path) => truncate(path, 100)))],
            [1000, async (harmed) => spoil((await glob("segments/*")).at(-1) ?? "", harmed)],
          ];
    for (const [index, [size, harm]] of damage.entries()) {
      const png = newPng(size);
      const harmed = await newImage(store, album, `harmed ${index}`, png);
      await harm(harmed);
      for (const path of [harmed.links.content, `${harmed.links.self}/content`]) {
        const response = await get(path);
        expect(response.status).toBe(503);
        expect(await codeOf(response)).toBe("blob_damaged");
        expect((await get(path, { Range: "bytes=0-1" })).status).toBe(response.status);
      }
      const healed = await putContent(store, album, harmed.name, png);
      expect(await healed.json()).toEqual(harmed);
      expect(await bodyOf(await get(harmed.links.content))).toEqual(png);
    }
  });

  test("has the headers of one answer only", async () => {
    await using crossed = await startStore({ CORS_ORIGINS: "https://app.example" });
    const { links } = await newImage(crossed, await newAlbum(crossed), "a.png", newPng());
    const ids = new Set<string | null>();
    for (const Origin of ["https://app.example", "https://other.example"]) {
      for (const Range of ["bytes=0-0", "bytes=a-b"]) {
        const { headers } = await crossed.fetch(links.content, { headers: { Origin, Range } });
        ids.add(headers.get("x-request-id"));
        expect(headers.get("vary")).toBe("Origin");
        expect(headers.get("access-control-allow-origin")).toBe(Origin === "https://app.example" ? Origin : null);
        expect(headers.has("content-range")).toBe(Range === "bytes=0-0");
      }
    }
    expect(ids.size).toBe(4);
  });

  test("is publicly cacheable only when no credential was needed", async () => {
    const key = "k".repeat(43);
    const API_KEYS = `reader:read+write:${sha256(Buffer.from(key))}`;
    const headers = { Authorization: `Bearer ${key}` };
    for (const [settings, cache, policy] of [
      [{ API_KEYS }, "private, max-age=31536000, immutable", "same-site"],
      [{ API_KEYS, CORS_ORIGINS: "https://app.example" }, "private, max-age=31536000, immutable", "cross-origin"],
      [{ API_KEYS, PUBLIC_READ: "true" }, "public, max-age=31536000, immutable", "cross-origin"],
    ] as const) {
      await using other = await startStore(settings);
      await other.send("POST", "/v1/albums", { name: "a" }, headers);
      const made = await putContent(other, "/v1/albums/a", "b", GIF, headers);
      const { links } = (await made.json()) as Image;
      const response = await other.fetch(links.content, { headers });
      expect(response.headers.get("cache-control")).toBe(cache);
      expect(response.headers.get("cross-origin-resource-policy")).toBe(policy);
      expect((await other.fetch(links.content)).status).toBe("PUBLIC_READ" in settings ? 200 : 404);
    }
  });
});
