import { afterAll, describe, expect, test } from "bun:test";
import type { Album } from "../../../src/domain/album.ts";
import { jsonOf } from "../harness.ts";
import { codeOf } from "../image-fixtures.ts";
import { manyKeys, newName, type Problem, pathOf, startAlbumStore } from "./album-store.ts";

const { store, create } = await startAlbumStore();
afterAll(() => store[Symbol.asyncDispose]());

describe("POST /v1/albums", () => {
  test("returns the album, its Location and its ETag", async () => {
    const name = newName();
    const fields = { title: "Été 🌞", description: "two\nlines", metadata: { camera: "X100", ключ: "значение" } };
    const response = await store.send("POST", "/v1/albums", { name, ...fields });
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe(pathOf(name));
    const album = await jsonOf<Album>(response);
    expect(album).toEqual({
      id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/),
      name,
      ...fields,
      visibility: "private",
      imageCount: 0,
      byteCount: 0,
      revision: 1,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedAt: album.createdAt,
    });
    const read = await store.fetch(pathOf(name));
    expect(await read.json()).toEqual(album);
    expect(read.headers.get("etag")).toBe(response.headers.get("etag"));
    expect(read.headers.get("etag")).toStartWith(`"${album.id}.1.`);
    expect(read.headers.get("cache-control")).toBe("no-cache");
  });

  test("with a taken name is 409, in any Unicode form", async () => {
    const name = `${newName()} é`;
    expect((await store.send("POST", "/v1/albums", { name: name.normalize("NFD") })).status).toBe(201);
    const again = await store.send("POST", "/v1/albums", { name: name.normalize("NFC") });
    expect(again.status).toBe(409);
    expect(await codeOf(again)).toBe("album_exists");
  });

  const title = "a".repeat(201);
  test.each<[why: string, body: unknown, code: string, pointer: string]>([
    ["unknown field", { name: "x", colour: "red" }, "invalid_request", "/colour"],
    ["field of every object", { name: "x", constructor: 1 }, "invalid_request", "/constructor"],
    ["wrong type", { name: "x", title: 7 }, "invalid_request", "/title"],
    ["wrong type within", { name: "x", metadata: { "a/b~c": 7 } }, "invalid_request", "/metadata/a~1b~0c"],
    ["missing name", { title: "x" }, "invalid_request", "/name"],
    ["name of another type", { name: null }, "invalid_request", "/name"],
    ["array", [], "invalid_request", ""],
    ["null", null, "invalid_request", ""],
    ["control character", { name: "x", title: "a\u0000b" }, "invalid_request", "/title"],
    ["lone surrogate", { name: "x", description: "a\ud800" }, "invalid_request", "/description"],
    ["control character in a key", { name: "x", metadata: { "a\u0007": "" } }, "invalid_request", "/metadata/a\u0007"],
    ["long title", { name: "x", title }, "invalid_request", "/title"],
    ["long description", { name: "x", description: "é".repeat(2049) }, "invalid_request", "/description"],
    ["many keys", { name: "x", metadata: manyKeys(0, 65) }, "invalid_request", "/metadata"],
    ["much metadata", { name: "x", metadata: { a: "x".repeat(8200) } }, "invalid_request", "/metadata"],
    ["empty name", { name: "" }, "invalid_name", "/name"],
    ["slash in the name", { name: "a/b" }, "invalid_name", "/name"],
    ["dots for a name", { name: ".." }, "invalid_name", "/name"],
    ["control character in the name", { name: "a\nb" }, "invalid_name", "/name"],
    ["bidi control in the name", { name: "a\u202egpj.exe" }, "invalid_name", "/name"],
    ["lone surrogate in the name", { name: "a\udc00" }, "invalid_name", "/name"],
    ["long name", { name: "é".repeat(128) }, "invalid_name", "/name"],
  ])("with %s is 400", async (_why, body, code, pointer) => {
    const response = await store.send("POST", "/v1/albums", body);
    expect(response.status).toBe(400);
    const problem = await jsonOf<Problem>(response);
    expect(problem.code).toBe(code);
    expect(problem.errors?.map((error) => error.pointer)).toContain(pointer);
  });

  test("limits are inclusive and count characters, not code units", async () => {
    const { album } = await create({
      title: "👨".repeat(200),
      description: "é".repeat(2048),
      metadata: manyKeys(0, 64),
    });
    expect(album.title).toBe("👨".repeat(200));
  });

  test("limits each field by itself, whatever the others have", async () => {
    const longest = { title: '"'.repeat(200), description: "\n".repeat(4096), metadata: { a: "x".repeat(8184) } };
    const { album } = await create(longest);
    expect(album).toMatchObject(longest);
    const metadata = { a: "x".repeat(8185) };
    expect((await store.send("POST", "/v1/albums", { name: newName(), metadata })).status).toBe(400);
  });
});

describe("Idempotency-Key", () => {
  test("replays the first answer to the same request; another request is 422", async () => {
    const key = { "Idempotency-Key": crypto.randomUUID() };
    const body = { name: newName(), title: "t", metadata: { a: "1", b: "2" } };
    const first = await store.send("POST", "/v1/albums", body, key);
    expect(first.status).toBe(201);
    const album = await jsonOf<Album>(first);
    const sameInAnotherOrder = { metadata: { b: "2", a: "1" }, title: "t", name: body.name };
    const again = await store.send("POST", "/v1/albums", sameInAnotherOrder, key);
    expect(again.status).toBe(201);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect(again.headers.get("etag")).toBe(first.headers.get("etag"));
    expect(await jsonOf<Album>(again)).toEqual(album);
    const other = await store.send("POST", "/v1/albums", { ...body, title: "u" }, key);
    expect(other.status).toBe(422);
    expect(await codeOf(other)).toBe("idempotency_key_reused");
  });

  test("does not keep an error", async () => {
    const { album } = await create();
    const key = { "Idempotency-Key": crypto.randomUUID() };
    expect((await store.send("POST", "/v1/albums", { name: album.name }, key)).status).toBe(409);
    await store.fetch(pathOf(album.name), { method: "DELETE" });
    expect((await store.send("POST", "/v1/albums", { name: album.name }, key)).status).toBe(201);
  });

  test("lets one of many concurrent requests create the album; the others are replayed or 409", async () => {
    const key = { "Idempotency-Key": crypto.randomUUID() };
    const name = newName();
    const all = await Promise.all(Array.from({ length: 20 }, () => store.send("POST", "/v1/albums", { name }, key)));
    const statuses = new Set(all.map((response) => response.status));
    expect(statuses.has(201)).toBeTrue();
    expect([...statuses].filter((status) => status !== 201 && status !== 409)).toEqual([]);
    const ids = await Promise.all(
      all.filter((one) => one.status === 201).map(async (one) => (await jsonOf<Album>(one)).id),
    );
    expect(new Set(ids).size).toBe(1);
    const refused = all.find((response) => response.status === 409);
    if (refused !== undefined) expect(await codeOf(refused)).toBe("request_in_progress");
  });

  test.each(["", "a b", "é", "x".repeat(256)])("%p is refused", async (value) => {
    const response = await store.send("POST", "/v1/albums", { name: newName() }, { "Idempotency-Key": value });
    // An empty field may be dropped on its way; then there is none.
    if (value === "" && response.status === 201) return;
    expect(await codeOf(response)).toBe("invalid_request");
  });
});
