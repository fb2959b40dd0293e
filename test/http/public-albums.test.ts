import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { CloudEvent } from "../../src/domain/event.ts";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newPng } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

const { API_KEYS, bearer } = testKeys({ owner: "read+write+delete+transform+share+events", writer: "read+write" });
const NO_KEY: Readonly<Record<string, string>> = {};

let store: TestStore;
let open: Image;
let closed: Image;
beforeAll(async () => {
  store = await startStore({ API_KEYS });
  const put = async (album: string, visibility: string) => {
    await store.send("PUT", `/v1/albums/${album}`, { visibility }, bearer("owner"));
    const content = `/v1/albums/${album}/images/i/content`;
    return jsonOf<Image>(await store.fetch(content, { method: "PUT", body: newPng(), headers: bearer("owner") }));
  };
  open = await put("open", "public");
  closed = await put("closed", "private");
});
afterAll(() => store[Symbol.asyncDispose]());

const get = (path: string, headers = NO_KEY) => store.fetch(path, { headers });
const namesIn = async (path: string, headers = NO_KEY) =>
  (await jsonOf<{ items: { name: string; album?: string }[] }>(await get(path, headers))).items.map(
    ({ name, album }) => album ?? name,
  );
const pathsOf = ({ links, id, album }: Image) => [
  `/v1/albums/${album}`,
  `/v1/albums/${album}/images`,
  links.self,
  `${links.self}/content`,
  `${links.self}/content?w=160`,
  `/v1/images/${id}`,
  links.content,
];
const patch = (album: string, body: object, name: "owner" | "writer" = "owner") =>
  store.send("PATCH", `/v1/albums/${album}`, body, bearer(name));

describe("a client without a key", () => {
  test("reads records, images, bytes and free variants of a public album, and none of a private one", async () => {
    for (const path of pathsOf(open)) expect([path, (await get(path)).status]).toEqual([path, 200]);
    for (const path of pathsOf(closed)) expect([path, (await get(path)).status]).toEqual([path, 404]);
    expect((await get(`${open.links.content}?w=161`)).status).toBe(403);
  });

  test("lists public albums and their images only", async () => {
    expect(await namesIn("/v1/albums")).toEqual(["open"]);
    expect(await namesIn("/v1/images")).toEqual(["open"]);
    expect(await namesIn(`/v1/images?sha256=${closed.sha256}`)).toEqual([]);
    expect(await namesIn("/v1/albums", bearer("owner"))).toEqual(["closed", "open"]);
  });

  test("is told with a 404 that it sent no credentials, whether something is there or not", async () => {
    for (const path of ["/v1/albums/closed", "/v1/albums/none", `/v1/images/${closed.id}`]) {
      const response = await get(path);
      expect([response.status, response.headers.get("www-authenticate")]).toEqual([404, 'Bearer realm="image-store"']);
    }
    expect((await get("/v1/albums/none", bearer("owner"))).headers.get("www-authenticate")).toBeNull();
  });

  test("may not write to a public album, share it or follow its events", async () => {
    expect((await store.send("PATCH", "/v1/albums/open", { title: "t" })).status).toBe(401);
    expect((await store.fetch("/v1/albums/open?recursive=true", { method: "DELETE" })).status).toBe(401);
    expect((await store.send("POST", `${open.links.self}/links`, {})).status).toBe(401);
    expect((await get("/v1/events")).status).toBe(401);
  });
});

describe("visibility", () => {
  test("is private for a new album, and kept by PUT and PATCH that do not name it", async () => {
    const made = await store.send("POST", "/v1/albums", { name: "new" }, bearer("owner"));
    expect((await jsonOf<Album>(made)).visibility).toBe("private");
    expect((await jsonOf<Album>(await patch("new", { visibility: "public" }))).visibility).toBe("public");
    const put = await store.send("PUT", "/v1/albums/new", { title: "t" }, bearer("owner"));
    expect(await jsonOf<Album>(put)).toMatchObject({ visibility: "public", title: "t" });
    expect(await jsonOf<Album>(await patch("new", { title: "u" }))).toMatchObject({ visibility: "public", title: "u" });
  });

  test("of another value needs the right share, in every request that sets it", async () => {
    const set = { visibility: "public" };
    const attempts = [
      store.send("POST", "/v1/albums", { name: "theirs", ...set }, bearer("writer")),
      store.send("PUT", "/v1/albums/theirs", set, bearer("writer")),
      store.send("PUT", "/v1/albums/closed", set, bearer("writer")),
      patch("closed", set, "writer"),
      patch("open", { visibility: "private" }, "writer"),
    ];
    for (const attempt of attempts) {
      const response = await attempt;
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ code: "forbidden", missing: ["share"] });
    }
    expect((await patch("closed", { visibility: "private", title: "t" }, "writer")).status).toBe(200);
    expect((await patch("open", { ...set, title: "t" }, "writer")).status).toBe(200);
    expect((await get("/v1/albums/theirs", bearer("owner"))).status).toBe(404);
  });

  test("is in events, and a change of it is one", async () => {
    await patch("closed", { visibility: "public" });
    await patch("closed", { visibility: "private" });
    const { items } = await jsonOf<{ items: CloudEvent[] }>(
      await get(`/v1/events?type=album.updated&albumId=${closed.albumId}`, bearer("owner")),
    );
    expect(items.slice(-2).map(({ data }) => "visibility" in data && data.visibility)).toEqual(["public", "private"]);
  });

  test("is one of two values", async () => {
    for (const visibility of ["open", "", null, true, "Public"])
      expect((await patch("closed", { visibility })).status).toBe(400);
  });
});

const cacheOf = async (path: string, headers = NO_KEY) => {
  const response = await get(path, headers);
  const tag = response.headers.get("etag") ?? "";
  const again = await get(path, { ...headers, "If-None-Match": tag });
  const control = response.headers.get("cache-control");
  expect([again.status, again.headers.get("cache-control")]).toEqual([304, control]);
  return control;
};
const versionOf = async () =>
  new URL((await get(`${open.links.content}?w=160`)).headers.get("content-location") ?? "", store.url).searchParams.get(
    "v",
  );

const policy = async (path: string) => (await get(path, bearer("owner"))).headers.get("cross-origin-resource-policy");

describe("shared caches", () => {
  test("keep what a public album shows for a few minutes, and nothing else", async () => {
    const v = await versionOf();
    const forAll = "public, s-maxage=300, max-age=31536000, immutable";
    const forOne = "private, max-age=31536000, immutable";
    for (const headers of [NO_KEY, bearer("owner")]) {
      expect(await cacheOf(open.links.content, headers)).toBe(forAll);
      expect(await cacheOf(`${open.links.content}?w=160&v=${v}`, headers)).toBe(forAll);
      expect(await cacheOf(`${open.links.self}/content`, headers)).toBe("no-cache");
    }
    expect(await cacheOf(`${open.links.content}?w=161&v=${v}`, bearer("owner"))).toBe(forOne);
    expect(await cacheOf(closed.links.content, bearer("owner"))).toBe(forOne);
    expect(await cacheOf(`${closed.links.content}?w=160&v=${v}`, bearer("owner"))).toBe(forOne);
    expect(await cacheOf(`${closed.links.self}/content`, bearer("owner"))).toBe("private, no-cache");
  });

  test("get 404 when they ask again after the album turned private", async () => {
    const tag = (await get(open.links.content)).headers.get("etag") ?? "";
    await patch("open", { visibility: "private" });
    const again = await get(open.links.content, { "If-None-Match": tag });
    expect([again.status, again.headers.get("cache-control")]).toEqual([404, "no-store"]);
    expect(await cacheOf(open.links.content, bearer("owner"))).toStartWith("private");
    await patch("open", { visibility: "public" });
    expect((await get(open.links.content, { "If-None-Match": tag })).status).toBe(304);
  });

  test("may show a public album's images on pages of any origin, and no others", async () => {
    expect([await policy(open.links.content), await policy(closed.links.content)]).toEqual([
      "cross-origin",
      "same-site",
    ]);
  });
});

test("byteCount is the size of the album's originals", async () => {
  const { byteCount, imageCount } = await jsonOf<Album>(await get("/v1/albums/open"));
  expect([imageCount, byteCount]).toEqual([1, open.size]);
  await store.send("PUT", "/v1/albums/sizes", {}, bearer("owner"));
  const sizes = [];
  for (const bytes of [newPng(100), newPng(5000), newPng(300)]) {
    await store.fetch("/v1/albums/sizes/images/i/content", { method: "PUT", body: bytes, headers: bearer("owner") });
    sizes.push((await jsonOf<Album>(await get("/v1/albums/sizes", bearer("owner")))).byteCount - bytes.length);
  }
  await store.fetch("/v1/albums/sizes/images/i", { method: "DELETE", headers: bearer("owner") });
  sizes.push((await jsonOf<Album>(await get("/v1/albums/sizes", bearer("owner")))).byteCount);
  expect(sizes).toEqual([0, 0, 0, 0]);
});
