import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { Image } from "../../src/domain/image.ts";
import { formatHttpDate, parseHttpDate } from "../../src/http/http-date.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newAlbum, newImage, newPng, putContent } from "./image-fixtures.ts";

describe("an HTTP-date", () => {
  const time = Date.UTC(1994, 10, 6, 8, 49, 37);

  test.each(["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"])(
    "%s is read",
    (text) => {
      expect(parseHttpDate(text)).toBe(time);
    },
  );

  test("with a two-digit year is at most 50 years ahead", () => {
    const now = Date.UTC(2026, 0, 1);
    const yearOf = (digits: string) =>
      new Date(parseHttpDate(`Sunday, 06-Nov-${digits} 08:49:37 GMT`, now) ?? 0).getUTCFullYear();
    expect(["26", "76", "77", "99", "00"].map(yearOf)).toEqual([2026, 2076, 1977, 1999, 2000]);
  });

  test.each([
    "",
    "1994-11-06T08:49:37Z",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 +0100",
    "Sun, 31 Feb 1994 08:49:37 GMT",
    "Sun, 06 Foo 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    "785000000",
  ])("%p is not a date", (text) => {
    expect(parseHttpDate(text)).toBeUndefined();
  });

  test("is read back as it was written", () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true }), (date) => {
        const seconds = date.getTime() - (date.getTime() % 1000);
        expect(parseHttpDate(formatHttpDate(date.getTime()))).toBe(seconds);
      }),
    );
  });
});

/** HTTP-dates around a time, by how far they are from it in seconds. */
const around = (time: string, seconds: number) => formatHttpDate(Date.parse(time) + seconds * 1000);

let store: TestStore;
let album: string;
let image: Image;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store);
  image = await newImage(store, album, "dated.png", newPng(1000));
});
afterAll(() => store[Symbol.asyncDispose]());

const statusOf = async (path: string, headers: Record<string, string>, method = "GET") =>
  (await store.fetch(path, { method, headers })).status;
const lastModified = async (path: string) => (await store.fetch(path)).headers.get("last-modified");

describe("Last-Modified of content", () => {
  test("is the second of the last change to the bytes or their name", async () => {
    for (const path of [`${image.links.self}/content`, image.links.content])
      expect(await lastModified(path)).toBe(around(image.updatedAt, 0));
  });

  test("makes GET conditional; ETags take precedence", async () => {
    const etag = `"${image.sha256}"`;
    const [before, then, later] = [-1, 0, 1].map((seconds) => around(image.updatedAt, seconds)) as [
      string,
      string,
      string,
    ];
    const cases: [Record<string, string>, number][] = [
      [{ "If-Modified-Since": before }, 200],
      [{ "If-Modified-Since": then }, 304],
      [{ "If-Modified-Since": later }, 304],
      [{ "If-Modified-Since": "yesterday" }, 200],
      [{ "If-Modified-Since": then, "If-None-Match": '"other"' }, 200],
      [{ "If-Modified-Since": before, "If-None-Match": etag }, 304],
      [{ "If-Unmodified-Since": before }, 412],
      [{ "If-Unmodified-Since": then }, 200],
      [{ "If-Unmodified-Since": later }, 200],
      [{ "If-Unmodified-Since": "yesterday" }, 200],
      [{ "If-Unmodified-Since": before, "If-Match": etag }, 200],
      [{ "If-Unmodified-Since": later, "If-Match": '"other"' }, 412],
      [{ "If-Unmodified-Since": before, "If-Modified-Since": then }, 412],
      [{ "If-Unmodified-Since": then, "If-Modified-Since": then }, 304],
      [{ "If-Modified-Since": then, Range: "bytes=0-0" }, 304],
      [{ "If-Unmodified-Since": before, Range: "bytes=0-0" }, 412],
      // Two changes within a second have one date, so that it is never strong enough for a part.
      [{ "If-Range": then, Range: "bytes=0-0" }, 200],
    ];
    for (const path of [`${image.links.self}/content`, image.links.content]) {
      for (const [headers, status] of cases) {
        expect([headers, await statusOf(path, headers)]).toEqual([headers, status]);
        expect([headers, await statusOf(path, headers, "HEAD")]).toEqual([headers, status]);
      }
    }
  });

  test("changes when another image or album takes the name", async () => {
    const first = await newAlbum(store);
    const second = await newAlbum(store);
    const path = `${first}/images/a/content`;
    const old = await newImage(store, second, "a");
    await newImage(store, first, "a");
    await Bun.sleep(1100);
    await store.fetch(`${first}/images/a`, { method: "DELETE" });
    await newImage(store, first, "b");
    const since = around(new Date().toISOString(), -1);
    await store.send("PATCH", `${first}/images/b`, { name: "a" });
    expect(await statusOf(path, { "If-Modified-Since": since })).toBe(200);
    await store.fetch(`${first}?recursive=true`, { method: "DELETE" });
    await store.send("PATCH", second, { name: decodeURIComponent(first.split("/").at(-1) ?? "") });
    const { headers, status } = await store.fetch(path, { headers: { "If-Modified-Since": since } });
    expect([status, headers.get("etag")]).toEqual([200, `"${old.sha256}"`]);
  });

  test("is absent for presets, whose meaning depends on settings", async () => {
    for (const query of ["w=1", "preset=thumb", "format=auto"]) {
      const path = `${image.links.self}/content?${query}`;
      const { headers, status } = await store.fetch(path);
      expect([query, status, headers.get("last-modified")]).toEqual([query, 200, null]);
      expect(await statusOf(path, { "If-Modified-Since": around(image.updatedAt, 60) })).toBe(200);
    }
  });

  test("makes PUT conditional", async () => {
    const { updatedAt, name } = await newImage(store, album, "replaced.png");
    const put = async (headers: Record<string, string>) =>
      (await putContent(store, album, name, newPng(), headers)).status;
    expect(await put({ "If-Unmodified-Since": around(updatedAt, -1) })).toBe(412);
    expect(await put({ "If-Unmodified-Since": around(updatedAt, -1), "If-Match": "*" })).toBe(200);
    expect(await put({ "If-Unmodified-Since": "yesterday" })).toBe(200);
    expect(await put({ "If-Unmodified-Since": around(new Date().toISOString(), 1) })).toBe(200);
    const nothing = await putContent(store, album, "new.png", newPng(), {
      "If-Unmodified-Since": around(updatedAt, -1),
    });
    expect(nothing.status).toBe(201);
  });
});

describe("dates of records", () => {
  test("make PATCH and DELETE conditional", async () => {
    const path = await newAlbum(store);
    const made = await newImage(store, path, "a");
    const { createdAt } = await jsonOf<{ createdAt: string }>(await store.fetch(path));
    const early = { "If-Unmodified-Since": around(createdAt, -1) };
    // After the changes that follow, however long they take.
    const late = { "If-Unmodified-Since": around(new Date().toISOString(), 3600) };
    for (const target of [made.links.self, path]) {
      for (const [headers, refused] of [
        [early, true],
        [late, false],
      ] as const) {
        const patched = await store.send("PATCH", target, { title: target }, headers);
        expect([target, headers, patched.status]).toEqual([target, headers, refused ? 412 : 200]);
      }
    }
    expect((await store.send("PUT", path, {}, early)).status).toBe(412);
    expect((await store.send("PUT", path, {}, late)).status).toBe(200);
    expect((await store.send("PUT", `${path}new`, {}, early)).status).toBe(201);
    for (const target of [made.links.self, path]) {
      expect(await statusOf(target, early, "DELETE")).toBe(412);
      expect(await statusOf(target, late, "DELETE")).toBe(204);
    }
  });

  test("are not sent on reads, since descriptions change records without a new date", async () => {
    expect(await lastModified(image.links.self)).toBeNull();
    expect(await lastModified(album)).toBeNull();
    expect(await statusOf(image.links.self, { "If-Modified-Since": around(image.updatedAt, 60) })).toBe(200);
  });
});
