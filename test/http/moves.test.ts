import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { CloudEvent, OtherAlbum } from "../../src/domain/event.ts";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newPng } from "./image-fixtures.ts";
import { API_KEYS, type Headers, owner, problem, requestsOfOwner, startTwoAlbums } from "./two-albums.ts";

let store: TestStore;
let from: Album;
let to: Album;
let image: Image;
beforeEach(async () => {
  ({ store, from, to, image } = await startTwoAlbums());
});
afterEach(() => store[Symbol.asyncDispose]());

const { makeImage, get, keyFor } = requestsOfOwner(() => store);
const move = (body: object, headers: Headers = owner, of = "from/images/i.png") =>
  store.send("POST", `/v1/albums/${of}/move`, body, headers);

interface MovedData extends Image {
  readonly reason: string;
  readonly previousAlbum?: OtherAlbum;
  readonly newAlbum?: OtherAlbum;
  readonly previousName?: string;
}

const movesSeenBy = async (headers: Headers) => {
  const { items } = await get<{ items: readonly CloudEvent[] }>("/v1/events?limit=1000", headers);
  const moves = items.filter(({ data }) => data.reason === "moved");
  return moves.map(({ type, partitionkey, data }) => {
    const { id, album, previousAlbum, newAlbum, previousName } = data as unknown as MovedData;
    return {
      type: type.slice("imagestore.image.".length),
      partitionkey,
      id,
      album,
      previousAlbum,
      newAlbum,
      previousName,
    };
  });
};

/** Moves the image into the other album by `keep-both`, and another of that name back. Returns the name, or the code of a refusal. */
async function moveToFreeName(): Promise<string> {
  const moved = await jsonOf<Image & { code?: string }>(await move({ album: "to", ifExists: "keep-both" }));
  if (moved.code !== undefined) return moved.code;
  expect(
    (await move({ album: "from", name: "i.png" }, owner, `to/images/${encodeURIComponent(moved.name)}`)).status,
  ).toBe(200);
  await makeImage("to", moved.name);
  return moved.name;
}

describe("POST …/move", () => {
  test("the image is in the other album with its id, bytes and fields, and in no other", async () => {
    await store.send("PATCH", "/v1/albums/from/images/i.png", { title: "T", tags: ["sea"] }, owner);
    const before = await get<Image>(`/v1/images/${image.id}`);
    const variant = await store.fetch(`${image.links.content}?w=160`, { headers: owner });
    const response = await move({ album: "to" });
    expect(response.status).toBe(200);
    expect(response.headers.get("content-location")).toBe("/v1/albums/to/images/i.png");
    const moved = await jsonOf<Image>(response);
    expect(moved).toMatchObject({
      id: image.id,
      title: "T",
      tags: ["sea"],
      createdAt: image.createdAt,
      albumId: to.id,
    });
    const { described: _, placeholder: __, dominantColour: ___, decodable: ____, ...settled } = moved;
    expect(await get<Image>("/v1/albums/to/images/i.png")).toMatchObject(settled);
    expect(moved.revision).toBe(before.revision + 1);
    expect(response.headers.get("etag")).not.toBe(variant.headers.get("etag"));

    const gone = await problem(store.fetch("/v1/albums/from/images/i.png", { headers: owner }));
    expect(gone).toMatchObject({ status: 404, code: "image_not_found" });
    expect((await store.fetch("/v1/albums/from/images/i.png/content", { headers: owner })).status).toBe(404);
    const content = await store.fetch(image.links.content, { headers: owner });
    expect([content.status, content.headers.get("repr-digest") === null]).toEqual([200, false]);
    const again = await store.fetch(`${image.links.content}?w=160`, { headers: owner });
    expect(again.headers.get("etag")).toBe(variant.headers.get("etag") as string);
    expect((await get<Album>("/v1/albums/from")).imageCount).toBe(0);
    expect(await get<Album>("/v1/albums/to")).toMatchObject({ imageCount: 1, byteCount: image.size });
  });

  test("ifExists decides what becomes of an image that has the name", async () => {
    await makeImage("to", "i.png");
    const refused = await problem(move({ album: "to" }));
    expect(refused).toMatchObject({ status: 409, code: "image_exists" });
    expect(await jsonOf<Image>(await move({ album: "to", ifExists: "keep-both" }))).toMatchObject({
      name: "i (2).png",
    });
    const back = { album: "to", name: "i.png", ifExists: "replace" };
    expect(await jsonOf<Image>(await move(back, owner, "to/images/i%20(2).png"))).toMatchObject({
      id: image.id,
      name: "i.png",
    });
    expect(await get<Album>("/v1/albums/to")).toMatchObject({ imageCount: 1, byteCount: image.size });
  });

  test("a request that is repeated with its Idempotency-Key is answered again, also when the album is gone", async () => {
    const headers = { ...owner, "Idempotency-Key": "once" };
    const first = await move({ album: "to" }, headers);
    await store.fetch("/v1/albums/from?recursive=true", { method: "DELETE", headers: owner });
    const again = await move({ album: "to" }, headers);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(await again.json()).toEqual(await first.json());
    expect(await problem(move({ album: "to", name: "x" }, headers))).toMatchObject({ code: "idempotency_key_reused" });
    expect(await problem(move({ album: "to" }))).toMatchObject({ status: 404, code: "album_not_found" });
  });

  test("If-Match of an older version is 412", async () => {
    const { headers } = await store.fetch("/v1/albums/from/images/i.png", { headers: owner });
    const etag = headers.get("etag") as string;
    await store.send("PATCH", "/v1/albums/from/images/i.png", { title: "T" }, owner);
    expect(await problem(move({ album: "to" }, { ...owner, "If-Match": etag }))).toMatchObject({ status: 412 });
    expect((await move({ album: "to" }, { ...owner, "If-Match": "*" })).status).toBe(200);
  });

  test("an album that the caller may not see is as one that does not exist", async () => {
    const key = await keyFor([["read", "write", "delete"], from]);
    expect(await problem(move({ album: "to" }, key))).toEqual(await problem(move({ album: "absent" }, key)));
    const reader = await keyFor([["read", "delete"], from], [["read"], to]);
    expect(await problem(move({ album: "to" }, reader))).toMatchObject({ status: 403, missing: ["write"] });
  });

  test("without the right to read an image, a caller gets it into no album that it reads", async () => {
    const key = await keyFor([["write", "delete"], from], [["read", "write", "delete"], to]);
    expect(await problem(move({ album: "to" }, key))).toMatchObject({ status: 403, missing: ["read"] });
    const remover = await keyFor([["read", "write"], from], [["read", "write"], to]);
    expect(await problem(move({ album: "to" }, remover))).toMatchObject({ status: 403, missing: ["delete"] });
    const adder = await keyFor([["read", "delete"], from], [["write"], to]);
    await makeImage("to", "i.png");
    const replacing = await problem(move({ album: "to", ifExists: "replace" }, adder));
    expect(replacing).toMatchObject({ status: 403, missing: ["delete"] });
    const dropped = await move({ album: "to", name: "free" }, adder);
    expect([dropped.status, await dropped.text()]).toEqual([204, ""]);
  });

  test("readers of each album hear of it, and learn nothing of an album that they may not see", async () => {
    await move({ album: "to", name: "j.png" });
    const left = { type: "deleted", partitionkey: from.id, id: image.id, album: "from" };
    const entered = { type: "created", partitionkey: to.id, id: image.id, album: "to" };
    const both = [
      { ...left, newAlbum: { id: to.id, name: "to" } },
      { ...entered, previousAlbum: { id: from.id, name: "from" }, previousName: "i.png" },
    ];
    expect(await movesSeenBy(owner)).toEqual(both as never);
    expect(await movesSeenBy(await keyFor([["events"], from], [["events"], to]))).toEqual(both as never);
    expect(await movesSeenBy(await keyFor([["events"], from]))).toEqual([left] as never);
    expect(await movesSeenBy(await keyFor([["events"], to]))).toEqual([entered] as never);
  });

  test("nor by text of users that looks like what an event says of albums", async () => {
    const metadata = { copiedFrom: "x", previousAlbum: "x", newAlbum: "x", previousName: "x", reason: "user" };
    await store.send("PATCH", "/v1/albums/from/images/i.png", { metadata }, owner);
    await move({ album: "to", name: "j.png" });
    const left = { type: "deleted", partitionkey: from.id, id: image.id, album: "from" };
    const entered = { type: "created", partitionkey: to.id, id: image.id, album: "to" };
    expect(await movesSeenBy(await keyFor([["events"], from]))).toEqual([left] as never);
    expect(await movesSeenBy(await keyFor([["events"], to]))).toEqual([entered] as never);
  });

  test("keep-both finds the first free name among a thousand, and none beyond", async () => {
    const form = new FormData();
    const names = ["i.png", ...Array.from({ length: 999 }, (_, index) => `i (${index + 2}).png`)];
    for (const name of names.filter((one) => one !== "i (51).png")) form.append("file", new File([newPng()], name));
    expect((await store.fetch("/v1/albums/to/images", { method: "POST", body: form, headers: owner })).status).toBe(
      201,
    );
    const free = async (name: string) => {
      const path = `/v1/albums/to/images/${encodeURIComponent(name)}`;
      expect((await store.fetch(path, { method: "DELETE", headers: owner })).status).toBe(204);
    };
    expect(await moveToFreeName()).toBe("i (51).png");
    expect(await moveToFreeName()).toBe("image_exists");
    for (const name of ["i (2).png", "i (52).png", "i (1000).png"]) {
      await free(name);
      expect(await moveToFreeName()).toBe(name);
    }
  });

  test("a signed link shows the image as before", async () => {
    const made = await store.send("POST", "/v1/albums/from/images/i.png/links", { expiresIn: 600 }, owner);
    const { url } = await jsonOf<{ url: string }>(made);
    const before = await (await store.fetch(url)).bytes();
    expect((await move({ album: "to" })).status).toBe(200);
    const shown = await store.fetch(url);
    expect([shown.status, await shown.bytes()]).toEqual([200, before]);
  });

  test("the quota of the album that it enters refuses it as it refuses an upload, and the image stays", async () => {
    await store.send("PUT", "/v1/quotas/albums/to", { maxImages: 1 }, owner);
    await makeImage("to", "other.png");
    const refused = await problem(move({ album: "to" }));
    const path = "/v1/albums/to/images/more.png/content";
    const upload = await problem(store.fetch(path, { method: "PUT", body: newPng(), headers: owner }));
    expect(refused).toMatchObject({ status: upload.status, code: "quota_exceeded" });
    expect((await store.fetch("/v1/albums/from/images/i.png", { headers: owner })).status).toBe(200);
    expect((await move({ album: "to", name: "other.png", ifExists: "replace" })).status).toBe(200);
  });

  test("a body that is wrong is 400", async () => {
    for (const body of [
      {},
      { album: "" },
      { album: "to", ifExists: "keep" },
      { album: "to", name: "a/b" },
      { album: "to", more: 1 },
    ])
      expect((await problem(move(body))).status).toBe(400);
  });
});

describe("where the public gets no location", () => {
  test("no image leaves a public album by a caller who reads it only because it is public", async () => {
    await using careful = await startStore({ API_KEYS, PUBLIC_ORIGINALS: "without-location" });
    const send = (method: string, path: string, body: object, headers: Headers = owner) =>
      careful.send(method, path, body, headers);
    const open = await jsonOf<Album>(await send("PUT", "/v1/albums/open", { visibility: "public" }));
    const mine = await jsonOf<Album>(await send("PUT", "/v1/albums/mine", {}));
    const path = "/v1/albums/open/images/i.png/content";
    await careful.fetch(path, { method: "PUT", body: newPng(), headers: owner });
    const grants = [
      { rights: ["delete"], albums: { ids: [open.id] } },
      { rights: ["read", "write"], albums: { ids: [mine.id] } },
    ];
    const { secret } = await jsonOf<{ secret: string }>(await send("POST", "/v1/keys", { name: "k", grants }));
    const key = { Authorization: `Bearer ${secret}` };
    const refused = await send("POST", "/v1/albums/open/images/i.png/move", { album: "mine" }, key);
    expect(await problem(refused)).toMatchObject({ status: 403, code: "forbidden", missing: ["read"] });
    expect((await send("POST", "/v1/albums/open/images/i.png/move", { album: "mine" })).status).toBe(200);
  });
});
