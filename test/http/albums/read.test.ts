import { afterAll, describe, expect, test } from "bun:test";
import { codeOf } from "../image-fixtures.ts";
import { newName, pathOf, startAlbumStore } from "./album-store.ts";

const { store, create } = await startAlbumStore();
afterAll(() => store[Symbol.asyncDispose]());

describe("GET and HEAD /v1/albums/{album}", () => {
  test("of a missing album is 404", async () => {
    const response = await store.fetch(pathOf(newName()));
    expect(response.status).toBe(404);
    expect(await codeOf(response)).toBe("album_not_found");
  });

  test("HEAD has the headers of GET and no body", async () => {
    const { album } = await create({ title: "héad" });
    const get = await store.fetch(pathOf(album.name));
    const head = await store.fetch(pathOf(album.name), { method: "HEAD" });
    expect(head.status).toBe(200);
    expect(head.headers.get("content-length")).toBe(String((await get.arrayBuffer()).byteLength));
    for (const name of ["content-type", "etag", "cache-control"]) {
      expect(head.headers.get(name)).toBe(get.headers.get(name));
    }
    expect(await head.text()).toBe("");
    expect((await store.fetch(pathOf(newName()), { method: "HEAD" })).status).toBe(404);
  });

  test.each([
    ["the tag", (etag: string) => etag, 304],
    ["the tag, weak", (etag: string) => `W/${etag}`, 304],
    ["a list", (etag: string) => `"other" , ${etag},`, 304],
    ["a star", () => "*", 304],
    ["another tag", () => '"other"', 200],
    ["no list at all", (etag: string) => etag.replaceAll('"', ""), 400],
  ])("with If-None-Match %s is conditional", async (_why, field, status) => {
    const { album, etag } = await create();
    for (const method of ["GET", "HEAD"]) {
      const response = await store.fetch(pathOf(album.name), { method, headers: { "If-None-Match": field(etag) } });
      expect(response.status).toBe(status);
      if (status === 304) expect(response.headers.get("etag")).toBe(etag);
    }
  });

  test("with If-Match is conditional", async () => {
    const { album, etag } = await create();
    const read = (field: string) => store.fetch(pathOf(album.name), { headers: { "If-Match": field } });
    expect((await read(etag)).status).toBe(200);
    expect((await read("*")).status).toBe(200);
    expect((await read(`W/${etag}`)).status).toBe(412);
    expect((await read('"other"')).status).toBe(412);
  });
});
