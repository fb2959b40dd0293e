import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Album } from "../../../src/domain/album.ts";
import { jsonOf } from "../harness.ts";
import { codeOf } from "../image-fixtures.ts";
import { type Problem, pathOf, startAlbumStore } from "./album-store.ts";

const { store, create } = await startAlbumStore();
afterAll(() => store[Symbol.asyncDispose]());

interface AlbumPage {
  readonly items: readonly Album[];
  readonly nextPageToken?: string;
  readonly watermark: string;
}

const readPages = async (path: string): Promise<Album[]> => {
  const items: Album[] = [];
  for (let next: string | undefined = path; next !== undefined; ) {
    const response = await store.fetch(next);
    expect(response.status).toBe(200);
    const page = await jsonOf<AlbumPage>(response);
    items.push(...page.items);
    const link = /^<([^>]+)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];
    expect(link === undefined).toBe(page.nextPageToken === undefined);
    if (link !== undefined)
      expect(new URLSearchParams(link.split("?")[1]).get("pageToken")).toBe(page.nextPageToken ?? "");
    next = link;
  }
  return items;
};

describe("GET /v1/albums", () => {
  const prefix = `list ${crypto.randomUUID()} `;
  const names = ["a", "B", "b", "é", "Z", "0", "_", "ä", "zz"].map((suffix) => prefix + suffix);
  const byBytes = names.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)));
  const query = `q=${encodeURIComponent(prefix)}`;
  beforeAll(async () => {
    for (const name of names) await store.send("POST", "/v1/albums", { name });
  });

  test("links to every page, in code point order", async () => {
    for (const pageSize of [1, 2, 4, 1000]) {
      const items = await readPages(`/v1/albums?${query}&pageSize=${pageSize}`);
      expect(items.map((album) => album.name)).toEqual(byBytes);
    }
  });

  const ordered = async (orderBy: string): Promise<string[]> =>
    (await readPages(`/v1/albums?${query}&pageSize=2&orderBy=${orderBy}`)).map((album) => album.name);

  test("orders by name, createdAt and updatedAt, ascending and descending", async () => {
    const first = names[0] as string;
    await store.send("PATCH", pathOf(first), { title: "touched" });
    expect(await ordered("-name")).toEqual(byBytes.toReversed());
    expect((await ordered("createdAt")).length).toBe(names.length);
    expect(await ordered("-createdAt")).toEqual((await ordered("createdAt")).toReversed());
    expect((await ordered("updatedAt")).at(-1)).toBe(first);
    expect((await ordered("-updatedAt")).at(0)).toBe(first);
  });

  const countWith = async (rest: string): Promise<number> =>
    (await readPages(`/v1/albums?q=${encodeURIComponent(prefix + rest)}`)).length;

  test("q is a literal, case-sensitive prefix", async () => {
    expect(await countWith("b")).toBe(1);
    expect(await countWith("z")).toBe(1);
    expect(await countWith("%")).toBe(0);
    expect(await countWith("_")).toBe(1);
  });

  test("has the watermark of the first page on every page", async () => {
    const first = await jsonOf<AlbumPage>(await store.fetch(`/v1/albums?${query}&pageSize=3`));
    await create();
    const second = await jsonOf<AlbumPage>(
      await store.fetch(`/v1/albums?${query}&pageSize=3&pageToken=${first.nextPageToken}`),
    );
    expect(second.watermark).toBe(first.watermark);
    const fresh = await jsonOf<AlbumPage>(await store.fetch(`/v1/albums?${query}`));
    expect(fresh.watermark).not.toBe(first.watermark);
  });

  test("refuses a page token of another listing", async () => {
    const { nextPageToken } = await jsonOf<AlbumPage>(await store.fetch(`/v1/albums?${query}&pageSize=2`));
    const list = async (rest: string) => await store.fetch(`/v1/albums?${rest}`);
    expect((await list(`${query}&pageSize=5&pageToken=${nextPageToken}`)).status).toBe(200);
    expect((await list(`${query}&orderBy=name&pageToken=${nextPageToken}`)).status).toBe(200);
    for (const rest of [
      `${query}&orderBy=-name&pageToken=${nextPageToken}`,
      `q=x&pageToken=${nextPageToken}`,
      `pageToken=${nextPageToken}`,
      `${query}&pageToken=x`,
      `${query}&pageToken=`,
      `${query}&pageToken=${Buffer.from("[1,2]").toString("base64url")}`,
    ]) {
      const response = await list(rest);
      expect(response.status).toBe(400);
      expect(await codeOf(response)).toBe("invalid_page_token");
    }
  });

  test.each([
    ["pageSize=0", "invalid_request", "pageSize"],
    ["pageSize=1001", "invalid_request", "pageSize"],
    ["pageSize=", "invalid_request", "pageSize"],
    ["pageSize=1e2", "invalid_request", "pageSize"],
    ["pageSize=-1", "invalid_request", "pageSize"],
    ["orderBy=size", "invalid_request", "orderBy"],
    ["q=%00", "invalid_request", "q"],
    ["q=%ff", "invalid_request", "q"],
    ["q=a&q=b", "unknown_parameter", "q"],
    ["page=1", "unknown_parameter", "page"],
    ["PageSize=1", "unknown_parameter", "PageSize"],
    ["__proto__=1", "unknown_parameter", "__proto__"],
    ["=", "unknown_parameter", ""],
  ])("with %s is 400 %s", async (search, code, parameter) => {
    const response = await store.fetch(`/v1/albums?${search}`);
    expect(response.status).toBe(400);
    expect(await jsonOf<Problem>(response)).toMatchObject({ code, errors: [{ parameter }] });
  });
});
