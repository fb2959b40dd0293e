import { afterAll, describe, expect, test } from "bun:test";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { until } from "../../waiting.ts";
import { startStore, type TestStore } from "../harness.ts";
import { codeOf, newAlbum, putContent, sha256 } from "../image-fixtures.ts";
import { bytesOf, noise, PHOTO, rendersOf, startVariantStore, upload } from "./variant-store.ts";

const { store, album, get } = await startVariantStore();
afterAll(() => store[Symbol.asyncDispose]());

async function variantFiles({ dataFolder }: TestStore): Promise<string[]> {
  const entries = await readdir(join(dataFolder, "variants"), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile() && !entry.name.startsWith("index.")).map((entry) => entry.name);
}

describe("variants of an image", () => {
  test("are rendered again when their file is missing", async () => {
    await using own = await startStore();
    const image = await upload(own, await newAlbum(own), "a.jpg", PHOTO);
    const path = `${image.links.content}?w=160`;
    // Made, and not yet opened.
    const head = await own.fetch(path, { method: "HEAD" });
    await rm(join(own.dataFolder, "variants/files"), { recursive: true });
    const response = await own.fetch(path);
    expect(response.status).toBe(200);
    expect(sha256(await bytesOf(response))).toBe(head.headers.get("etag")?.replaceAll('"', "") ?? "");
    expect(await rendersOf(own)).toBe(2);
  });

  test("are 404 as soon as it is deleted, and soon removed from the disk", async () => {
    await using own = await startStore();
    const image = await upload(own, await newAlbum(own), "a.jpg", PHOTO);
    const paths = [`${image.links.self}/content?w=160`, `${image.links.content}?w=160`];
    for (const path of paths) expect((await own.fetch(path)).status).toBe(200);
    expect(await variantFiles(own)).toHaveLength(1);
    expect((await own.fetch(image.links.self, { method: "DELETE" })).status).toBe(204);
    for (const path of paths) expect((await own.fetch(path)).status).toBe(404);
    await until(async () => (await variantFiles(own)).length === 0);
  });

  test("show the new bytes after a replacement, and the old digest URL is 404", async () => {
    const image = await upload(store, album, "changing", PHOTO);
    expect((await get(`${image.links.content}?w=160`)).status).toBe(200);
    const green = await sharp({ create: { width: 500, height: 500, channels: 3, background: "#080" } })
      .png()
      .toBuffer();
    expect((await putContent(store, album, "changing", new Uint8Array(green))).status).toBe(200);
    const gone = await get(`${image.links.content}?w=160`);
    expect([gone.status, gone.headers.get("cache-control")]).toEqual([404, "no-store"]);
    const now = await get(`${image.links.self}/content?w=160`);
    expect((await sharp(await bytesOf(now)).metadata()).height).toBe(160);
  });

  test("that cannot be decoded are refused, and decoding is tried once", async () => {
    const sound = await noise(64, 64).png().toBuffer();
    const pixels = sound.indexOf("IDAT") + 6;
    const broken = Buffer.concat([sound.subarray(0, pixels), Buffer.alloc(sound.length - pixels)]);
    const image = await upload(store, album, "broken.png", broken);
    const before = await rendersOf(store);
    for (let attempt = 0; attempt < 3; attempt++) {
      const response = await get(`${image.links.content}?w=32`);
      expect(response.status).toBe(422);
      expect(await codeOf(response)).toBe("invalid_image");
    }
    expect((await rendersOf(store)) - before).toBe(1);
  });
});
