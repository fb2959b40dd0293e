import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Album } from "../../src/domain/album.ts";
import type { CloudEvent, CopiedImage } from "../../src/domain/event.ts";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newPng, storedBlobs } from "./image-fixtures.ts";
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
const copy = (body: object, headers: Headers = owner, of = "from/images/i.png") =>
  store.send("POST", `/v1/albums/${of}/copy`, body, headers);
const known = (body: object, headers: Headers = owner, album = "to") =>
  store.send("POST", `/v1/albums/${album}/known`, body, headers);
const bytesOf = async (path: string) => (await store.fetch(path, { headers: owner })).bytes();
async function shareFor(originals: boolean): Promise<Headers> {
  const wish = { rights: ["read", "write"], originals };
  const made = await store.send("POST", "/v1/albums/from/shares", wish, owner);
  return { Authorization: `Bearer ${(await jsonOf<{ secret: string }>(made)).secret}` };
}
const createdIn = async (album: Album, headers: Headers = owner) => {
  const path = `/v1/events?type=image.created&albumId=${album.id}`;
  const { items } = await get<{ items: readonly CloudEvent[] }>(path, headers);
  return items.map(({ data }) => data as unknown as Image & { readonly copiedFrom?: CopiedImage });
};

describe("POST …/copy", () => {
  test("the copy is an image of its own with the bytes and fields of the original, and outlives it", async () => {
    const fields = { title: "T", tags: ["sea"], metadata: { k: "v" }, focalPoint: { x: 0.5, y: 0.25 } };
    await store.send("PATCH", "/v1/albums/from/images/i.png", fields, owner);
    const response = await copy({ album: "to" });
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe("/v1/albums/to/images/i.png");
    const made = await jsonOf<Image>(response);
    expect(made).toMatchObject({ ...fields, name: "i.png", albumId: to.id, sha256: image.sha256, revision: 1 });
    expect(made.id).not.toBe(image.id);
    const bytes = await bytesOf(image.links.content);
    await store.fetch("/v1/albums/from?recursive=true", { method: "DELETE", headers: owner });
    expect(await bytesOf(made.links.content)).toEqual(bytes);
    expect(await get<Album>("/v1/albums/to")).toMatchObject({ imageCount: 1, byteCount: image.size });
  });

  test("within its album a copy needs another name; ifExists decides of one that is taken", async () => {
    expect(await problem(copy({ album: "from" }))).toMatchObject({ status: 409, code: "image_exists" });
    const both = { album: "from", ifExists: "keep-both" };
    expect(await jsonOf<Image>(await copy(both))).toMatchObject({ name: "i (2).png", sha256: image.sha256 });
    expect(await jsonOf<Image>(await copy(both))).toMatchObject({ name: "i (3).png" });
    const other = await makeImage("to", "i.png");
    const replaced = await copy({ album: "to", ifExists: "replace" });
    expect(replaced.status).toBe(200);
    expect(await jsonOf<Image>(replaced)).toMatchObject({ id: other.id, sha256: image.sha256, revision: 2 });
  });

  test("a copy that the album cannot take is refused before any byte is copied", async () => {
    await makeImage("from", "j.png");
    await makeImage("to", "i.png");
    const made = await store.send(
      "POST",
      "/v1/albums/from/shares",
      { rights: ["read", "write"], originals: true },
      owner,
    );
    const guest = { Authorization: `Bearer ${(await jsonOf<{ secret: string }>(made)).secret}` };
    const refused = async () => [
      await problem(copy({ album: "to" })),
      await problem(copy({ album: "to" }, { ...owner, "Idempotency-Key": "k" })),
      await problem(known({ sha256: image.sha256, name: "i.png" })),
      await problem(copy({ album: "from", name: "j.png", ifExists: "replace" }, guest)),
      await problem(known({ sha256: image.sha256, name: "i.png", title: "T", ifExists: "replace" }, guest, "from")),
    ];
    const before = await storedBlobs(store);
    const codes = (await refused()).map(({ code }) => code);
    expect(codes).toEqual(["image_exists", "image_exists", "image_exists", "forbidden", "forbidden"]);
    expect(await storedBlobs(store)).toEqual(before);
  });

  test("the event names the original to readers who may see it, and to no other", async () => {
    const made = await jsonOf<Image>(await copy({ album: "to", name: "j.png" }));
    const copiedFrom = { id: image.id, name: "i.png", album: "from", albumId: from.id };
    expect(await createdIn(to)).toMatchObject([{ id: made.id, copiedFrom }]);
    const [seen] = await createdIn(to, await keyFor([["events"], to]));
    expect(seen?.id).toBe(made.id);
    expect(seen).not.toHaveProperty("copiedFrom");
  });

  test("a repeated request with its Idempotency-Key makes one copy", async () => {
    const headers = { ...owner, "Idempotency-Key": "once" };
    const first = await copy({ album: "to" }, headers);
    await store.fetch("/v1/albums/from?recursive=true", { method: "DELETE", headers: owner });
    const again = await copy({ album: "to" }, headers);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(await again.json()).toEqual(await first.json());
    expect((await get<Album>("/v1/albums/to")).imageCount).toBe(1);
    expect(await problem(copy({ album: "to", name: "x" }, headers))).toMatchObject({ code: "idempotency_key_reused" });
  });

  test("it needs the right to read the original and to add to the other album", async () => {
    const writer = await keyFor([["write"], from], [["write"], to]);
    expect(await problem(copy({ album: "to" }, writer))).toMatchObject({ status: 403, missing: ["read"] });
    const reader = await keyFor([["read"], from], [["read"], to]);
    expect(await problem(copy({ album: "to" }, reader))).toMatchObject({ status: 403, missing: ["write"] });
    const blind = await keyFor([["read"], from]);
    expect(await problem(copy({ album: "to" }, blind))).toEqual(await problem(copy({ album: "absent" }, blind)));
    expect((await copy({ album: "to" }, await keyFor([["read"], from], [["write"], to]))).status).toBe(201);
  });

  test("a share that gives variants only copies nothing", async () => {
    const body = { album: "from", name: "copy.png" };
    expect(await problem(copy(body, await shareFor(false)))).toMatchObject({
      status: 403,
      code: "original_not_shared",
    });
    expect((await copy(body, await shareFor(true))).status).toBe(201);
    const digest = { sha256: image.sha256, name: "known.png" };
    expect(await problem(known(digest, await shareFor(false), "from"))).toMatchObject({ code: "bytes_not_found" });
    expect((await known(digest, await shareFor(true), "from")).status).toBe(201);
  });

  test("quotas count the copy", async () => {
    await store.send("PUT", "/v1/quotas/albums/to", { maxImages: 1 }, owner);
    expect((await copy({ album: "to" })).status).toBe(201);
    expect(await problem(copy({ album: "to", name: "j" }))).toMatchObject({ code: "quota_exceeded" });
    expect(await problem(known({ sha256: image.sha256, name: "k" }))).toMatchObject({ code: "quota_exceeded" });
  });
});

describe("an upload by digest", () => {
  test("makes an image of bytes that the caller may read, with the fields of the request", async () => {
    const response = await known({ sha256: image.sha256, name: "j.png", title: "T", tags: ["sea"] });
    expect(response.status).toBe(201);
    const made = await jsonOf<Image>(response);
    expect(made).toMatchObject({ name: "j.png", title: "T", tags: ["sea"], sha256: image.sha256, width: image.width });
    expect(await bytesOf(made.links.content)).toEqual(await bytesOf(image.links.content));
    const [event] = await createdIn(to);
    expect(event).not.toHaveProperty("copiedFrom");
  });

  test("works where images are uploaded, as a JSON body", async () => {
    const body = { sha256: image.sha256, name: "j.png" };
    expect((await store.send("POST", "/v1/albums/to/images", body, owner)).status).toBe(201);
    const wrong = { sha256: "0", name: "k.png" };
    expect((await problem(store.send("POST", "/v1/albums/to/images", wrong, owner))).status).toBe(400);
  });

  test("bytes that the store lacks and bytes that the caller may not read get the same response", async () => {
    const key = await keyFor([["read", "write"], to]);
    const hidden = await problem(known({ sha256: image.sha256, name: "j.png" }, key));
    const unknown = await problem(known({ sha256: "0".repeat(64), name: "j.png" }, key));
    expect(hidden).toEqual(unknown);
    expect(hidden).toMatchObject({ status: 404, code: "bytes_not_found" });
    expect((await get<Album>("/v1/albums/to")).imageCount).toBe(0);
  });

  test("ifExists decides of a name that is taken, and equal bytes change nothing", async () => {
    const other = await makeImage("to", "j.png");
    const body = { sha256: image.sha256, name: "j.png" };
    expect(await problem(known(body))).toMatchObject({ status: 409, code: "image_exists" });
    expect(await jsonOf<Image>(await known({ ...body, ifExists: "keep-both" }))).toMatchObject({ name: "j (2).png" });
    const replaced = await known({ ...body, ifExists: "replace" });
    expect([replaced.status, (await jsonOf<Image>(replaced)).id]).toEqual([200, other.id]);
    const again = await jsonOf<Image>(await known({ ...body, ifExists: "replace" }));
    expect(again.revision).toBe(2);
  });

  test("a caller who reads an album only because it is public takes no location out of it", async () => {
    await using careful = await startStore({ API_KEYS, PUBLIC_ORIGINALS: "without-location" });
    await careful.send("PUT", "/v1/albums/open", { visibility: "public" }, owner);
    const mine = await jsonOf<Album>(await careful.send("PUT", "/v1/albums/mine", {}, owner));
    const path = "/v1/albums/open/images/i.png/content";
    const put = await careful.fetch(path, { method: "PUT", body: newPng(), headers: owner });
    const { sha256 } = await jsonOf<Image>(put);
    const grants = [{ rights: ["read", "write"], albums: { ids: [mine.id] } }];
    const made = await careful.send("POST", "/v1/keys", { name: "k", grants }, owner);
    const key = { Authorization: `Bearer ${(await jsonOf<{ secret: string }>(made)).secret}` };
    const by = (at: string, body: object) => problem(careful.send("POST", `/v1/albums/${at}`, body, key));
    expect(await by("open/images/i.png/copy", { album: "mine" })).toMatchObject({ status: 403, missing: ["read"] });
    expect(await by("mine/known", { sha256, name: "i" })).toMatchObject({ status: 404, code: "bytes_not_found" });
  });
});
