import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import type { Image } from "../../src/domain/image.ts";
import { parseName } from "../../src/domain/names.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { codeOf, formOf, GIF, imagePath, newAlbum, newImage, newPng, postForm } from "./image-fixtures.ts";

interface ImagePage {
  readonly items: readonly Image[];
  readonly nextPageToken?: string;
  readonly watermark: string;
}

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store, "records");
});
afterAll(() => store[Symbol.asyncDispose]());

let made = 0;
const newName = (): string => `image ${++made}`;

async function readPages(path: string): Promise<Image[]> {
  const items: Image[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const response = await store.fetch(next);
    expect(response.status).toBe(200);
    const page = await jsonOf<ImagePage>(response);
    items.push(...page.items);
    next = /^<([^>]+)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];
    expect(next === undefined).toBe(page.nextPageToken === undefined);
  }
  return items;
}

const namesOf = async (path: string, query: string) =>
  (await readPages(`${path}/images?${query}`)).map(({ name }) => name);

describe("an image record", () => {
  test("is equal by name and by id, with one ETag that revalidates both", async () => {
    const image = await newImage(store, album, newName());
    for (const path of [image.links.self, `/v1/images/${image.id}`]) {
      const response = await store.fetch(path);
      expect(await response.json()).toEqual(image);
      const etag = response.headers.get("etag") ?? "";
      expect(etag).toStartWith(`"${image.id}.1.`);
      const again = await store.fetch(path, { headers: { "If-None-Match": `"other", W/${etag}` } });
      expect(again.status).toBe(304);
      expect((await store.fetch(path, { headers: { "If-Match": '"other"' } })).status).toBe(412);
      const head = await store.fetch(path, { method: "HEAD" });
      expect(head.headers.get("content-length")).toBe(response.headers.get("content-length"));
      expect(await head.text()).toBe("");
    }
  });

  test("keeps its id when the image or its album is renamed", async () => {
    const path = await newAlbum(store, "before");
    const image = await newImage(store, path, newName());
    await store.send("PATCH", image.links.self, { name: "renamed ✓" });
    await store.send("PATCH", path, { name: "after" });
    const response = await store.fetch(`/v1/images/${image.id}`);
    const renamed = await jsonOf<Image>(response);
    expect(renamed).toMatchObject({ id: image.id, name: "renamed ✓", album: "after" });
    expect(renamed.links.self).toBe("/v1/albums/after/images/renamed%20%E2%9C%93");
    expect(renamed.links.content).toBe(image.links.content);
    expect((await store.fetch(renamed.links.self)).status).toBe(200);
    expect(await codeOf(await store.fetch(image.links.self))).toBe("album_not_found");
    expect(await codeOf(await store.fetch(imagePath("/v1/albums/after", image.name)))).toBe("image_not_found");
  });

  test("that does not exist is 404", async () => {
    expect(await codeOf(await store.fetch(imagePath(album, "none")))).toBe("image_not_found");
    expect(await codeOf(await store.fetch("/v1/albums/none/images/a"))).toBe("album_not_found");
    for (const id of [Bun.randomUUIDv7(), "none", "%00", "../x"]) {
      const response = await store.fetch(`/v1/images/${encodeURIComponent(id)}`);
      expect({ id, status: response.status }).toEqual({ id, status: 404 });
    }
    expect(await codeOf(await store.fetch(`${album}/images/%ff`))).toBe("invalid_name");
  });

  test("is removed with its album, by id too", async () => {
    const path = await newAlbum(store);
    const image = await newImage(store, path, newName());
    expect((await store.fetch(`${path}?recursive=true`, { method: "DELETE" })).status).toBe(204);
    for (const gone of [`/v1/images/${image.id}`, image.links.content]) {
      expect(await codeOf(await store.fetch(gone))).toBe("image_not_found");
    }
  });
});

describe("PATCH of an image", () => {
  test("merges fields", async () => {
    const { links, ...image } = await newImage(store, album, newName());
    const first = await store.send("PATCH", links.self, {
      title: "T",
      metadata: { a: "1", b: "2" },
      tags: ["x", "y"],
    });
    expect(await first.json()).toMatchObject({
      title: "T",
      metadata: { a: "1", b: "2" },
      tags: ["x", "y"],
      revision: 2,
    });
    const type = { "Content-Type": "application/merge-patch+json" };
    const second = await store.send("PATCH", links.self, { title: null, metadata: { a: null }, tags: null }, type);
    const patched = await jsonOf<Image>(second);
    expect(patched).toMatchObject({ title: null, metadata: { b: "2" }, tags: [], revision: 3, sha256: image.sha256 });
    const same = await store.send("PATCH", links.self, { title: null });
    expect(await same.json()).toEqual(patched);
    expect((await store.fetch(links.self)).headers.get("etag")).toBe(second.headers.get("etag"));
  });

  test("with If-Match changes only that revision, by name and by id", async () => {
    const image = await newImage(store, album, newName());
    const etag = (await store.fetch(`/v1/images/${image.id}`)).headers.get("etag") ?? "";
    expect((await store.send("PATCH", image.links.self, { title: "1" }, { "If-Match": etag })).status).toBe(200);
    const stale = await store.send("PATCH", image.links.self, { title: "2" }, { "If-Match": etag });
    expect(stale.status).toBe(412);
    const missing = await store.send("PATCH", imagePath(album, "none"), { title: "2" }, { "If-Match": etag });
    expect(missing.status).toBe(404);
  });

  test("to a taken name is 409, and an invalid patch is 400", async () => {
    const [one, two] = [await newImage(store, album, newName()), await newImage(store, album, newName())];
    const taken = await store.send("PATCH", one.links.self, { name: two.name });
    expect(taken.status).toBe(409);
    expect(await codeOf(taken)).toBe("image_exists");
    expect(await codeOf(await store.send("PATCH", one.links.self, { name: "a/b" }))).toBe("invalid_name");
    const wrong: object[] = [
      { sha256: "x" },
      { tags: ["a", "a"] },
      { tags: [""] },
      { tags: Array.from({ length: 65 }, (_, index) => `${index}`) },
      { tags: ["x".repeat(65)] },
      { tags: Array.from({ length: 40 }, (_, index) => "😀".repeat(62) + String(index)) },
      { title: "a\u0000b" },
      { title: "\ud800" },
      { title: "x".repeat(201) },
      { description: "x".repeat(4097) },
      { metadata: { a: 1 } },
      { metadata: { a: "x".repeat(9000) } },
    ];
    for (const patch of wrong) {
      const response = await store.send("PATCH", one.links.self, patch);
      expect({ patch, code: await codeOf(response) }).toEqual({ patch, code: "invalid_request" });
    }
    expect(await (await store.fetch(one.links.self)).json()).toEqual(one);
  });
});

describe("DELETE of an image", () => {
  test("removes the record and its content, and frees the name", async () => {
    const image = await newImage(store, album, newName());
    const etag = (await store.fetch(image.links.self)).headers.get("etag") ?? "";
    const stale = await store.fetch(image.links.self, { method: "DELETE", headers: { "If-Match": '"x"' } });
    expect(stale.status).toBe(412);
    const gone = await store.fetch(image.links.self, { method: "DELETE", headers: { "If-Match": etag } });
    expect(gone.status).toBe(204);
    for (const path of [
      image.links.self,
      `${image.links.self}/content`,
      image.links.content,
      `/v1/images/${image.id}`,
    ]) {
      expect((await store.fetch(path)).status).toBe(404);
    }
    expect((await store.fetch(image.links.self, { method: "DELETE" })).status).toBe(404);
    expect((await newImage(store, album, image.name)).id).not.toBe(image.id);
    expect(await codeOf(await store.fetch("/v1/albums/none/images/a", { method: "DELETE" }))).toBe("album_not_found");
  });
});

describe("a listing of images", () => {
  const names = Array.from(
    { length: 23 },
    (_, index) => `${index % 2 === 0 ? "even" : "odd"} ${String(index).padStart(2, "0")}`,
  );
  let listed: string;
  let images: Image[];
  beforeAll(async () => {
    listed = await newAlbum(store, "listed");
    const files = Object.fromEntries(names.map((name, index) => [name, index === 7 ? GIF : newPng()]));
    const response = await postForm(store, listed, formOf(files));
    images = [...(await jsonOf<{ items: Image[] }>(response)).items];
    const patched = await store.send("PATCH", imagePath(listed, "even 04"), { tags: ["marked", "other"] });
    images[4] = await jsonOf<Image>(patched);
  });
  const byName = () => [...images].sort((one, other) => (one.name < other.name ? -1 : 1));

  test.each([1, 7, 23, 1000])("in pages of %p has every image once and in order", async (pageSize) => {
    expect(await readPages(`${listed}/images?pageSize=${pageSize}`)).toEqual(byName());
    const backwards = await readPages(`${listed}/images?pageSize=${pageSize}&orderBy=-name`);
    expect(backwards).toEqual(byName().toReversed());
    for (const orderBy of ["createdAt", "-createdAt", "updatedAt", "-updatedAt"]) {
      const items = await readPages(`${listed}/images?pageSize=${pageSize}&orderBy=${orderBy}`);
      expect(items.map(({ name }) => name).sort()).toEqual([...names].sort());
    }
  });

  test("applies filters", async () => {
    expect(await namesOf(listed, "q=odd&pageSize=3")).toEqual(names.filter((name) => name.startsWith("odd")).sort());
    expect(await namesOf(listed, "q=ODD")).toEqual([]);
    expect(await namesOf(listed, "contentType=image/gif")).toEqual(["odd 07"]);
    expect(await namesOf(listed, "tag=marked")).toEqual(["even 04"]);
    expect(await namesOf(listed, "tag=mark")).toEqual([]);
    expect(await namesOf(listed, `sha256=${images[3]?.sha256}`)).toEqual(["odd 03"]);
    const { createdAt } = images[0] ?? { createdAt: "" };
    const since = new Date(Date.parse(createdAt) - 1).toISOString();
    expect((await namesOf(listed, `createdAfter=${since}`)).length).toBe(23);
    expect(await namesOf(listed, `createdBefore=${since}`)).toEqual([]);
    expect((await namesOf(listed, `createdAfter=${encodeURIComponent("2000-01-01T00:00:00+02:00")}`)).length).toBe(23);
  });

  test("of all albums finds equal bytes by digest", async () => {
    const [first] = images;
    const copy = await newImage(store, album, newName(), await contentOf(first?.links.content ?? ""));
    const found = await readPages(`/v1/images?sha256=${first?.sha256}&pageSize=1`);
    expect(found.map(({ id }) => id).sort()).toEqual([first?.id ?? "", copy.id].sort());
    const all = await readPages("/v1/images?pageSize=10");
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    for (const image of images) expect(all).toContainEqual(image);
  });

  test("has the watermark of its first page on every page, and events continue from it", async () => {
    const first = await jsonOf<ImagePage>(await store.fetch(`${listed}/images?pageSize=5`));
    const added = await newImage(store, album, newName());
    const second = await jsonOf<ImagePage>(
      await store.fetch(`${listed}/images?pageSize=5&pageToken=${first.nextPageToken}`),
    );
    expect(second.watermark).toBe(first.watermark);
    const events = await jsonOf<{ items: { data: Image }[] }>(await store.fetch(`/v1/events?after=${first.watermark}`));
    expect(events.items.map(({ data }) => data.id)).toEqual([added.id]);
  });

  test("refuses a page token of another listing, and an invalid query", async () => {
    const { nextPageToken } = await jsonOf<ImagePage>(await store.fetch(`${listed}/images?pageSize=5`));
    for (const path of [
      `/v1/images`,
      `${album}/images`,
      `${listed}/images?q=e`,
      `${listed}/images?orderBy=-name`,
      "/v1/albums",
    ]) {
      const separator = path.includes("?") ? "&" : "?";
      const response = await store.fetch(`${path}${separator}pageToken=${nextPageToken}`);
      expect({ path, code: await codeOf(response) }).toEqual({ path, code: "invalid_page_token" });
    }
    for (const [query, code] of [
      ["pageSize=0", "invalid_request"],
      ["pageSize=1001", "invalid_request"],
      ["orderBy=size", "invalid_request"],
      ["createdAfter=yesterday", "invalid_request"],
      ["tag=%ff", "invalid_request"],
      ["w=100", "unknown_parameter"],
      ["tag=a&tag=b", "unknown_parameter"],
    ] as const) {
      for (const path of [`${listed}/images`, "/v1/images"]) {
        expect({ query, code: await codeOf(await store.fetch(`${path}?${query}`)) }).toEqual({ query, code });
      }
    }
    expect(await codeOf(await store.fetch("/v1/albums/none/images"))).toBe("album_not_found");
  });

  test("has every unchanged image once during concurrent writes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat({ max: 40 }), fc.boolean()), { maxLength: 8 }), async (changes) => {
        const path = await newAlbum(store);
        const kept = Array.from({ length: 9 }, (_, index) => `kept ${index * 5}`);
        await postForm(store, path, formOf(Object.fromEntries(kept.map((name) => [name, newPng()]))));
        const seen: string[] = [];
        let next: string | undefined = `${path}/images?pageSize=2`;
        for (let turn = 0; next !== undefined; turn++) {
          const response: Response = await store.fetch(next);
          seen.push(...(await jsonOf<ImagePage>(response)).items.map(({ name }) => name));
          next = /^<([^>]+)>/.exec(response.headers.get("link") ?? "")?.[1];
          const [place, comes] = changes[turn] ?? [];
          const guest = imagePath(path, `kept ${place}1`);
          if (comes === true) await store.fetch(`${guest}/content`, { method: "PUT", body: newPng() });
          if (comes === false) await store.fetch(guest, { method: "DELETE" });
        }
        expect(seen.filter((name) => kept.includes(name)).sort()).toEqual([...kept].sort());
      }),
      { numRuns: 8 },
    );
  });
});

const contentOf = async (path: string) => new Uint8Array(await (await store.fetch(path)).arrayBuffer());

const corpora = process.env["IMAGE_STORE_CORPORA"] ?? join(import.meta.dir, "../../../shared/corpora");
const naughty = Bun.file(join(corpora, "http/naughty-strings.json"));
if (!existsSync(naughty.name ?? "")) console.warn(`SKIPPED: hostile names, since ${naughty.name} is not there`);

describe("hostile image names", () => {
  test.skipIf(!existsSync(naughty.name ?? ""))("are stored and returned unchanged, or refused", async () => {
    const path = await newAlbum(store, "naughty");
    const accepted = new Set<string>();
    for (const text of (await naughty.json()) as string[]) {
      const name = nameOf(text);
      // What the URL itself cannot carry as one segment is no name either.
      const response = await store.fetch(`${path}/images?name=${encodeURIComponent(text.toWellFormed())}`, {
        method: "POST",
        body: newPng(),
      });
      if (name === undefined) {
        expect({ text, code: await codeOf(response) }).toEqual({ text, code: "invalid_name" });
      } else if (accepted.has(name)) {
        expect({ text, status: response.status }).toEqual({ text, status: 409 });
      } else {
        expect({ text, status: response.status }).toEqual({ text, status: 201 });
        accepted.add(name);
        const image = await jsonOf<Image>(response);
        expect(image.name).toBe(name);
        expect(response.headers.get("location")).toBe(image.links.self);
        expect(await (await store.fetch(image.links.self)).json()).toEqual(image);
        const content = await store.fetch(`${image.links.self}/content`);
        expect(content.status).toBe(200);
        const disposition = content.headers.get("content-disposition") ?? "";
        expect(disposition).toMatch(/^inline; filename="[\x20-\x7e]*"; filename\*=UTF-8''[\w.~%!$&+^`|#-]*$/);
        expect(decodeURIComponent(/UTF-8''(.*)$/.exec(disposition)?.[1] ?? "")).toBe(name);
      }
    }
    expect(accepted.size).toBeGreaterThan(300);
    const pages = await readPages(`${path}/images?pageSize=100`);
    expect(pages.map(({ name }) => name).sort()).toEqual([...accepted].sort());
  });
});

function nameOf(text: string): string | undefined {
  try {
    return parseName(text);
  } catch {
    return undefined;
  }
}
