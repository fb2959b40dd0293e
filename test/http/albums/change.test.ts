import { afterAll, describe, expect, test } from "bun:test";
import type { Album } from "../../../src/domain/album.ts";
import { jsonOf } from "../harness.ts";
import { codeOf } from "../image-fixtures.ts";
import { manyKeys, newName, type Problem, pathOf, startAlbumStore } from "./album-store.ts";

const { store, create } = await startAlbumStore();
afterAll(() => store[Symbol.asyncDispose]());

describe("PUT /v1/albums/{album}", () => {
  test("creates, then replaces all fields", async () => {
    const name = `${newName()} %2F? #`.replace("/", "");
    const path = pathOf(name);
    const created = await store.send("PUT", path, { title: "one", metadata: { a: "1" } });
    expect(created.status).toBe(201);
    expect(created.headers.get("location")).toBe(path);
    const before = await jsonOf<Album>(created);
    const replaced = await store.send("PUT", path, { name, description: "two" });
    expect(replaced.status).toBe(200);
    expect(replaced.headers.get("location")).toBeNull();
    const after = await jsonOf<Album>(replaced);
    expect(after).toMatchObject({ id: before.id, title: null, description: "two", metadata: {}, revision: 2 });
  });

  test("needs no body", async () => {
    const response = await store.fetch(pathOf(newName()), { method: "PUT" });
    expect(response.status).toBe(201);
    expect(await jsonOf<Album>(response)).toMatchObject({ title: null, metadata: {} });
  });

  test("without an effective change keeps revision and times", async () => {
    const { album } = await create({ title: "same" });
    const response = await store.send("PUT", pathOf(album.name), { title: "same" });
    expect(response.status).toBe(200);
    expect(await jsonOf<Album>(response)).toEqual(album);
  });

  test("does not rename", async () => {
    const { album } = await create();
    const response = await store.send("PUT", pathOf(album.name), { name: newName() });
    expect(response.status).toBe(400);
    expect(await jsonOf<Problem>(response)).toMatchObject({ code: "invalid_request", errors: [{ pointer: "/name" }] });
  });

  test("with If-None-Match: * only creates", async () => {
    const path = pathOf(newName());
    const onlyNew = { "If-None-Match": "*" };
    expect((await store.send("PUT", path, {}, onlyNew)).status).toBe(201);
    const again = await store.send("PUT", path, {}, onlyNew);
    expect(again.status).toBe(412);
    expect(await codeOf(again)).toBe("precondition_failed");
  });

  test("with If-Match replaces only that version, and fails when there is none", async () => {
    const { album, etag } = await create();
    const path = pathOf(album.name);
    expect((await store.send("PUT", path, { title: "1" }, { "If-Match": etag })).status).toBe(200);
    expect((await store.send("PUT", path, { title: "2" }, { "If-Match": etag })).status).toBe(412);
    expect((await store.send("PUT", path, { title: "3" }, { "If-Match": "*" })).status).toBe(200);
    expect((await store.send("PUT", pathOf(newName()), {}, { "If-Match": "*" })).status).toBe(412);
    expect((await store.send("PUT", pathOf(newName()), {}, { "If-Match": etag })).status).toBe(412);
  });
});

describe("PATCH /v1/albums/{album}", () => {
  test("merges: null removes a field, a missing field stays", async () => {
    const { album } = await create({ title: "t", description: "d", metadata: { a: "1", b: "2" } });
    const patch = { title: null, metadata: { a: null, c: "3" } };
    const headers = { "Content-Type": "application/merge-patch+json; charset=utf-8" };
    const response = await store.send("PATCH", pathOf(album.name), patch, headers);
    expect(response.status).toBe(200);
    const after = await jsonOf<Album>(response);
    expect(after).toMatchObject({ title: null, description: "d", metadata: { b: "2", c: "3" }, revision: 2 });
    const cleared = await store.send("PATCH", pathOf(album.name), { metadata: null });
    expect((await jsonOf<Album>(cleared)).metadata).toEqual({});
  });

  test("renames: the id stays and the old name is free", async () => {
    const { album } = await create();
    const name = newName();
    const renamed = await store.send("PATCH", pathOf(album.name), { name });
    expect(await jsonOf<Album>(renamed)).toMatchObject({ id: album.id, name, revision: 2 });
    expect((await store.fetch(pathOf(album.name))).status).toBe(404);
    expect((await store.send("POST", "/v1/albums", { name: album.name })).status).toBe(201);
    const taken = await store.send("PATCH", pathOf(album.name), { name });
    expect(taken.status).toBe(409);
    expect(await codeOf(taken)).toBe("album_exists");
  });

  test("with If-Match compares id and revision", async () => {
    const { album, etag } = await create();
    const path = pathOf(album.name);
    const patch = (title: string, field: string) => store.send("PATCH", path, { title }, { "If-Match": field });
    expect((await patch("0", `W/${etag}`)).status).toBe(412);
    expect((await patch("1", `"other", ${etag}`)).status).toBe(200);
    const stale = await patch("2", etag);
    expect(stale.status).toBe(412);
    expect(await codeOf(stale)).toBe("precondition_failed");
    // The last part covers what is derived: another of the same revision is the same version to write to.
    expect((await patch("3", `"${album.id}.2.anything"`)).status).toBe(200);
    expect((await patch("4", `"${crypto.randomUUID()}.3.x"`)).status).toBe(412);
    expect((await patch("5", "nonsense")).status).toBe(400);
  });

  test("of a missing album is 404, even with If-Match", async () => {
    const response = await store.send("PATCH", pathOf(newName()), { title: "x" }, { "If-Match": "*" });
    expect(response.status).toBe(404);
  });

  test("without an effective change keeps revision and times", async () => {
    const { album } = await create({ title: "same" });
    const response = await store.send("PATCH", pathOf(album.name), { title: "same", name: album.name });
    expect(await jsonOf<Album>(response)).toEqual(album);
  });

  test("limits the merged album", async () => {
    const { album } = await create({ metadata: manyKeys(0, 40) });
    const response = await store.send("PATCH", pathOf(album.name), { metadata: manyKeys(40, 40) });
    expect(response.status).toBe(400);
    expect(await codeOf(response)).toBe("invalid_request");
  });
});
