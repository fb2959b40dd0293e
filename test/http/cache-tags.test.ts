import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Image } from "../../src/domain/image.ts";
import { asRoot, jsonOf, ROOT_KEY, startStore, type TestStore } from "./harness.ts";
import { newAlbum, newImage } from "./image-fixtures.ts";

let tagged: TestStore;
let plain: TestStore;
let image: Image;
let plainImage: Image;

async function seed(store: TestStore): Promise<Image> {
  return newImage(store, await newAlbum(store, "tagged"), "lake.png");
}

beforeAll(async () => {
  [tagged, plain] = await Promise.all([startStore({ CACHE_TAGS: "true" }), startStore()]);
  [image, plainImage] = await Promise.all([seed(tagged), seed(plain)]);
});
afterAll(async () => {
  await Promise.all([tagged, plain].map((store) => store[Symbol.asyncDispose]()));
});

const tagsOf = ({ headers }: Response) => [headers.get("cache-tag"), headers.get("surrogate-key")];
const expected = ({ id, albumId }: Image) => [`${id},${albumId}`, `${id} ${albumId}`];

async function linkTo(store: TestStore, variant: object): Promise<string> {
  const made = await store.send("POST", "/v1/albums/tagged/images/lake.png/links", { variant });
  return (await jsonOf<{ url: string }>(made)).url;
}

/** Every route that answers with the bytes of an image. */
const TARGETS: Readonly<Record<string, (store: TestStore, of: Image) => string | Promise<string>>> = {
  "an original by its name": () => "/v1/albums/tagged/images/lake.png/content",
  "an original by its permanent URL": (_, { links }) => links.content,
  "a variant by the name of the image": () => "/v1/albums/tagged/images/lake.png/content?w=320",
  "a variant by the permanent URL": (_, { links }) => `${links.content}?w=320&format=webp`,
  "a preset": (_, { links }) => `${links.content}?preset=thumb`,
  "a signed link to the original": (store) => linkTo(store, {}),
  "a signed link to a variant": (store) => linkTo(store, { w: 100 }),
};

const REQUESTS: readonly (readonly [name: string, init: RequestInit, status: number])[] = [
  ["GET", {}, 200],
  ["HEAD", { method: "HEAD" }, 200],
  ["a range", { headers: { Range: "bytes=0-3" } }, 206],
];

describe.each(Object.entries(TARGETS))("%s", (_name, targetOf) => {
  test.each(REQUESTS)(
    "by %s has the ids of image and album in Cache-Tag and Surrogate-Key",
    async (_, init, status) => {
      const response = await tagged.fetch(await targetOf(tagged, image), init);
      expect(response.status).toBe(status);
      expect(tagsOf(response)).toEqual(expected(image));
    },
  );

  test("has the same tags in 304", async () => {
    const path = await targetOf(tagged, image);
    const etag = (await tagged.fetch(path)).headers.get("etag") ?? "";
    const response = await tagged.fetch(path, { headers: { "If-None-Match": etag } });
    expect(response.status).toBe(304);
    expect(tagsOf(response)).toEqual(expected(image));
  });

  test("has no tags where the store is not set to send them", async () => {
    const path = await targetOf(plain, plainImage);
    const first = await plain.fetch(path);
    expect(first.status).toBe(200);
    const again = await plain.fetch(path, { headers: { "If-None-Match": first.headers.get("etag") ?? "" } });
    expect(again.status).toBe(304);
    for (const response of [first, again]) expect(tagsOf(response)).toEqual([null, null]);
  });
});

test("an image that moves has the tag of its new album, and new bytes keep the tags", async () => {
  const album = await newAlbum(tagged, "first");
  const moving = await newImage(tagged, album, "moving.png");
  expect(tagsOf(await tagged.fetch(moving.links.content))).toEqual(expected(moving));
  await newAlbum(tagged, "second");
  const moved = await jsonOf<Image>(await tagged.send("POST", `${album}/images/moving.png/move`, { album: "second" }));
  expect(moved.albumId).not.toBe(moving.albumId);
  expect(tagsOf(await tagged.fetch(moved.links.content))).toEqual(expected(moved));
});

test("the same bytes in two albums have the tags of their own images", async () => {
  const bytes = new Uint8Array(await (await tagged.fetch(image.links.content)).arrayBuffer());
  const twin = await newImage(tagged, await newAlbum(tagged, "twins"), "lake.png", bytes);
  expect(tagsOf(await tagged.fetch(twin.links.content))).toEqual(expected(twin));
  expect(tagsOf(await tagged.fetch(image.links.content))).toEqual(expected(image));
});

test("errors, records and archives have no tags", async () => {
  for (const path of ["/v1/images/none/content/none", image.links.self, "/v1/albums/tagged/zip"])
    expect([path, ...tagsOf(await tagged.fetch(path))]).toEqual([path, null, null]);
});

test("private content has tags and stays private, and who may not see it gets none", async () => {
  await using store = await startStore({ CACHE_TAGS: "true", API_KEYS: ROOT_KEY });
  const root = asRoot(store);
  const hidden = await seed(root);
  const paths = [hidden.links.content, "/v1/albums/tagged/images/lake.png/content", `${hidden.links.content}?w=320`];
  for (const path of paths) {
    const shown = await root.fetch(path);
    expect([path, shown.status, ...tagsOf(shown)]).toEqual([path, 200, ...expected(hidden)]);
    expect(shown.headers.get("cache-control")).toMatch(/private/);
    const refused = await store.fetch(path);
    expect([path, refused.ok, ...tagsOf(refused)]).toEqual([path, false, null, null]);
  }
  const { url } = await jsonOf<{ url: string }>(
    await root.send("POST", "/v1/albums/tagged/images/lake.png/links", { variant: {} }),
  );
  const linked = await store.fetch(url);
  expect([linked.status, ...tagsOf(linked)]).toEqual([200, ...expected(hidden)]);
  expect(linked.headers.get("cache-control")).toMatch(/^public/);
});
