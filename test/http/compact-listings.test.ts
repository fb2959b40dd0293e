import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newAlbum, newImage, newPng, sha256 } from "./image-fixtures.ts";

interface Layout {
  readonly ids: string[];
  readonly sha256: string[];
  readonly widths: number[];
  readonly heights: number[];
  readonly placeholders: (string | null)[];
  readonly takenAt: (number | null)[];
  readonly createdAt: number[];
  readonly nextPageToken?: string;
  readonly watermark: string;
}

let store: TestStore;
let album: string;
let images: Image[];
const bytes = newPng(2000);
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store, "Lakes");
  for (const name of ["c", "a", "b", "d", "e"]) await newImage(store, album, name);
  await newImage(store, await newAlbum(store, "Other"), "same", bytes);
  await newImage(store, album, "same", bytes);
  images = (await jsonOf<{ items: Image[] }>(await store.fetch(`${album}/images?orderBy=-createdAt`))).items;
});
afterAll(() => store[Symbol.asyncDispose]());

const pageOf = async (query: string): Promise<Layout> => {
  const response = await store.fetch(`${album}/layout?${query}`);
  expect(response.status).toBe(200);
  return jsonOf<Layout>(response);
};

const known = async (body: unknown) => store.send("POST", "/v1/images/known", body);

describe("the layout of an album", () => {
  test("has the images of the listing, in its order, by columns", async () => {
    const layout = await pageOf("orderBy=-createdAt");
    const column = <Key extends keyof Image>(key: Key) => images.map((image) => image[key]);
    expect(layout).toEqual({
      ids: column("id"),
      sha256: column("sha256"),
      widths: column("width"),
      heights: column("height"),
      placeholders: column("placeholder"),
      takenAt: images.map(() => null),
      createdAt: images.map(({ createdAt }) => Date.parse(createdAt)),
      watermark: expect.any(String),
    });
    expect(images).toHaveLength(6);
  });

  test("pages go on where the last one ended, and filters apply", async () => {
    const ids: string[] = [];
    for (let token = ""; ; ) {
      const page = await pageOf(`orderBy=-createdAt&pageSize=4${token}`);
      ids.push(...page.ids);
      if (page.nextPageToken === undefined) break;
      token = `&pageToken=${page.nextPageToken}`;
    }
    expect(ids).toEqual(images.map(({ id }) => id));
    expect((await pageOf(`sha256=${sha256(bytes)}`)).ids).toHaveLength(1);
    expect((await pageOf("q=nothing")).ids).toEqual([]);
  });

  test("takes 10,000 images a page and no more, and a token of no other listing", async () => {
    expect((await pageOf("pageSize=10000")).ids).toHaveLength(6);
    const refused = async (path: string) => (await jsonOf<{ code: string }>(await store.fetch(path))).code;
    expect(await refused(`${album}/layout?pageSize=10001`)).toBe("invalid_request");
    const { nextPageToken } = await jsonOf<Layout>(await store.fetch(`${album}/images?pageSize=1`));
    expect(await refused(`${album}/layout?pageToken=${nextPageToken}`)).toBe("invalid_page_token");
    expect(await refused("/v1/albums/none/layout")).toBe("album_not_found");
  });
});

describe("known bytes", () => {
  test("are told by one image for each digest, in the order of the digests", async () => {
    const [first, second] = images.filter(({ name }) => name !== "same").map((image) => image.sha256);
    const asked = [second, "0".repeat(64), sha256(bytes), first, second];
    const { items } = await jsonOf<{ items: Image[] }>(await known({ sha256: asked }));
    expect(items.map((image) => image.sha256)).toEqual([second, sha256(bytes), first] as string[]);
    for (const { id, name, album: of } of items)
      expect(await jsonOf<Image>(await store.fetch(`/v1/images/${id}`))).toMatchObject({ name, album: of });
  });

  test("may be asked for of one album", async () => {
    const albumId = images[0]?.albumId;
    const { items } = await jsonOf<{ items: Image[] }>(await known({ sha256: [sha256(bytes)], albumId }));
    expect(items).toMatchObject([{ album: "Lakes", name: "same", albumId }]);
  });

  test("1,000 digests are one request, more are refused, and so is what is no digest", async () => {
    const digests = Array.from({ length: 1000 }, (_, index) => index.toString(16).padStart(64, "0"));
    expect((await known({ sha256: digests })).status).toBe(200);
    expect((await known({ sha256: [...digests, "f".repeat(64)] })).status).toBe(400);
    expect((await known({ sha256: ["F".repeat(64)] })).status).toBe(400);
    expect((await known({ sha256: [] })).status).toBe(200);
    expect((await known({})).status).toBe(400);
  });
});
