import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { Image } from "../../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "../harness.ts";
import { codeOf, formOf, GIF, imageNames, newAlbum, newImage, newPng, postForm } from "../image-fixtures.ts";
import { eventCount, expectNothingStored, newName } from "./upload-fixtures.ts";

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store, "uploads ✓");
});
afterAll(() => store[Symbol.asyncDispose]());

const raw = (lines: readonly string[]) => ({
  method: "POST",
  headers: { "Content-Type": "multipart/form-data; boundary=X" },
  body: lines.join("\r\n"),
});
const record = (json: string) => ["--X", 'Content-Disposition: form-data; name="record"', "", json];
const field = (name: string, value: string) => ["--X", `Content-Disposition: form-data; name="${name}"`, "", value];
const file = (name: string) => ["--X", `Content-Disposition: form-data; name="file"; filename="${name}"`, "", "GIF"];

describe("POST of a form", () => {
  test("stores one or several files under their file names, in order", async () => {
    const names = ["b.png", "a.gif", 'ünï ✓ "quoted".png'].map((name) => `${crypto.randomUUID()} ${name}`);
    const form = formOf({ [names[0] ?? ""]: newPng(), [names[1] ?? ""]: GIF, [names[2] ?? ""]: newPng(200_000) });
    const response = await postForm(store, album, form);
    expect(response.status).toBe(201);
    const { items } = await jsonOf<{ items: Image[] }>(response);
    // A quotation mark comes as browsers write it.
    expect(items.map(({ name }) => name)).toEqual(names.map((name) => name.replaceAll('"', "%22")));
    expect(items.map(({ contentType }) => contentType)).toEqual(["image/png", "image/gif", "image/png"]);
    const [, gif] = items;
    expect(Buffer.from(await (await store.fetch(gif?.links.content ?? "")).arrayBuffer())).toEqual(GIF);
  });

  test("accepts a record before each file", async () => {
    const name = newName();
    const form = new FormData();
    form.append("record", JSON.stringify({ name, title: "One", tags: ["x"], metadata: { a: "b" } }));
    form.append("file", new File([newPng()], "ignored/../../name.png"));
    form.append("file", new File([newPng()], `${name} two`));
    form.append("record", new File([JSON.stringify({ description: "three" })], "record.json"));
    form.append("other", new File([newPng()], `${name} three`));
    const { items } = await jsonOf<{ items: Image[] }>(await postForm(store, album, form));
    expect(items).toMatchObject([
      { name, title: "One", tags: ["x"], metadata: { a: "b" } },
      { name: `${name} two`, title: null, tags: [] },
      { name: `${name} three`, description: "three" },
    ]);
  });

  test("has a path of its own that accepts only forms", async () => {
    const name = newName();
    const body = formOf({ [name]: newPng() });
    const response = await store.fetch(`${album}/forms`, { method: "POST", body });
    expect(response.status).toBe(201);
    const { items } = await jsonOf<{ items: Image[] }>(response);
    expect(items.map((image) => image.name)).toEqual([name]);
    for (const type of ["image/png", "application/octet-stream", "application/json"]) {
      const headers = { "Content-Type": type };
      const refused = await store.fetch(`${album}/forms`, { method: "POST", headers, body: newPng() });
      expect([refused.status, await codeOf(refused)]).toEqual([415, "unsupported_media_type"]);
    }
    const named = await store.fetch(`${album}/forms?name=x`, { method: "POST", body: formOf({ x: newPng() }) });
    expect(await codeOf(named)).toBe("unknown_parameter");
  });

  test("removes directories from file names", async () => {
    const unique = crypto.randomUUID();
    const form = formOf({ [`../../${unique}.png`]: newPng() });
    const { items } = await jsonOf<{ items: Image[] }>(await postForm(store, album, form));
    expect(items.map(({ name }) => name)).toEqual([`${unique}.png`]);
  });

  const forms: [string, number, string, readonly string[]][] = [
    ["no file", 400, "empty_body", ["--X--"]],
    ["text alone", 400, "empty_body", ["--X", "Content-Disposition: form-data; name=file", "", "b", "--X--"]],
    ["a file that was not chosen", 400, "empty_body", [...file("").toSpliced(3, 1, ""), "--X--"]],
    ["a title that is too long", 400, "invalid_request", [...field("title", "x".repeat(201)), ...file("a"), "--X--"]],
    ["a bad name in a field", 400, "invalid_name", [...file("a"), ...field("name", "a/b"), "--X--"]],
    ["metadata that is no JSON", 400, "invalid_request", [...field("metadata", "{"), ...file("a"), "--X--"]],
    ["two titles", 400, "invalid_request", [...field("title", "a"), ...field("title", "b"), ...file("a"), "--X--"]],
    ["a field that is too long", 413, "too_large", [...field("title", "x".repeat(70_000)), ...file("a"), "--X--"]],
    ["a record without a file", 400, "invalid_request", [...record("{}"), "--X--"]],
    ["two records for a file", 400, "invalid_request", [...record("{}"), ...record("{}"), ...file("a"), "--X--"]],
    ["a record that is no JSON", 400, "invalid_request", [...record("{"), ...file("a"), "--X--"]],
    ["a record with a field that is not known", 400, "invalid_request", [...record('{"a":1}'), ...file("a"), "--X--"]],
    ["a record with a bad name", 400, "invalid_name", [...record('{"name":"a/b"}'), ...file("a"), "--X--"]],
    [
      "a record that is too long",
      413,
      "too_large",
      [...record(`{"title":"${"x".repeat(70_000)}"}`), ...file("a"), "--X--"],
    ],
    ["a file without a name", 400, "invalid_name", [...file(""), "--X--"]],
    [
      "a part of another type",
      415,
      "unsupported_media_type",
      [...file("a").toSpliced(2, 0, "Content-Type: text/plain"), "--X--"],
    ],
    ["no end", 400, "invalid_request", file("a")],
    ["no form", 400, "invalid_request", ["nothing"]],
  ];
  test.each(forms)("with %s is %i %s", async (_, status, code, lines) => {
    await expectNothingStored(store, album, async () => {
      const response = await store.fetch(`${album}/images`, raw(lines));
      expect(response.status).toBe(status);
      expect(await codeOf(response)).toBe(code);
    });
  });

  test.each(["", "; boundary=", `; boundary=${"x".repeat(71)}`, "; boundary=a;boundary=b", '; boundary="a'])(
    "with a Content-Type that ends in %p is 400",
    async (end) => {
      const headers = { "Content-Type": `multipart/form-data${end}` };
      const response = await store.fetch(`${album}/images`, { method: "POST", headers, body: "--a--" });
      expect(await codeOf(response)).toBe("invalid_request");
    },
  );

  test("refuses a name in the query and two equal names", async () => {
    const form = formOf({ a: newPng() });
    const named = await store.fetch(`${album}/images?name=a`, { method: "POST", body: form });
    expect(await codeOf(named)).toBe("invalid_request");
    const twice = new FormData();
    twice.append("file", new File([newPng()], "é".normalize("NFC")));
    twice.append("file", new File([newPng()], "é".normalize("NFD")));
    await expectNothingStored(store, album, async () => {
      const response = await postForm(store, album, twice);
      expect(response.status).toBe(400);
      expect(await codeOf(response)).toBe("invalid_request");
    });
  });

  test("stores all images or none, and reports the refused one", async () => {
    const taken = await newImage(store, album, newName());
    const bad: [string, Uint8Array<ArrayBuffer>, string][] = [
      ["bad.png", Buffer.from("no image"), "unsupported_image"],
      ["empty.png", Buffer.alloc(0), "empty_body"],
      ["broken.png", newPng().subarray(0, 20), "invalid_image"],
      [taken.name, newPng(), "image_exists"],
    ];
    for (const [name, bytes, code] of bad) {
      for (const place of [0, 1, 2]) {
        const files = [newPng(), newPng()].map((png) => [newName(), png] as [string, Uint8Array<ArrayBuffer>]);
        await expectNothingStored(store, album, async () => {
          const form = formOf(Object.fromEntries(files.toSpliced(place, 0, [name, bytes])));
          expect({ name, place, code: await codeOf(await postForm(store, album, form)) }).toEqual({
            name,
            place,
            code,
          });
        });
      }
    }
  });

  test("is one change with an event per image", async () => {
    const path = await newAlbum(store);
    const before = await eventCount(store);
    const form = formOf(Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`${index}.png`, newPng()])));
    const response = await postForm(store, path, form);
    expect(response.status).toBe(201);
    expect((await imageNames(store, path)).length).toBe(100);
    expect(await eventCount(store)).toBe(before + 100);
  });
});
