import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";

interface AlbumPage {
  readonly items: readonly Album[];
  readonly nextPageToken?: string;
  readonly watermark: string;
}
interface Problem {
  readonly code: string;
  readonly errors?: readonly { pointer?: string; parameter?: string }[];
}

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());

let made = 0;
const newName = (): string => `album ${++made} ${crypto.randomUUID()}`;
const pathOf = (name: string): string => `/v1/albums/${encodeURIComponent(name)}`;
const create = async (fields: object = {}): Promise<{ album: Album; etag: string }> => {
  const response = await store.send("POST", "/v1/albums", { name: newName(), ...fields });
  expect(response.status).toBe(201);
  return { album: await jsonOf<Album>(response), etag: response.headers.get("etag") ?? "" };
};
const codeOf = async (response: Response): Promise<string> => (await jsonOf<Problem>(response)).code;

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

const manyKeys = (from: number, count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${from + index}`, ""]));

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
