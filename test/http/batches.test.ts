import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newAlbum, newImage } from "./image-fixtures.ts";

interface Item {
  readonly status: number;
  readonly etag?: string;
  readonly album?: Album;
  readonly image?: Image;
  readonly error?: { readonly code: string; readonly errors?: readonly { readonly pointer?: string }[] };
}
interface Refusal {
  readonly code: string;
  readonly operation?: number;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer?: string }[];
}

let store: TestStore;
let count = 0;
let name: string;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());
beforeEach(async () => {
  name = `album-${++count}`;
  const path = await newAlbum(store, name);
  await newImage(store, path, "one");
  await newImage(store, path, "two");
});

const post = (operations: readonly object[], more: object = {}, headers: Readonly<Record<string, string>> = {}) =>
  store.send("POST", "/v1/batches", { operations, ...more }, headers);
const run = async (operations: readonly object[], more: object = {}) => {
  const response = await post(operations, more);
  return { status: response.status, ...(await jsonOf<{ items: Item[] } & Refusal>(response)) };
};
const eventCount = async () =>
  (await jsonOf<{ items: unknown[] }>(await store.fetch("/v1/events?limit=1000"))).items.length;
const withoutId = (body: string) => body.replaceAll(/"requestId":"[^"]+"/g, "");
const image = async (of: string) => {
  const response = await store.fetch(`/v1/albums/${name}/images/${of}`);
  return response.ok ? jsonOf<Image>(response) : undefined;
};

test("each operation of a batch sees what those before it did, and has the status and record of its own request", async () => {
  const { status, items } = await run([
    { type: "createAlbum", body: { name: `${name}-new`, title: "New" } },
    { type: "updateAlbum", album: `${name}-new`, body: { name: `${name}-renamed` } },
    { type: "putAlbum", album: `${name}-renamed`, body: { title: "Put" } },
    { type: "putAlbum", album: `${name}-put` },
    { type: "updateImage", album: name, image: "one", body: { name: "uno", tags: ["lake"] } },
    { type: "updateImage", album: name, image: "uno", body: { title: "Uno" } },
    { type: "deleteImage", album: name, image: "two" },
    { type: "updateImage", album: name, image: "uno", body: { name: "two" } },
    { type: "deleteAlbum", album: `${name}-put` },
  ]);
  expect(status).toBe(200);
  expect(items.map((item) => item.status)).toEqual([201, 200, 200, 201, 200, 200, 204, 200, 204]);
  expect(items[2]?.album).toMatchObject({ name: `${name}-renamed`, title: "Put", revision: 3 });
  expect(items[7]?.image).toMatchObject({ name: "two", title: "Uno", tags: ["lake"], revision: 4 });
  const stored = await store.fetch(`/v1/albums/${name}/images/two`);
  expect(stored.headers.get("etag")).toBe(items[7]?.etag ?? "");
  expect(await jsonOf<Image>(stored)).toEqual(items[7]?.image as Image);
  expect(await image("one")).toBeUndefined();
  expect((await store.fetch(`/v1/albums/${name}-put`)).status).toBe(404);
});

describe("an atomic batch", () => {
  test("whose operation fails changes nothing, writes no event, and says which operation and why", async () => {
    const before = [await eventCount(), await image("one")];
    const failing = [
      { type: "updateImage", album: name, image: "one", body: { title: "changed" } },
      { type: "deleteImage", album: name, image: "two" },
      { type: "createAlbum", body: { name: `${name}-new` } },
      { type: "deleteImage", album: name, image: "two" },
      { type: "deleteImage", album: name, image: "one" },
    ];
    for (const more of [{}, { atomic: true }]) {
      const refused = await run(failing, more);
      expect([refused.status, refused.code, refused.operation]).toEqual([404, "image_not_found", 3]);
      expect(refused.detail).toContain("Operation 3");
    }
    expect([await eventCount(), await image("one")]).toEqual(before);
    expect((await store.fetch(`/v1/albums/${name}-new`)).status).toBe(404);
    expect(await image("two")).toBeDefined();
  });

  test("that failed leaves its Idempotency-Key free", async () => {
    const headers = { "Idempotency-Key": `free-${name}` };
    const operations = [{ type: "deleteImage", album: name, image: "three" }];
    expect((await post(operations, {}, headers)).status).toBe(404);
    await newImage(store, `/v1/albums/${name}`, "three");
    expect((await post(operations, {}, headers)).status).toBe(200);
  });
});

test("without atomic each operation is done or refused by itself, with the problem of its own request", async () => {
  const tag = (await store.fetch(`/v1/albums/${name}/images/one`)).headers.get("etag");
  const events = await eventCount();
  const large = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`k${index}`, "x".repeat(1000)]));
  const { status, items } = await run(
    [
      { type: "createAlbum", body: { name } },
      { type: "updateImage", album: name, image: "one", body: { name: "two" } },
      { type: "updateImage", album: name, image: "one", body: { metadata: large } },
      { type: "updateImage", album: name, image: "one", body: { title: "t" }, ifMatch: tag },
      { type: "updateImage", album: name, image: "one", body: { title: "u" }, ifMatch: tag },
      { type: "deleteAlbum", album: name },
      { type: "updateAlbum", album: `${name}-none`, body: {} },
      { type: "describeImage", id: "none" },
      { type: "putAlbum", album: `${name}-none`, ifMatch: "*" },
      { type: "deleteImage", album: name, image: "two", ifMatch: "*" },
    ],
    { atomic: false },
  );
  expect(status).toBe(207);
  expect(items.map((item) => [item.status, item.error?.code])).toEqual([
    [409, "album_exists"],
    [409, "image_exists"],
    [400, "invalid_request"],
    [200, undefined],
    [412, "precondition_failed"],
    [409, "album_not_empty"],
    [404, "album_not_found"],
    [404, "image_not_found"],
    [412, "precondition_failed"],
    [204, undefined],
  ]);
  expect(items[2]?.error?.errors?.[0]?.pointer).toBe("/operations/2/body/metadata");
  expect(await eventCount()).toBe(events + 2);
  expect((await image("one"))?.title).toBe("t");
});

test("a repeated Idempotency-Key replays the whole response, refusals and records as they were", async () => {
  const headers = { "Idempotency-Key": `replay-${name}` };
  const operations = [
    { type: "updateImage", album: name, image: "one", body: { title: "first" } },
    { type: "deleteImage", album: name, image: "two" },
    { type: "deleteImage", album: name, image: "two" },
  ];
  const first = await post(operations, { atomic: false }, headers);
  const text = await first.text();
  expect([first.status, first.headers.get("idempotent-replayed")]).toEqual([207, null]);
  await store.send("PATCH", `/v1/albums/${name}/images/one`, { title: "later" });
  const events = await eventCount();
  const again = await post(operations, { atomic: false }, headers);
  expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([207, "true"]);
  expect(withoutId(await again.text())).toBe(withoutId(text));
  expect(await eventCount()).toBe(events);
  const other = await post(operations.slice(1), { atomic: false }, headers);
  expect([other.status, (await jsonOf<Refusal>(other)).code]).toEqual([422, "idempotency_key_reused"]);
});

describe("a batch is refused as a whole", () => {
  test.each([
    ["without operations", { operations: [] }, "/operations"],
    ["with an operation of no known type", { operations: [{ type: "createImage" }] }, "/operations/0/type"],
    [
      "with a member that the operation lacks",
      { operations: [{ type: "deleteImage", album: "a", image: "b", body: {} }] },
      "/operations/0/body",
    ],
    [
      "with a malformed condition",
      { operations: [{ type: "deleteAlbum", album: "a", ifMatch: "unquoted" }] },
      "/operations/0/ifMatch",
    ],
    [
      "with two names for an album",
      { operations: [{ type: "putAlbum", album: "a", body: { name: "b" } }] },
      "/operations/0/body/name",
    ],
    [
      "with more than 1,000 operations",
      { operations: Array.from({ length: 1001 }, () => ({ type: "putAlbum", album: "a" })) },
      "/operations",
    ],
  ])("%s", async (_what, body, pointer) => {
    const response = await store.send("POST", "/v1/batches", body);
    const { code, errors } = await jsonOf<Refusal>(response);
    expect([response.status, code, errors?.[0]?.pointer]).toEqual([400, "invalid_request", pointer]);
  });

  test("with a name that is not valid", async () => {
    const response = await post([{ type: "putAlbum", album: "a/b" }]);
    expect([response.status, (await jsonOf<Refusal>(response)).code]).toEqual([400, "invalid_name"]);
  });

  test("with a body above 16 times the limit of other JSON bodies", async () => {
    await using small = await startStore({ MAX_JSON: "1KiB" });
    const send = (albums: number) => {
      const operations = Array.from({ length: albums }, (_, index) => {
        return { type: "createAlbum", body: { name: `${albums}-${index}`, description: "x".repeat(900) } };
      });
      return small.send("POST", "/v1/batches", { operations });
    };
    expect((await send(15)).status).toBe(200);
    const refused = await send(18);
    expect([refused.status, (await jsonOf<Refusal>(refused)).code]).toEqual([413, "too_large"]);
  });
});

test("a batch of 1,000 operations writes their events in their order, one behind the other", async () => {
  const names = Array.from({ length: 500 }, (_, index) => `${name}-${String(index).padStart(3, "0")}`);
  const { watermark } = await jsonOf<{ watermark: string }>(await store.fetch("/v1/albums?pageSize=1"));
  const { status } = await run([
    ...names.map((one) => ({ type: "createAlbum", body: { name: one } })),
    ...names.map((one) => ({ type: "updateAlbum", album: one, body: { title: one } })),
  ]);
  expect(status).toBe(200);
  const { items } = await jsonOf<{ items: { sequence: string; data: { name: string; revision: number } }[] }>(
    await store.fetch(`/v1/events?limit=1000&after=${watermark}`),
  );
  expect(items.map(({ data }) => [data.name, data.revision])).toEqual([
    ...names.map((one) => [one, 1]),
    ...names.map((one) => [one, 2]),
  ]);
  const first = Number(items[0]?.sequence.slice(8));
  expect(items.map(({ sequence }) => Number(sequence.slice(8)))).toEqual(items.map((_, index) => first + index));
});

test("a deletion of an album that is too large for its batch goes on afterwards, and a failed batch undoes it", async () => {
  const albums = await Promise.all([1, 2].map((of) => newAlbum(store, `${name}-large-${of}`)));
  for (const album of albums) await newImage(store, album, "kept");
  const deletions = [1, 2].map((of) => ({ type: "deleteAlbum", album: `${name}-large-${of}`, recursive: true }));
  const failed = await run([...deletions, { type: "deleteAlbum", album: `${name}-large-1` }]);
  expect([failed.status, failed.code, failed.operation]).toEqual([404, "album_not_found", 2]);
  for (const album of albums) expect((await store.fetch(`${album}/images/kept`)).status).toBe(200);
  const { items } = await run([...deletions, { type: "createAlbum", body: { name: `${name}-large-1` } }]);
  expect(items.map((item) => item.status)).toEqual([204, 204, 201]);
});

/** A batch whose client sends its body to the end only after `released`. */
function slowBatch(to: TestStore, album: string, released: Promise<void>): Promise<Response> {
  const text = JSON.stringify({ operations: [{ type: "putAlbum", album }] });
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(Buffer.from(text.slice(0, 5)));
      await released;
      controller.enqueue(Buffer.from(text.slice(5)));
      controller.close();
    },
  });
  const headers = {
    Host: new URL(to.url).host,
    "Content-Type": "application/json",
    "Content-Length": String(text.length),
  };
  return to.handle(new Request(`${to.url}/v1/batches`, { method: "POST", headers, body }));
}

test("batches whose clients send slowly keep no other batch from running", async () => {
  const clients = Array.from({ length: 40 }, () => Promise.withResolvers<void>());
  const slow = clients.map(({ promise }, index) => slowBatch(store, `${name}-${index}`, promise));
  expect((await post([{ type: "putAlbum", album: `${name}-40` }])).status).toBe(200);
  for (const [index, { resolve }] of clients.entries()) {
    resolve();
    expect((await slow[index])?.status).toBe(200);
  }
});

test("bodies of batches count in the memory of uploads until they were read", async () => {
  await using small = await startStore({ UPLOAD_MEMORY: "100" });
  const client = Promise.withResolvers<void>();
  const slow = slowBatch(small, name, client.promise);
  const send = () => small.send("POST", "/v1/batches", { operations: [{ type: "putAlbum", album: name }] });
  const refused = await send();
  expect([refused.status, (await jsonOf<Refusal>(refused)).code]).toEqual([503, "busy"]);
  client.resolve();
  expect((await slow).status).toBe(200);
  expect((await send()).status).toBe(200);
});

test("a response over 4 MiB is not kept for an Idempotency-Key, so the batch is refused and changes nothing", async () => {
  const metadata = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`${index}`, "x".repeat(256)]));
  const album = `${name}-large`;
  await run([{ type: "createAlbum", body: { name: album, description: "x".repeat(4096), metadata } }]);
  const titles = (updates: number) =>
    Array.from({ length: updates }, (_, index) => ({ type: "updateAlbum", album, body: { title: `${index}` } }));
  const key = { "Idempotency-Key": crypto.randomUUID() };
  const before = await (await store.fetch(`/v1/albums/${album}`)).text();
  const events = await eventCount();
  const refused = await post(titles(500), {}, key);
  expect([refused.status, (await jsonOf<Refusal>(refused)).code]).toEqual([413, "too_large"]);
  expect(await (await store.fetch(`/v1/albums/${album}`)).text()).toBe(before);
  expect(await eventCount()).toBe(events);
  expect((await post(titles(500))).status).toBe(200);
  expect((await post(titles(2), {}, key)).status).toBe(200);
});

test("an operation moves an image, with the conditions and refusals of its own request", async () => {
  const other = await newAlbum(store, `${name}-other`);
  await newImage(store, other, "two");
  const { items } = await run(
    [
      { type: "moveImage", album: name, image: "two", body: { album: `${name}-other` } },
      { type: "moveImage", album: name, image: "two", body: { album: `${name}-other`, ifExists: "keep-both" } },
      { type: "moveImage", album: name, image: "one", body: { album: `${name}-none` } },
      { type: "moveImage", album: name, image: "one", body: { album: `${name}-other` }, ifMatch: '"none"' },
      { type: "moveImage", album: name, image: "one", body: { album: `${name}-other`, name: "uno" }, ifMatch: "*" },
    ],
    { atomic: false },
  );
  expect(items.map((item) => [item.status, item.error?.code ?? item.image?.name])).toEqual([
    [409, "image_exists"],
    [200, "two (2)"],
    [404, "album_not_found"],
    [412, "precondition_failed"],
    [200, "uno"],
  ]);
});
