import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import sharp from "sharp";
import type { Image } from "../../src/domain/image.ts";
import { cameraExif, exifSegment, plainJpeg, withSegments } from "../adapters/renderer/located-images.ts";
import { UNDESCRIBED } from "../catalog-changes.ts";
import { newFolder, removeFolder } from "../temporary-folder.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { imagePath, newAlbum, newImage, newPng, putContent } from "./image-fixtures.ts";

const EXIF = {
  camera: "Acme One",
  lens: "50mm F1.8",
  fNumber: 4,
  takenAt: "2026-07-14T09:30:00+02:00",
};

interface Event {
  readonly type: string;
  readonly data: Image & { readonly reason: string };
}

const getImage = async (store: TestStore, path: string): Promise<Image> => jsonOf<Image>(await store.fetch(path));

/** Polls, since a description takes as long as it takes. */
async function described(store: TestStore, path: string): Promise<Image> {
  for (;;) {
    const image = await getImage(store, path);
    if (image.described) return image;
    await Bun.sleep(10);
  }
}

const eventsOf = async (store: TestStore, id: string): Promise<readonly Event[]> =>
  (await jsonOf<{ readonly items: readonly Event[] }>(await store.fetch("/v1/events?limit=1000"))).items.filter(
    ({ data }) => data.id === id,
  );

const newPhoto = async (): Promise<Buffer<ArrayBuffer>> =>
  Buffer.from(withSegments(await plainJpeg(), exifSegment(cameraExif("MM"))));

let store: TestStore;
beforeAll(async () => {
  store = await startStore({ DESCRIBE: "true" });
});
afterAll(() => store[Symbol.asyncDispose]());

describe("an uploaded image", () => {
  test("is described some time after the answer, with an event", async () => {
    const album = await newAlbum(store);
    const created = await newImage(store, album, "photo", await newPhoto());
    expect(created).toMatchObject(UNDESCRIBED);
    const path = imagePath(album, "photo");
    const before = await store.fetch(path);
    const image = await described(store, path);
    expect(image).toEqual({
      ...created,
      described: true,
      placeholder: expect.stringMatching(/^[\w+/=]{20,40}$/),
      dominantColour: expect.stringMatching(/^#[\da-f]{6}$/),
      exif: EXIF,
      decodable: true,
      decodeError: null,
    });
    expect(JSON.stringify(image)).not.toContain("latitude");

    const after = await store.fetch(path);
    if (!(await jsonOf<Image>(before)).described)
      expect(after.headers.get("etag")).not.toBe(before.headers.get("etag"));
    const conditional = await store.fetch(path, { headers: { "If-None-Match": after.headers.get("etag") ?? "" } });
    expect(conditional.status).toBe(304);

    const events = await eventsOf(store, image.id);
    expect(events.map(({ type, data }) => [type, data.reason])).toEqual([
      ["imagestore.image.created", "user"],
      ["imagestore.image.updated", "described"],
    ]);
    expect(events[1]?.data).toMatchObject({ ...image, reason: "described" });
    const listed = await jsonOf<{ readonly items: readonly Image[] }>(await store.fetch(`${album}/images`));
    expect(listed.items).toEqual([image]);
  });

  test("is described again after its bytes were replaced", async () => {
    const album = await newAlbum(store);
    const path = imagePath(album, "photo");
    await newImage(store, album, "photo", await newPhoto());
    const first = await described(store, path);
    const response = await putContent(store, album, "photo", newPng());
    const replaced = await jsonOf<Image>(response);
    expect(replaced).toMatchObject({ ...UNDESCRIBED, revision: first.revision + 1 });
    const second = await described(store, path);
    expect(second).toMatchObject({
      exif: null,
      decodable: true,
      sha256: replaced.sha256,
      updatedAt: replaced.updatedAt,
    });
    expect(second.placeholder).not.toBe(first.placeholder);
  });

  test("that cannot be fully decoded is not decodable and keeps its metadata", async () => {
    const album = await newAlbum(store);
    const photo = await newPhoto();
    await newImage(store, album, "cut", photo.subarray(0, photo.length - 300));
    expect(await described(store, imagePath(album, "cut"))).toMatchObject({
      placeholder: expect.any(String),
      dominantColour: expect.any(String),
      exif: EXIF,
      decodable: false,
      decodeError: "The file ends before the picture does.",
    });
  });
});

test("POST describe describes an image again, with an event for each step", async () => {
  const album = await newAlbum(store);
  const path = imagePath(album, "photo");
  const { id } = await newImage(store, album, "photo", await newPhoto());
  const before = await described(store, path);
  const again = await store.fetch(`/v1/images/${id}/describe`, { method: "POST" });
  expect(again.status).toBe(202);
  expect(await jsonOf<Image>(again)).toEqual({ ...before, ...UNDESCRIBED });
  expect(await described(store, path)).toEqual(before);
  expect((await eventsOf(store, id)).map(({ data }) => [data.reason, data.described])).toEqual([
    ["user", false],
    ["described", true],
    ["user", false],
    ["described", true],
  ]);
  const missing = await store.fetch(`/v1/images/${Bun.randomUUIDv7()}/describe`, { method: "POST" });
  expect((await jsonOf<{ readonly code: string }>(missing)).code).toBe("image_not_found");
});

test("many images are each described with one event", async () => {
  const album = await newAlbum(store);
  const names = Array.from({ length: 12 }, (_, index) => `image ${index}`);
  const images = await Promise.all(names.map((name) => newImage(store, album, name)));
  for (const name of names) await described(store, imagePath(album, name));
  for (const { id } of images) expect(await eventsOf(store, id)).toHaveLength(2);
});

test("DESCRIBE=false describes nothing, and a later start with true describes existing images", async () => {
  const folder = await newFolder("undescribed");
  try {
    let path: string;
    {
      await using silent = await startStore({ DATA: folder });
      const album = await newAlbum(silent);
      path = imagePath(album, "old");
      const bytes = await sharp({ create: { width: 4, height: 4, channels: 3, background: "#336699" } })
        .png()
        .toBuffer();
      await newImage(silent, album, "old", Buffer.from(bytes));
      await Bun.sleep(50);
      expect(await getImage(silent, path)).toMatchObject(UNDESCRIBED);
    }
    await using describing = await startStore({ DESCRIBE: "true", DATA: folder });
    expect(await described(describing, path)).toMatchObject({ dominantColour: "#336699", revision: 1 });
  } finally {
    await removeFolder(folder);
  }
});

test("the location is exposed only when the operator enables it", async () => {
  await using open = await startStore({ DESCRIBE: "true", EXPOSE_LOCATION: "true" });
  const album = await newAlbum(open);
  await newImage(open, album, "photo", await newPhoto());
  const { exif } = await described(open, imagePath(album, "photo"));
  expect(exif).toEqual({ ...EXIF, location: { latitude: 48.1470507, longitude: 11.1282236 } });
});
