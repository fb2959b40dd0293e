import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Image } from "../../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "../harness.ts";
import { codeOf, formOf, newAlbum, newPng, putContent } from "../image-fixtures.ts";
import { digestOf, expectNothingStored, md5Of, NOT_AN_IMAGE, newName } from "./upload-fixtures.ts";

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store, "uploads ✓");
});
afterAll(() => store[Symbol.asyncDispose]());

describe("an upload accepts", () => {
  test.each([
    undefined,
    "application/octet-stream",
    "binary/octet-stream",
    "image/*",
    "*/*",
    "application/x-www-form-urlencoded",
    "image/png",
    "IMAGE/PNG; q=1",
    "image/apng",
  ])("the declared type %p", async (type) => {
    const response = await putContent(
      store,
      album,
      newName(),
      newPng(),
      type === undefined ? {} : { "Content-Type": type },
    );
    expect(response.status).toBe(201);
    expect((await jsonOf<Image>(response)).contentType).toBe("image/png");
  });

  test("matching digests, and digests of unknown algorithms", async () => {
    const png = newPng();
    for (const digest of [
      digestOf("sha-256", png),
      digestOf("sha-512", png),
      `${digestOf("sha-512", png)}, ${digestOf("sha-256", png)};a=b`,
      "md5=:YWJj:, constructor=:YWJj:",
    ]) {
      expect((await putContent(store, album, newName(), png, { "Content-Digest": digest })).status).toBe(201);
    }
    const all = { "Repr-Digest": digestOf("sha-256", png), "Content-MD5": md5Of(png) };
    expect((await putContent(store, album, newName(), png, all)).status).toBe(201);
    await expectNothingStored(store, album, async () => {
      const contradiction = { ...all, "Content-Digest": digestOf("sha-256", NOT_AN_IMAGE) };
      const refused = await putContent(store, album, newName(), png, contradiction);
      expect(await jsonOf<object>(refused)).toMatchObject({
        code: "digest_mismatch",
        errors: [{ parameter: "Content-Digest" }],
      });
    });
    const form = formOf({ [newName()]: png });
    const encoded = new Response(form);
    const headers = { "Content-Type": encoded.headers.get("content-type") ?? "" };
    const body = new Uint8Array(await encoded.arrayBuffer());
    const send = (digest: string) =>
      store.fetch(`${album}/images`, { method: "POST", body, headers: { ...headers, "Content-Digest": digest } });
    await expectNothingStored(store, album, async () => {
      expect(await codeOf(await send(digestOf("sha-256", png)))).toBe("digest_mismatch");
    });
    expect((await send(digestOf("sha-256", body))).status).toBe(201);
  });

  test("Content-Encoding: identity", async () => {
    const headers = { "Content-Encoding": "identity" };
    expect((await putContent(store, album, newName(), newPng(), headers)).status).toBe(201);
  });
});
