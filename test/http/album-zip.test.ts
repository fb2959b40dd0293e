import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { unlink } from "node:fs/promises";
import { Glob } from "bun";
import fc from "fast-check";
import pino from "pino";
import type { Image } from "../../src/domain/image.ts";
import { readZip } from "../read-zip.ts";
import { rejectionOf } from "../waiting.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { codeOf, imagePath, newAlbum, newImage, newPng, putContent } from "./image-fixtures.ts";
import { BLOBS, spoilObjects } from "./places.ts";

interface LogLine {
  readonly msg: string;
  readonly error?: { readonly message: string };
}

async function loseBytes(dataFolder: string, sha256: string): Promise<void> {
  if (BLOBS === "s3") return void (await spoilObjects(dataFolder, sha256, () => undefined));
  const files = new Glob(`blobs/files/**/${sha256}*`).scan({ cwd: dataFolder, absolute: true });
  for await (const path of files) await unlink(path);
}

const bodyOf = async (response: Response) => Buffer.from(await response.arrayBuffer());

describe("an album as a ZIP archive", () => {
  let store: TestStore;
  let lines: LogLine[];
  beforeAll(async () => {
    const serializers = { error: pino.stdSerializers.err };
    const logger = pino(
      { level: "warn", serializers },
      { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) },
    );
    store = await startStore({}, { logger });
  });
  beforeEach(() => {
    lines = [];
  });
  afterAll(() => store[Symbol.asyncDispose]());

  const zipOf = (album: string, init?: RequestInit) => store.fetch(`${album}/zip`, init);
  const withRange = (album: string, range: string, more: Record<string, string> = {}) =>
    zipOf(album, { headers: { Range: range, ...more } });
  const tagOf = async (album: string) => (await zipOf(album, { method: "HEAD" })).headers.get("etag") ?? "";

  test("has all images under names that file systems can keep, in the order of their own", async () => {
    const album = await newAlbum(store, "Sommer: ä");
    const names: Readonly<Record<string, string>> = {
      "A.png": "A.png",
      "C:\\x": "C__x.png",
      "a.png": "a (19e23588).png",
      con: "_con.png",
      "lake.jpg": "lake.jpg.png",
      ["x".repeat(255)]: `${"x".repeat(251)}.png`,
      "é😀.png": "é😀.png",
    };
    const bytes = new Map<string, Buffer>();
    for (const name of Object.keys(names).toReversed()) {
      const png = newPng(name === "con" ? 2_500_000 : 3000);
      bytes.set(names[name] as string, png);
      await newImage(store, album, name, png);
    }
    const response = await zipOf(album);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/zip");
    expect(response.headers.get("content-disposition")).toBe(
      "attachment; filename=\"Sommer_ _.zip\"; filename*=UTF-8''Sommer%3A%20%C3%A4.zip",
    );
    const files = readZip(await bodyOf(response));
    expect([...files.keys()]).toEqual(Object.values(names));
    for (const [name, png] of bytes)
      expect({ name, equal: files.get(name)?.equals(png) }).toEqual({ name, equal: true });
  });

  test("is sent to 128 clients at once, which give their places back, and a further one is told to come back", async () => {
    const album = await newAlbum(store);
    for (const name of ["a", "b", "c"]) await newImage(store, album, name, newPng(1_000_000));
    for (const leaves of [true, false]) {
      const held = await Promise.all(
        Array.from({ length: 128 }, async () => {
          const aborted = new AbortController();
          const headers = { Host: new URL(store.url).host };
          const request = new Request(`${store.url}${album}/zip`, { headers, signal: aborted.signal });
          return { aborted, response: await store.handle(request) };
        }),
      );
      expect(held.filter(({ response }) => response.status !== 200)).toEqual([]);
      expect(await codeOf(await zipOf(album))).toBe("busy");
      expect((await zipOf(album, { method: "HEAD" })).status).toBe(200);
      expect((await withRange(album, "bytes=0-99")).status).toBe(206);
      // Those that left before their stream was read, and those that cancel it.
      for (const { aborted, response } of held) {
        if (leaves) aborted.abort();
        else await response.body?.cancel();
      }
    }
    const files = readZip(await bodyOf(await zipOf(album)));
    expect(files.size).toBe(3);
  });

  test("of an empty album is empty, and has an exact length", async () => {
    const response = await zipOf(await newAlbum(store));
    expect(response.headers.get("content-length")).toBe("22");
    expect(readZip(await bodyOf(response)).size).toBe(0);
  });

  test("has its exact length on HEAD, on a range, and on GET if it is small", async () => {
    const album = await newAlbum(store);
    await newImage(store, album, "small.png", newPng(1000));
    const small = await zipOf(album);
    const { length } = await bodyOf(small);
    expect(small.headers.get("content-length")).toBe(String(length));
    await newImage(store, album, "large.png", newPng(3_000_000));
    const whole = await bodyOf(await zipOf(album));
    const head = await zipOf(album, { method: "HEAD" });
    expect(head.headers.get("content-length")).toBe(String(whole.length));
    expect(await bodyOf(head)).toHaveLength(0);
    const part = await withRange(album, "bytes=10-");
    expect(part.headers.get("content-range")).toBe(`bytes 10-${whole.length - 1}/${whole.length}`);
  });

  test("is returned by ranges that equal the parts of the whole", async () => {
    const album = await newAlbum(store);
    for (const size of [100, 5000, 1_500_000, 300]) await newImage(store, album, `${size}.png`, newPng(size));
    const whole = await bodyOf(await zipOf(album));
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(whole.length), async (first, length) => {
        const last = Math.min(first + length, whole.length - 1);
        const part = await withRange(album, `bytes=${first}-${first + length}`);
        expect(part.status).toBe(206);
        expect(part.headers.get("content-range")).toBe(`bytes ${first}-${last}/${whole.length}`);
        expect((await bodyOf(part)).equals(whole.subarray(first, last + 1))).toBe(true);
      }),
      { numRuns: 40 },
    );
    expect((await bodyOf(await withRange(album, "bytes=-22"))).equals(whole.subarray(-22))).toBe(true);
    const several = await withRange(album, "bytes=0-1,3-4");
    expect([several.status, (await bodyOf(several)).equals(whole)]).toEqual([200, true]);
    const behind = await withRange(album, `bytes=${whole.length}-`);
    expect([behind.status, behind.headers.get("content-range")]).toEqual([416, `bytes */${whole.length}`]);
    expect(await codeOf(behind)).toBe("range_not_satisfiable");
  });

  test("has an ETag that stays while the archive is the same, and changes with each change of it", async () => {
    const album = await newAlbum(store);
    await newImage(store, album, "a.png");
    await newImage(store, album, "b.png");
    const tags = [await tagOf(album)];
    const whole = await bodyOf(await zipOf(album));
    const send = (method: string, path: string, body: unknown) => store.send(method, path, body);
    expect((await send("PATCH", imagePath(album, "a.png"), { title: "T", tags: ["t"] })).status).toBe(200);
    expect((await send("PATCH", album, { title: "T" })).status).toBe(200);
    expect(await tagOf(album)).toBe(tags[0] as string);
    expect((await bodyOf(await zipOf(album))).equals(whole)).toBe(true);

    const changes = [
      () => putContent(store, album, "c.png", newPng()),
      () => putContent(store, album, "a.png", newPng()),
      () => send("PATCH", imagePath(album, "b.png"), { name: "d.png" }),
      () => store.fetch(imagePath(album, "a.png"), { method: "DELETE" }),
    ];
    for (const change of changes) {
      expect((await change()).status).toBeLessThan(300);
      tags.push(await tagOf(album));
    }
    expect(new Set(tags).size).toBe(5);
    expect(tags.every((tag) => /^"[0-9a-f]{64}"$/.test(tag))).toBe(true);
  });

  test("is not sent again to a client that has it, and from its start to one that has another", async () => {
    const album = await newAlbum(store);
    await newImage(store, album, "a.png");
    const tag = await tagOf(album);
    const whole = await bodyOf(await zipOf(album));
    const current = await zipOf(album, { headers: { "If-None-Match": tag } });
    expect([current.status, current.headers.get("etag")]).toEqual([304, tag]);
    const resumed = await withRange(album, "bytes=30-", { "If-Range": tag });
    expect([resumed.status, (await bodyOf(resumed)).equals(whole.subarray(30))]).toEqual([206, true]);
    await newImage(store, album, "b.png");
    expect((await zipOf(album, { headers: { "If-None-Match": tag } })).status).toBe(200);
    const restarted = await withRange(album, "bytes=30-", { "If-Range": tag });
    expect([restarted.status, restarted.headers.get("etag")]).toEqual([200, await tagOf(album)]);
    const refused = await withRange(album, "bytes=30-", { "If-Match": tag });
    expect([refused.status, await codeOf(refused)]).toEqual([412, "precondition_failed"]);
  });

  /** Reads an archive of 300 images of 100 KB as slowly as `between` wants. */
  const readSlowly = async (between: (album: string) => Promise<unknown>) => {
    const album = await newAlbum(store);
    const form = Array.from({ length: 300 }, (_, index) => `${String(index).padStart(3, "0")}.png`);
    for (let at = 0; at < 300; at += 50)
      await Promise.all(form.slice(at, at + 50).map((name) => putContent(store, album, name, newPng(100_000))));
    const size = Number((await zipOf(album, { method: "HEAD" })).headers.get("content-length"));
    const response = await store.handle(
      new Request(`${store.url}${album}/zip`, { headers: { Host: new URL(store.url).host } }),
    );
    expect(response.status).toBe(200);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    let read = (await reader.read()).value?.length ?? 0;
    await between(album);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { read, size };
      read += value.length;
    }
  };

  test("that is being downloaded has not the images that are added meanwhile", async () => {
    const { read, size } = await readSlowly((album) => newImage(store, album, "290b.png"));
    expect(read).toBe(size);
  });

  test("that is being downloaded ends with an error when an image of it is deleted", async () => {
    const reading = readSlowly((album) => store.fetch(imagePath(album, "299.png"), { method: "DELETE" }));
    // The runtime would print a reason to standard error. The log has it.
    expect(await rejectionOf(reading)).toBeUndefined();
    expect(lines).toMatchObject([
      {
        msg: "download of an album was cut off",
        error: { message: expect.stringContaining("was changed while it was downloaded") },
      },
    ]);
  });

  test("that meets missing bytes ends in a connection that is cut", async () => {
    const album = await newAlbum(store);
    for (const name of ["1.png", "2.png"]) await newImage(store, album, name, newPng(3_000_000));
    const { sha256 } = await jsonOf<Image>(await store.fetch(imagePath(album, "2.png")));
    await loseBytes(store.dataFolder, sha256);
    const response = await fetch(`${store.url}${album}/zip`);
    expect(response.status).toBe(200);
    const cut = await response.bytes().catch((error: unknown) => error);
    expect(cut).toBeInstanceOf(Error);
    expect(lines.filter(({ msg }) => msg === "download of an album was cut off")).toHaveLength(1);
    const behind = await withRange(album, "bytes=3500000-");
    expect([behind.status, await codeOf(behind)]).toEqual([503, "blob_damaged"]);
  });

  test("of an album that is not there is 404 album_not_found", async () => {
    const response = await zipOf("/v1/albums/none");
    expect([response.status, await codeOf(response)]).toEqual([404, "album_not_found"]);
  });
});
