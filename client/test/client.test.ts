import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startStore, type TestStore } from "../../test/http/harness.ts";
import { newPng, sha256 } from "../../test/http/image-fixtures.ts";
import { testKeys } from "../../test/http/test-keys.ts";
import { type Client, createClient, StoreError, srcset, variantUrl } from "../src/index.ts";
import { type Front, startFront } from "./front.ts";

const fileOf = (name: string, bytes = newPng(2000)): File => new File([bytes], name, { type: "image/png" });

/** What a call rejects with. */
async function errorOf(call: Promise<unknown>): Promise<StoreError> {
  const error: unknown = await call.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(StoreError);
  return error as StoreError;
}

async function namesOf(items: AsyncIterable<{ name: string }>): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of items) names.push(name);
  return names;
}

const unavailable =
  (headers: Record<string, string> = {}) =>
  () =>
    Response.json(
      { type: "about:blank", title: "Unavailable", status: 503, detail: "Try again.", code: "unavailable" },
      { status: 503, headers: { "Content-Type": "application/problem+json", ...headers } },
    );

const html = (status: number) => () =>
  new Response("<h1>Sign in</h1>", { status, headers: { "Content-Type": "text/html" } });

describe("client", () => {
  let store: TestStore;
  let front: Front;
  let client: Client;
  beforeAll(async () => {
    store = await startStore();
    front = startFront(store.url);
    client = createClient({ url: front.url });
  });
  afterAll(async () => {
    await front[Symbol.asyncDispose]();
    await store[Symbol.asyncDispose]();
  });

  test("creates, reads, changes, lists and deletes albums", async () => {
    const album = await client.albums.create({ name: "a b?#%ü", title: "Summer" });
    expect(await client.albums.get("a b?#%ü")).toEqual(album);
    expect(await client.albums.update("a b?#%ü", { title: null })).toMatchObject({ title: null, revision: 2 });
    expect(await namesOf(client.albums.list({ q: "a b" }))).toEqual(["a b?#%ü"]);
    await client.albums.delete("a b?#%ü");
    expect(await errorOf(client.albums.get("a b?#%ü"))).toMatchObject({ status: 404, code: "album_not_found" });
  });

  test("downloads an album as one file, and resumes it only while it is the same", async () => {
    await client.albums.create({ name: "zip é" });
    await client.upload("zip é", fileOf("a.png"));
    const first = await client.downloadAlbum("zip é");
    const etag = first.headers.get("etag") ?? "";
    const whole = Buffer.from(await first.bytes());
    const rest = await client.downloadAlbum("zip é", { range: { start: 100 }, etag });
    expect([rest.status, Buffer.from(await rest.bytes()).equals(whole.subarray(100))]).toEqual([206, true]);
    const part = await client.downloadAlbum("zip é", { range: { start: 0, end: 3 } });
    expect(Buffer.from(await part.bytes()).toString("latin1")).toBe("PK\u0003\u0004");
    await client.upload("zip é", fileOf("b.png"));
    const other = await client.downloadAlbum("zip é", { range: { start: 100 }, etag });
    expect(other.status).toBe(200);
    expect((await other.bytes()).length).toBeGreaterThan(whole.length);
    expect((await errorOf(client.downloadAlbum("none"))).code).toBe("album_not_found");
    await client.albums.delete("zip é", { recursive: true });
  });

  test("runs a batch, all or none or each by itself, and repeats it when its answer was lost", async () => {
    const made = await client.batch([
      { type: "createAlbum", body: { name: "batch" } },
      { type: "updateAlbum", album: "batch", body: { title: "Batch" } },
    ]);
    expect(made.map(({ status, album }) => [status, album?.title])).toEqual([
      [201, null],
      [200, "Batch"],
    ]);
    const failing = [
      { type: "deleteAlbum", album: "batch" },
      { type: "deleteAlbum", album: "batch" },
    ] as const;
    const error = await errorOf(client.batch(failing));
    expect([error.code, error.problem["operation"]]).toEqual(["album_not_found", 1]);
    front.next(() => "cut");
    const each = await client.batch(failing, { atomic: false });
    expect(each.map(({ status, error: refused }) => [status, refused?.code])).toEqual([
      [204, undefined],
      [404, "album_not_found"],
    ]);
  });

  test("uploads, downloads, changes and deletes images, and reads all pages", async () => {
    await client.albums.create({ name: "Lakes" });
    const bytes = newPng(5000);
    const image = await client.upload("Lakes", fileOf("one.png", bytes), { fields: { title: "One", tags: ["lake"] } });
    expect(image).toMatchObject({ name: "one.png", title: "One", tags: ["lake"], sha256: sha256(bytes) });
    for (const name of ["two.png", "three.png"]) await client.upload("Lakes", fileOf(name));
    front.seen.length = 0;
    expect((await namesOf(client.images("Lakes", { pageSize: 1, orderBy: "name" }))).sort()).toEqual([
      "one.png",
      "three.png",
      "two.png",
    ]);
    expect(front.seen.length).toBeGreaterThanOrEqual(3);
    expect(await namesOf(client.images(undefined, { tag: "lake" }))).toEqual(["one.png"]);
    expect(await client.imageById(image.id)).toEqual(image);
    expect(Buffer.from(await (await client.download(image)).arrayBuffer())).toEqual(bytes);
    const part = await client.download(image, { range: { start: 10, end: 19 } });
    expect({ status: part.status, body: Buffer.from(await part.arrayBuffer()) }).toEqual({
      status: 206,
      body: bytes.subarray(10, 20),
    });
    expect((await client.download(image, { variant: { w: 160, format: "webp" } })).headers.get("content-type")).toBe(
      "image/webp",
    );
    await client.delete("Lakes", "two.png");
    expect(await namesOf(client.images("Lakes", { orderBy: "name" }))).toEqual(["one.png", "three.png"]);
  });

  test("an upload to a name that is taken replaces, fails, keeps, or takes the next name, as asked", async () => {
    await client.albums.create({ name: "Taken" });
    const first = await client.upload("Taken", fileOf("lake.png"));
    expect(await errorOf(client.upload("Taken", fileOf("lake.png"), { ifExists: "fail" }))).toMatchObject({
      code: "precondition_failed",
    });
    expect(await client.upload("Taken", fileOf("lake.png"), { ifExists: "keep" })).toEqual(first);
    expect((await client.upload("Taken", fileOf("lake.png"), { ifExists: "keep-both" })).name).toBe("lake (2).png");
    expect((await client.upload("Taken", fileOf("lake.png"), { ifExists: "keep-both" })).name).toBe("lake (3).png");
    const replaced = await client.upload("Taken", fileOf("lake.png"));
    expect(replaced.id).toBe(first.id);
    expect(replaced.sha256).not.toBe(first.sha256);
  });

  test("an upload tells its progress, and can be cancelled", async () => {
    await client.albums.create({ name: "Progress" });
    const file = fileOf("big.png", newPng(500_000));
    const told: number[] = [];
    const image = await client.upload("Progress", file, {
      onProgress: ({ sent, total }) => {
        expect(total).toBe(file.size);
        told.push(sent);
      },
    });
    expect(image.size).toBe(file.size);
    expect(told.at(-1)).toBe(file.size);
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    const reason = new Error("changed my mind");
    const upload = client.upload("Progress", file, { name: "none.png", signal: AbortSignal.abort(reason) });
    expect(await upload.catch((error: unknown) => error)).toBe(reason);
  });

  test("what passes is tried again, with the wait that the store asks for; what would do something twice is not", async () => {
    front.seen.length = 0;
    front.next(unavailable({ "Retry-After": "0" }), unavailable());
    const album = await client.albums.create({ name: "Again" });
    expect(front.seen).toHaveLength(3);
    expect(album.revision).toBe(1);

    front.seen.length = 0;
    front.next(unavailable());
    expect(await errorOf(client.albums.update("Again", { title: "x" }))).toMatchObject({ code: "unavailable" });
    expect(front.seen).toHaveLength(1);

    front.seen.length = 0;
    const patient = createClient({ url: front.url, retries: 1 });
    front.next(unavailable(), unavailable());
    expect(await errorOf(patient.albums.get("Again"))).toMatchObject({ status: 503 });
    expect(front.seen).toHaveLength(2);
  });

  test("a create whose answer was lost is made once", async () => {
    const { url } = store;
    let creates = 0;
    await using lossy = startFront(url);
    const impatient = createClient({
      url: lossy.url,
      fetch: async (request) => {
        const response = await fetch(request);
        if (request.method === "POST" && creates++ === 0) {
          await response.arrayBuffer();
          throw new TypeError("connection reset");
        }
        return response;
      },
    });
    expect(await impatient.albums.create({ name: "Once" })).toMatchObject({ name: "Once" });
    expect(creates).toBe(2);
  });

  test("a proxy's page, another server and no server at all are told apart from a store", async () => {
    front.next(html(200));
    expect(await errorOf(client.albums.get("x"))).toMatchObject({ status: 200, code: "unexpected_response" });
    front.next(html(403));
    expect((await errorOf(client.albums.get("x"))).message).toContain("403");
    const nowhere = createClient({ url: "http://127.0.0.1:9", retries: 0 });
    expect(await errorOf(nowhere.albums.get("x"))).toMatchObject({ status: 0, code: "unreachable" });
  });

  test("a problem tells its code, request id, refused fields and other members", async () => {
    const error = await errorOf(client.albums.create({ name: "x".repeat(300) }));
    expect(error).toMatchObject({ status: 400, code: "invalid_name", requestId: expect.stringMatching(/./) });
    expect(error.errors[0]).toMatchObject({ pointer: "/name" });
    expect(error.problem).toMatchObject({ title: "Bad Request" });
    expect(error.message).not.toBe("");
  });

  test("a key, or a function that gives one, is sent with every request", async () => {
    const keys = testKeys({ reader: "read" });
    await using closed = await startStore({ API_KEYS: keys.API_KEYS });
    const secret = keys.bearer("reader").Authorization.slice("Bearer ".length);
    expect(await errorOf(createClient({ url: closed.url }).albums.create({ name: "x" }))).toMatchObject({
      code: "unauthorized",
    });
    for (const key of [secret, () => secret, () => Promise.resolve(secret)]) {
      const reader = createClient({ url: `${closed.url}/`, key });
      expect(await namesOf(reader.albums.list())).toEqual([]);
      expect(await errorOf(reader.albums.create({ name: "x" }))).toMatchObject({
        code: "forbidden",
        problem: { missing: ["write"] },
      });
    }
  });

  test("URLs of variants are stable, and srcset has the widths up to that of the original", () => {
    const links = { self: "/v1/albums/a/images/b", content: "/v1/images/i/content/d" };
    expect(variantUrl({ links })).toBe("/v1/images/i/content/d");
    expect(variantUrl({ links }, { w: 640, format: "auto" }, "https://x")).toBe(
      variantUrl({ links }, { format: "auto", w: 640 }, "https://x"),
    );
    expect(srcset({ links, width: 500 }, { format: "webp" })).toBe(
      [160, 240, 320, 480, 640].map((w) => `/v1/images/i/content/d?format=webp&w=${w} ${Math.min(w, 500)}w`).join(", "),
    );
  });
});
