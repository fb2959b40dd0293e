import { afterAll, describe, expect, test } from "bun:test";
import { jsonOf } from "../harness.ts";
import { codeOf } from "../image-fixtures.ts";
import { newName, type Problem, pathOf, startAlbumStore } from "./album-store.ts";

const { store, create } = await startAlbumStore();
afterAll(() => store[Symbol.asyncDispose]());

describe("DELETE /v1/albums/{album}", () => {
  test("is 204, then 404", async () => {
    const { album } = await create();
    const response = await store.fetch(pathOf(album.name), { method: "DELETE" });
    expect(response.status).toBe(204);
    expect((await store.fetch(pathOf(album.name))).status).toBe(404);
    const again = await store.fetch(pathOf(album.name), { method: "DELETE" });
    expect(again.status).toBe(404);
    expect(await codeOf(again)).toBe("album_not_found");
  });

  test("with If-Match deletes only that version", async () => {
    const { album, etag } = await create();
    await store.send("PATCH", pathOf(album.name), { title: "newer" });
    const stale = await store.fetch(pathOf(album.name), {
      method: "DELETE",
      headers: { "If-Match": etag },
    });
    expect(stale.status).toBe(412);
    expect(
      (
        await store.fetch(pathOf(newName()), {
          method: "DELETE",
          headers: { "If-Match": "*" },
        })
      ).status,
    ).toBe(404);
  });

  test("accepts true and false for recursive", async () => {
    const { album } = await create();
    const odd = await store.fetch(`${pathOf(album.name)}?recursive=yes`, { method: "DELETE" });
    expect(odd.status).toBe(400);
    expect(await jsonOf<Problem>(odd)).toMatchObject({
      code: "invalid_request",
      errors: [{ parameter: "recursive" }],
    });
    expect((await store.fetch(`${pathOf(album.name)}?recursive=true`, { method: "DELETE" })).status).toBe(204);
  });
});
