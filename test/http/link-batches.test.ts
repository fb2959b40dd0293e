import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { codeOf, newPng } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

interface Link {
  readonly url: string;
  readonly expiresAt: string;
  readonly gives: string;
}
interface Outcome {
  readonly status: number;
  readonly link?: Link;
  readonly error?: { readonly code: string; readonly detail: string };
}

const { API_KEYS, bearer } = testKeys({
  boss: "read+write+delete+transform+share",
  sharer: "read+share",
  reader: "read",
});

let store: TestStore;
let images: readonly Image[];
beforeAll(async () => {
  store = await startStore({ API_KEYS }, { now: () => Date.parse("2026-07-14T09:30:00.250Z") });
  images = [];
  for (const album of ["a", "b c"]) {
    await store.send("PUT", `/v1/albums/${encodeURIComponent(album)}`, {}, bearer("boss"));
    for (const name of ["one", "zwei ü"]) {
      const path = `/v1/albums/${encodeURIComponent(album)}/images/${encodeURIComponent(name)}/content`;
      const response = await store.fetch(path, { method: "PUT", body: newPng(), headers: bearer("boss") });
      images = [...images, await jsonOf<Image>(response)];
    }
  }
});
afterAll(() => store[Symbol.asyncDispose]());

const ask = (items: readonly object[], key: "boss" | "sharer" | "reader" = "boss") =>
  store.send("POST", "/v1/links", { items }, bearer(key));

async function linkAlone({ album, name }: Image, wish: object): Promise<Link> {
  const path = `/v1/albums/${encodeURIComponent(album)}/images/${encodeURIComponent(name)}/links`;
  return jsonOf<Link>(await store.send("POST", path, wish, bearer("boss")));
}

describe("a batch of signed links", () => {
  test("has for each item the link that a request for it alone gets, in their order", async () => {
    const wishes = [
      {},
      { expiresIn: 60 },
      { variant: { w: 320 } },
      { variant: { w: 33, format: "webp" }, expiresIn: 900 },
    ];
    const wanted = Array.from({ length: 40 }, (_, index) => ({
      image: images[(index * 7) % images.length] as Image,
      wish: wishes[index % wishes.length] as object,
    }));
    const items = wanted.map(({ image, wish }, index) =>
      index % 3 === 0 ? { id: image.id, ...wish } : { album: image.album, image: image.name, ...wish },
    );
    const response = await ask(items);
    expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
    const { items: links } = await jsonOf<{ items: Link[] }>(response);
    expect(links).toEqual(await Promise.all(wanted.map(({ image, wish }) => linkAlone(image, wish))));
    for (const { url } of links.slice(0, 4)) expect((await store.fetch(url)).status).toBe(200);
  });

  test("tells of each item that has no link why, and makes the others", async () => {
    const [first] = images as [Image];
    const response = await ask(
      [
        { album: "a", image: "one" },
        { album: "a", image: "none" },
        { album: "none", image: "one" },
        { id: crypto.randomUUID() },
        { id: "no id at all" },
        { id: first.id, variant: { w: 33 } },
        { id: first.id, variant: { w: "x" } },
        { id: first.id, variant: { w: 320 } },
      ],
      "sharer",
    );
    expect([response.status, response.headers.get("cache-control")]).toEqual([207, "no-store"]);
    const { items } = await jsonOf<{ items: Outcome[] }>(response);
    expect(items.map(({ status, link, error }) => [status, link?.gives ?? error?.code])).toEqual([
      [200, "original"],
      [404, "image_not_found"],
      [404, "album_not_found"],
      [404, "image_not_found"],
      [404, "image_not_found"],
      [403, "variant_not_allowed"],
      [400, "invalid_variant"],
      [200, "variant"],
    ]);
    expect(items[6]?.error?.detail).toContain('"w"');
  });

  test("has at most 1,000 items, each with one reference", async () => {
    const { items } = await jsonOf<{ items: Link[] }>(
      await ask(
        Array.from({ length: 1000 }, (_, index) => ({ album: "a", image: index % 2 === 0 ? "one" : "zwei ü" })),
      ),
    );
    expect(items).toHaveLength(1000);
    expect(new Set(items.map(({ url }) => url)).size).toBe(2);
    for (const [bad, pointer] of [
      [Array.from({ length: 1001 }, () => ({ album: "a", image: "one" })), "/items"],
      [[], "/items"],
      [[{ album: "a", image: "one" }, {}], "/items/1"],
      [[{ album: "a" }], "/items/0"],
      [[{ image: "a" }], "/items/0"],
      [[{ album: "a", image: "one", id: "x" }], "/items/0"],
      [[{ album: "a", id: "x" }], "/items/0"],
      [[{ album: "a", image: "one", expiresIn: 1 }], "/items/0/expiresIn"],
      [[{ album: "a", image: "one", variant: { v: "x" } }], "/items/0/variant/v"],
    ] as const) {
      const response = await ask(bad);
      const { errors } = await jsonOf<{ errors: { pointer: string }[] }>(response);
      expect([response.status, errors[0]?.pointer]).toEqual([400, pointer]);
    }
    expect(await codeOf(await ask([{ album: "a/b", image: "one" }]))).toBe("invalid_name");
  });

  test("needs the rights to share and to read", async () => {
    expect((await ask([{ album: "a", image: "one" }], "reader")).status).toBe(403);
    expect((await store.send("POST", "/v1/links", { items: [{ album: "a", image: "one" }] })).status).toBe(401);
  });
});
