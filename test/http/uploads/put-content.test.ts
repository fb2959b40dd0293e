import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Image } from "../../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "../harness.ts";
import { codeOf, formOf, GIF, imagePath, newAlbum, newImage, newPng, putContent, sha256 } from "../image-fixtures.ts";
import { eventCount, expectNothingStored, newName, statusesOf } from "./upload-fixtures.ts";

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store, "uploads ✓");
});
afterAll(() => store[Symbol.asyncDispose]());

describe("PUT content", () => {
  test("creates an image with its record, Location and the ETag of its bytes", async () => {
    const name = newName();
    const png = newPng();
    const response = await putContent(store, album, name, png);
    expect(response.status).toBe(201);
    expect(response.headers.get("etag")).toBe(`"${sha256(png)}"`);
    expect(response.headers.get("location")).toBe(imagePath(album, name));
    const image = await jsonOf<Image>(response);
    expect(image).toMatchObject({
      name,
      album: "uploads ✓",
      title: null,
      tags: [],
      contentType: "image/png",
      size: png.length,
      sha256: sha256(png),
      width: 4,
      height: 3,
      frames: 1,
      hasAlpha: false,
      orientation: 1,
      revision: 1,
      links: { self: imagePath(album, name), content: `/v1/images/${image.id}/content/${sha256(png)}` },
    });
    expect(await (await store.fetch(imagePath(album, name))).json()).toEqual(image);
    expect(Buffer.from(await (await store.fetch(image.links.content)).arrayBuffer())).toEqual(png);
  });

  test("replaces the bytes of an image: id and text stay, the old digest URL is 404", async () => {
    const before = await newImage(store, album, newName());
    await store.send("PATCH", before.links.self, { title: "kept", tags: ["a"] });
    const response = await putContent(store, album, before.name, GIF);
    expect(response.status).toBe(200);
    expect(response.headers.get("etag")).toBe(`"${sha256(GIF)}"`);
    const after = await jsonOf<Image>(response);
    expect(after).toMatchObject({ id: before.id, title: "kept", tags: ["a"], contentType: "image/gif", width: 1 });
    expect(after.revision).toBeGreaterThan(before.revision);
    expect((await store.fetch(before.links.content)).status).toBe(404);
    expect((await store.fetch(after.links.content)).status).toBe(200);
  });

  test("of equal bytes changes nothing and writes no event", async () => {
    const png = newPng();
    const before = await newImage(store, album, newName(), png);
    const events = await eventCount(store);
    const response = await putContent(store, album, before.name, png);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(before);
    expect(await eventCount(store)).toBe(events);
  });

  test("with If-None-Match: * only creates", async () => {
    const name = newName();
    expect((await putContent(store, album, name, newPng(), { "If-None-Match": "*" })).status).toBe(201);
    await expectNothingStored(store, album, async () => {
      const again = await putContent(store, album, name, newPng(), { "If-None-Match": "*" });
      expect(again.status).toBe(412);
      expect(await codeOf(again)).toBe("precondition_failed");
    });
  });

  test("with If-Match replaces only those bytes", async () => {
    const image = await newImage(store, album, newName());
    const etag = `"${image.sha256}"`;
    for (const other of [`"${"0".repeat(64)}"`, `W/${etag}`, '"x"']) {
      await expectNothingStored(store, album, async () => {
        expect((await putContent(store, album, image.name, newPng(), { "If-Match": other })).status).toBe(412);
      });
    }
    const listed = { "If-Match": `"x", ${etag}` };
    expect((await putContent(store, album, image.name, newPng(), listed)).status).toBe(200);
    expect((await putContent(store, album, image.name, newPng(), listed)).status).toBe(412);
    expect((await putContent(store, album, image.name, newPng(), { "If-Match": "*" })).status).toBe(200);
    await expectNothingStored(store, album, async () => {
      expect((await putContent(store, album, newName(), newPng(), { "If-Match": "*" })).status).toBe(412);
    });
    const malformed = await putContent(store, album, image.name, newPng(), { "If-Match": "bare" });
    expect(await codeOf(malformed)).toBe("invalid_request");
  });

  test("concurrently under one name: one creates, the others replace, and none is lost", async () => {
    const name = newName();
    const images = Array.from({ length: 8 }, () => newPng());
    const answers = await Promise.all(images.map((png) => putContent(store, album, name, png)));
    expect(statusesOf(answers)).toEqual([200, 200, 200, 200, 200, 200, 200, 201]);
    const image = await jsonOf<Image>(await store.fetch(imagePath(album, name)));
    expect(images.map(sha256)).toContain(image.sha256);
    const created = await Promise.all(
      images.map((png) => putContent(store, album, `${name} once`, png, { "If-None-Match": "*" })),
    );
    expect(statusesOf(created)).toEqual([201, 412, 412, 412, 412, 412, 412, 412]);
  });

  test("refuses a query and a form", async () => {
    const path = `${imagePath(album, newName())}/content`;
    const query = await store.fetch(`${path}?name=a`, { method: "PUT", body: newPng() });
    expect(await codeOf(query)).toBe("unknown_parameter");
    const form = await store.fetch(path, { method: "PUT", body: formOf({ a: newPng() }) });
    expect(form.status).toBe(415);
    expect(await codeOf(form)).toBe("unsupported_media_type");
  });
});
