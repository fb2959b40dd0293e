import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startStore, type TestStore } from "../harness.ts";
import {
  codeOf,
  formOf,
  imagePath,
  newAlbum,
  newPng,
  postForm,
  postImage,
  putContent,
  storedBlobs,
} from "../image-fixtures.ts";
import { digestOf, expectNothingStored, md5Of, NOT_AN_IMAGE, newName } from "./upload-fixtures.ts";

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store, "uploads ✓");
});
afterAll(() => store[Symbol.asyncDispose]());

describe("a refused upload leaves nothing", () => {
  const cases: [string, number, string, Uint8Array<ArrayBuffer>, Record<string, string>][] = [
    ["text called .png", 415, "unsupported_image", NOT_AN_IMAGE, {}],
    ["SVG", 415, "unsupported_image", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"), {}],
    ["an image type that is not accepted", 415, "unsupported_image", NOT_AN_IMAGE, { "Content-Type": "image/svg+xml" }],
    ["a declared type that disagrees", 415, "unsupported_image", newPng(), { "Content-Type": "image/jpeg" }],
    ["a declared type that is no image's", 415, "unsupported_media_type", newPng(), { "Content-Type": "text/plain" }],
    ["JSON", 415, "unsupported_media_type", newPng(), { "Content-Type": "application/json" }],
    ["Content-Encoding", 415, "unsupported_media_type", newPng(), { "Content-Encoding": "gzip" }],
    ["Content-Range", 400, "invalid_request", newPng(), { "Content-Range": "bytes 0-9/100" }],
    ["a PNG that ends in its header", 422, "invalid_image", newPng().subarray(0, 20), {}],
    ["another SHA-256", 422, "digest_mismatch", newPng(), { "Content-Digest": digestOf("sha-256", NOT_AN_IMAGE) }],
    ["another SHA-512", 422, "digest_mismatch", newPng(), { "Content-Digest": digestOf("sha-512", NOT_AN_IMAGE) }],
    ["another representation", 422, "digest_mismatch", newPng(), { "Repr-Digest": digestOf("sha-256", NOT_AN_IMAGE) }],
    ["another MD5", 422, "digest_mismatch", newPng(), { "Content-MD5": md5Of(NOT_AN_IMAGE) }],
    ["a malformed MD5", 400, "invalid_request", newPng(), { "Content-MD5": "0".repeat(32) }],
    ["a malformed representation digest", 400, "invalid_request", newPng(), { "Repr-Digest": "sha-256=abc" }],
    ["a malformed digest", 400, "invalid_request", newPng(), { "Content-Digest": "sha-256=abc" }],
    ["a digest of another length", 400, "invalid_request", newPng(), { "Content-Digest": "sha-256=:YWJj:" }],
  ];
  test.each(cases)("and is, for %s, %i %s", async (_, status, code, body, headers) => {
    await expectNothingStored(store, album, async () => {
      for (const response of [
        await putContent(store, album, newName(), body, headers),
        await postImage(store, album, newName(), body, headers),
      ]) {
        expect(response.status).toBe(status);
        expect(await codeOf(response)).toBe(code);
      }
    });
  });

  test("and is 400 empty_body for an empty body, declared or chunked", async () => {
    const path = `${imagePath(album, newName())}/content`;
    await expectNothingStored(store, album, async () => {
      expect(await codeOf(await store.fetch(path, { method: "PUT" }))).toBe("empty_body");
      expect(await codeOf(await store.fetch(path, { method: "PUT", body: "" }))).toBe("empty_body");
      const { text: chunked } = await store.sendRaw(
        `PUT ${path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      );
      expect(chunked).toStartWith("HTTP/1.1 400");
      expect(chunked).toContain("empty_body");
    });
  });

  test("and is 422 image_too_large for too many pixels", async () => {
    await using small = await startStore({ MAX_PIXELS: "11" });
    const path = await newAlbum(small);
    const response = await putContent(small, path, "a", newPng());
    expect(response.status).toBe(422);
    expect(await codeOf(response)).toBe("image_too_large");
    expect(await storedBlobs(small)).toEqual([]);
  });

  test("and is 404 album_not_found before its body is read", async () => {
    for (const response of [
      await putContent(store, "/v1/albums/none", "a", newPng()),
      await postImage(store, "/v1/albums/none", "a", newPng()),
      await postForm(store, "/v1/albums/none", formOf({ a: newPng() })),
    ]) {
      expect(response.status).toBe(404);
      expect(await codeOf(response)).toBe("album_not_found");
    }
  });
});
