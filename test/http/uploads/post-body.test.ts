import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startStore, type TestStore } from "../harness.ts";
import { codeOf, imagePath, newAlbum, newImage, newPng, postImage } from "../image-fixtures.ts";
import { expectNothingStored, newName, statusesOf } from "./upload-fixtures.ts";

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store, "uploads ✓");
});
afterAll(() => store[Symbol.asyncDispose]());

describe("POST of a body", () => {
  test("returns the record, its Location and its ETag", async () => {
    const name = newName();
    const response = await postImage(store, album, name, newPng());
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe(imagePath(album, name));
    const read = await store.fetch(imagePath(album, name));
    expect(read.headers.get("etag")).toBe(response.headers.get("etag"));
    expect(await read.json()).toEqual(await response.json());
  });

  test("with a taken name is 409", async () => {
    const { name } = await newImage(store, album, `${newName()} é`);
    await expectNothingStored(store, album, async () => {
      for (const form of ["NFC", "NFD"]) {
        const response = await postImage(store, album, name.normalize(form), newPng());
        expect(response.status).toBe(409);
        expect(await codeOf(response)).toBe("image_exists");
      }
    });
  });

  test("concurrently under one name: one is stored", async () => {
    const name = newName();
    const answers = await Promise.all(Array.from({ length: 8 }, () => postImage(store, album, name, newPng())));
    expect(statusesOf(answers)).toEqual([201, 409, 409, 409, 409, 409, 409, 409]);
  });

  test("requires a valid name", async () => {
    const missing = await store.fetch(`${album}/images`, { method: "POST", body: newPng() });
    expect(missing.status).toBe(400);
    expect(await codeOf(missing)).toBe("invalid_request");
    for (const name of ["", ".", "..", "a/b", "a\u0000b", "a\u202eb", "x".repeat(256)]) {
      const response = await postImage(store, album, name, newPng());
      expect({ name, code: await codeOf(response) }).toEqual({ name, code: "invalid_name" });
    }
    const escape = await store.fetch(`${album}/images?name=%ff`, { method: "POST", body: newPng() });
    expect(await codeOf(escape)).toBe("invalid_name");
    const other = await store.fetch(`${album}/images?name=a&w=1`, { method: "POST", body: newPng() });
    expect(await codeOf(other)).toBe("unknown_parameter");
  });
});
