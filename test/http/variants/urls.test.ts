import { afterAll, describe, expect, test } from "bun:test";
import { jsonOf } from "../harness.ts";
import {
  bearer,
  bytesOf,
  locationOf,
  PHOTO,
  startVariantStore,
  startWithKeys,
  upload,
  versionOf,
} from "./variant-store.ts";

const { store, album, photo, content, get } = await startVariantStore();
afterAll(() => store[Symbol.asyncDispose]());

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
