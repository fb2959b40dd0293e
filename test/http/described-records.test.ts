import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Description, Exif, Image } from "../../src/domain/image.ts";
import type { Catalog } from "../../src/ports.ts";
import { UNDESCRIBED } from "../catalog-changes.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { codeOf, newAlbum, newImage, newPng, postForm, putContent } from "./image-fixtures.ts";

let store: TestStore;
/** Beside the server's, for what a worker does. */
let catalog: Catalog;
beforeAll(async () => {
  store = await startStore({ DESCRIBE: "false" });
  catalog = await store.openCatalog();
});
afterAll(async () => {
  await catalog[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

const descriptionWith = (exif: Exif | null): Description => ({
  placeholder: "1QcSHQRnh493V4dIh4eXh1h4kJUI",
  dominantColour: "#5a7d9a",
  exif,
  decodable: true,
  decodeError: null,
});

async function describeImage({ id, album }: Image, description: Description): Promise<void> {
  const [found] = (await catalog.undescribedImages({ limit: 1000, order: "newest" })).filter(
    ({ imageId }) => imageId === id,
  );
  const { blobKey } = found ?? { blobKey: "it has a description" };
  expect(await catalog.write({ type: "describeImage", imageId: id, blobKey, description })).toEqual({ applied: true });
  // What a server remembers of records ends with a write of its own, as its own description is. This one changes nothing.
  expect((await store.send("PUT", `/v1/albums/${encodeURIComponent(album)}`, {})).status).toBe(200);
}

const record = async (image: Image) => {
  const response = await store.fetch(image.links.self);
  return { etag: response.headers.get("etag") ?? "", image: await jsonOf<Image>(response) };
};

describe("a description", () => {
  test("appears in the record, in listings and in an event; the ETag changes and the revision does not", async () => {
    const album = await newAlbum(store);
    const created = await newImage(store, album, "a");
    expect(created).toMatchObject({ ...UNDESCRIBED, focalPoint: null });
    const before = await record(created);
    const { nextCursor } = await jsonOf<{ nextCursor: string }>(await store.fetch("/v1/events?after=latest"));

    const description = descriptionWith({ camera: "X100", iso: 160, location: { latitude: 46.5, longitude: -7.25 } });
    await describeImage(created, description);
    const after = await record(created);
    expect(after.image).toEqual({ ...created, described: true, ...description });
    expect(after.etag).not.toBe(before.etag);
    expect((await store.fetch(created.links.self, { headers: { "If-None-Match": before.etag } })).status).toBe(200);
    const { items } = await jsonOf<{ items: unknown[] }>(await store.fetch(`${album}/images`));
    expect(items).toEqual([after.image]);
    const events = await jsonOf<{ items: object[] }>(await store.fetch(`/v1/events?after=${nextCursor}&wait=5`));
    expect(events.items).toMatchObject([
      { type: "imagestore.image.updated", data: { ...after.image, reason: "described" } },
    ]);
    // No edit is lost to it.
    const patch = await store.send("PATCH", created.links.self, { title: "x" }, { "If-Match": before.etag });
    expect([patch.status, (await jsonOf<Image>(patch)).revision]).toEqual([200, 2]);
  });

  test("is kept with equal bytes and replaced with new ones; user fields stay", async () => {
    const album = await newAlbum(store);
    const png = newPng();
    const image = await newImage(store, album, "a", png);
    const broken: Description = {
      placeholder: null,
      dominantColour: null,
      exif: null,
      decodable: false,
      decodeError: "cut off",
    };
    await describeImage(image, broken);
    const focalPoint = { x: 0.25, y: 0.75 };
    await store.send("PATCH", image.links.self, { focalPoint });
    await putContent(store, album, "a", png);
    expect((await record(image)).image).toMatchObject({ described: true, ...broken, focalPoint, revision: 2 });
    await putContent(store, album, "a", newPng());
    expect((await record(image)).image).toMatchObject({ ...UNDESCRIBED, focalPoint, revision: 3 });
  });
});

describe("a focal point", () => {
  test("is set by PATCH with four decimals and removed by null", async () => {
    const { links } = await newImage(store, await newAlbum(store), "a");
    const patched = async (focalPoint: unknown) => jsonOf<Image>(await store.send("PATCH", links.self, { focalPoint }));
    expect(await patched({ x: 1 / 3, y: 1 })).toMatchObject({ focalPoint: { x: 0.3333, y: 1 }, revision: 2 });
    expect(await patched({ y: 1, x: 0.33334 })).toMatchObject({ focalPoint: { x: 0.3333, y: 1 }, revision: 2 });
    expect(await patched({ x: -0, y: 0 })).toMatchObject({ focalPoint: { x: 0, y: 0 }, revision: 3 });
    expect(await patched({ x: 0, y: 0 })).toMatchObject({ revision: 3 });
    expect(await patched(null)).toMatchObject({ focalPoint: null, revision: 4 });
  });

  test("can be given in an upload's record", async () => {
    const album = await newAlbum(store);
    const form = new FormData();
    form.append("record", '{"focalPoint":{"x":0.123456,"y":0}}');
    form.append("file", new File([newPng()], "a"));
    const { items } = await jsonOf<{ items: Image[] }>(await postForm(store, album, form));
    expect(items.map(({ focalPoint }) => focalPoint)).toEqual([{ x: 0.1235, y: 0 }]);
  });

  test.each([
    [{ x: 0.5 }, "/focalPoint/y"],
    [{ x: 1.0001, y: 0 }, "/focalPoint/x"],
    [{ x: 0, y: -0.1 }, "/focalPoint/y"],
    [{ x: "0", y: 0 }, "/focalPoint/x"],
    [{ x: 0, y: 0, z: 0 }, "/focalPoint"],
    [[0, 0], "/focalPoint"],
    ["centre", "/focalPoint"],
  ])("%j is refused", async (focalPoint, pointer) => {
    const { links } = await newImage(store, await newAlbum(store), "a");
    const response = await store.send("PATCH", links.self, { focalPoint });
    expect(response.status).toBe(400);
    const { code, errors } = await jsonOf<{ code: string; errors: { pointer: string }[] }>(response);
    expect(code).toBe("invalid_request");
    expect(errors[0]?.pointer).toStartWith(pointer);
  });
});

describe("a listing by takenAt", () => {
  const TAKEN_AT = {
    old: "1936-05-01T12:00:00",
    "no offset": "2026-07-14T08:00:00",
    "in Berlin": "2026-07-14T09:30:00+02:00",
    unknown: undefined,
  };
  let album: string;
  beforeAll(async () => {
    album = await newAlbum(store, "taken");
    for (const [name, takenAt] of Object.entries(TAKEN_AT)) {
      const image = await newImage(store, album, name);
      await describeImage(image, descriptionWith(takenAt === undefined ? null : { takenAt }));
    }
    await newImage(store, album, "undescribed");
  });

  async function namesOf(query: string): Promise<string[]> {
    const names: string[] = [];
    for (let next: string | undefined = `${album}/images?${query}`; next !== undefined; ) {
      const response = await store.fetch(next);
      const page = await jsonOf<{ items: Image[] }>(response);
      names.push(...page.items.map(({ name }) => name));
      next = /^<([^>]+)>/.exec(response.headers.get("link") ?? "")?.[1];
    }
    return names;
  }

  const tokenOf = async (query: string) =>
    (await jsonOf<{ nextPageToken: string }>(await store.fetch(`${album}/images?pageSize=1&${query}`))).nextPageToken;

  test("is ordered by the moment, and images without one come last in both directions", async () => {
    for (const pageSize of [1, 2, 3, 4, 5, 50]) {
      expect(await namesOf(`orderBy=takenAt&pageSize=${pageSize}`)).toEqual([
        "old",
        "in Berlin",
        "no offset",
        "undescribed",
        "unknown",
      ]);
      expect(await namesOf(`orderBy=-takenAt&pageSize=${pageSize}`)).toEqual([
        "no offset",
        "in Berlin",
        "old",
        "unknown",
        "undescribed",
      ]);
    }
  });

  test("is filtered by moments, exclusively, in each order", async () => {
    for (const order of ["takenAt", "-takenAt", "name", "-updatedAt"]) {
      const cut = async (query: string) => (await namesOf(`orderBy=${order}&pageSize=2&${query}`)).toSorted();
      expect(await cut("takenAfter=2026-07-14T07:30:00Z")).toEqual(["no offset"]);
      expect(await cut("takenAfter=2026-07-14T09:29:59.999%2B02:00")).toEqual(["in Berlin", "no offset"]);
      expect(await cut("takenBefore=2026-07-14T07:30:00Z")).toEqual(["old"]);
      expect(await cut("takenAfter=1900-01-01T00:00:00Z&takenBefore=2000-01-01T00:00:00Z")).toEqual(["old"]);
    }
  });

  test("has page tokens of its own", async () => {
    const refused = [
      `orderBy=createdAt&pageToken=${await tokenOf("orderBy=takenAt")}`,
      `orderBy=-takenAt&pageToken=${await tokenOf("orderBy=takenAt")}`,
      `orderBy=takenAt&takenAfter=2020-01-01T00:00:00Z&pageToken=${await tokenOf("orderBy=takenAt")}`,
      `orderBy=takenAt&pageToken=${await tokenOf("orderBy=name")}`,
    ];
    const own = JSON.parse(Buffer.from(await tokenOf("orderBy=takenAt"), "base64url").toString()) as unknown[];
    for (const key of [null, 0.5, true, [1]]) {
      const forged = Buffer.from(JSON.stringify(own.with(2, key))).toString("base64url");
      refused.push(`orderBy=takenAt&pageToken=${forged}`);
    }
    for (const query of refused)
      expect(await codeOf(await store.fetch(`${album}/images?${query}`))).toBe("invalid_page_token");
  });

  test.each([
    "/v1/albums?orderBy=takenAt",
    "/v1/albums?takenAfter=2026-01-01T00:00:00Z",
    "/v1/images?takenAfter=today",
  ])("with %s is refused", async (path) => {
    expect((await store.fetch(path)).status).toBe(400);
  });
});
