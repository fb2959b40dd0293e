import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Image } from "../../src/domain/image.ts";
import { cameraExif, exifSegment, plainJpeg, withSegments } from "../adapters/renderer/located-images.ts";
import { leftOf } from "../adapters/renderer/without-location/without-location.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { codeOf } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

const { API_KEYS, bearer } = testKeys({ boss: "read+write+share" });
const headers = bearer("boss");
const CONTENT = "/v1/albums/a/images/photo/content";

let store: TestStore;
let photo: Buffer<ArrayBuffer>;
let image: Image;
beforeAll(async () => {
  store = await startStore({ API_KEYS, PUBLIC_READ: "true", PUBLIC_ORIGINALS: "without-location" });
  photo = Buffer.from(withSegments(await plainJpeg(), exifSegment(cameraExif("MM"))));
  await store.send("PUT", "/v1/albums/a", {}, headers);
  image = await jsonOf<Image>(await store.fetch(CONTENT, { method: "PUT", body: photo, headers }));
});
afterAll(() => store[Symbol.asyncDispose]());

const bytesOf = async (response: Response): Promise<Buffer> => Buffer.from(await response.bytes());

test("a client without a key gets originals without their location, by every URL and spelling", async () => {
  expect(leftOf(photo)).not.toEqual([]);
  for (const path of [CONTENT, image.links.content, `${CONTENT}?dpr=1`, `${image.links.content}?strip=location`]) {
    const response = await store.fetch(path);
    expect(response.status).toBe(200);
    const bytes = await bytesOf(response);
    expect([path, leftOf(bytes)]).toEqual([path, []]);
    expect(response.headers.get("etag")).not.toBe(`"${image.sha256}"`);
    const part = await store.fetch(path, { headers: { Range: "bytes=0-400" } });
    expect(leftOf(await bytesOf(part))).toEqual([]);
  }
});

test("a client with a key gets the whole original, which shared caches do not keep", async () => {
  for (const path of [CONTENT, image.links.content]) {
    const response = await store.fetch(path, { headers });
    expect((await bytesOf(response)).equals(photo)).toBe(true);
    expect(response.headers.get("cache-control")).not.toContain("public");
    expect(response.headers.get("vary")).toContain("Authorization");
  }
});

test("a signed link gives the original without its location, and says so", async () => {
  const ask = async (body: object) =>
    jsonOf<{ url: string; gives: string }>(await store.send("POST", "/v1/albums/a/images/photo/links", body, headers));
  const { url, gives } = await ask({});
  expect(gives).toBe("without-location");
  expect(leftOf(await bytesOf(await store.fetch(url)))).toEqual([]);
  expect((await ask({ variant: { preset: "thumb" } })).gives).toBe("variant");
});

test("without the setting a signed link gives the whole original, and says so", async () => {
  await using open = await startStore();
  await open.send("PUT", "/v1/albums/a", {});
  await open.fetch(CONTENT, { method: "PUT", body: photo });
  const made = await open.send("POST", "/v1/albums/a/images/photo/links", {});
  const { url, gives } = await jsonOf<{ url: string; gives: string }>(made);
  expect(gives).toBe("original");
  expect((await bytesOf(await open.fetch(url))).equals(photo)).toBe(true);
});

test("an archive of whole originals is for clients with a key", async () => {
  const ZIP = "/v1/albums/a/zip";
  const refused = await store.fetch(ZIP);
  expect([refused.status, await codeOf(refused)]).toEqual([403, "original_not_shared"]);
  const share = await store.send("POST", "/v1/albums/a/shares", { originals: true }, headers);
  const { secret } = await jsonOf<{ secret: string }>(share);
  const shared = await store.fetch(ZIP, { headers: { Authorization: `Bearer ${secret}` } });
  expect([shared.status, await codeOf(shared)]).toEqual([403, "original_not_shared"]);
  const archive = await store.fetch(ZIP, { headers });
  expect((await bytesOf(archive)).includes(photo)).toBe(true);
  expect(archive.headers.get("cache-control")).toContain("private");
  expect(archive.headers.get("vary")).toContain("Authorization");
});
