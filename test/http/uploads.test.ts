import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import fc from "fast-check";
import type { Image } from "../../src/domain/image.ts";
import { parseDigests } from "../../src/http/digest.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import {
  codeOf,
  formOf,
  GIF,
  imageNames,
  imagePath,
  newAlbum,
  newImage,
  newPng,
  postForm,
  postImage,
  putContent,
  sha256,
  storedBlobs,
} from "./image-fixtures.ts";

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store, "uploads ✓");
});
afterAll(() => store[Symbol.asyncDispose]());

let made = 0;
const newName = (): string => `image ${++made}.png`;
const eventCount = async (): Promise<number> =>
  (await jsonOf<{ items: unknown[] }>(await store.fetch("/v1/events?limit=1000"))).items.length;

/** Neither a record, nor an event, nor a byte on the disk. */
async function expectNothingStored(attempt: () => Promise<void>): Promise<void> {
  const before = { files: await storedBlobs(store), names: await imageNames(store, album), events: await eventCount() };
  await attempt();
  const after = { files: await storedBlobs(store), names: await imageNames(store, album), events: await eventCount() };
  expect(after).toEqual(before);
}

const statusesOf = (answers: readonly Response[]): number[] =>
  answers.map(({ status }) => status).sort((one, other) => one - other);

const digestOf = (algorithm: "sha-256" | "sha-512", bytes: Uint8Array): string =>
  `${algorithm}=:${createHash(algorithm.replace("-", "")).update(bytes).digest("base64")}:`;

const md5Of = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("base64");

const bytesOfLength = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

describe("Content-Digest", () => {
  test("is read back as it was written, whatever surrounds it", () => {
    const other = fc.constantFrom("", "md5=:YWJj:", "unixsum=:YQ==:;a=1;b", 'crc32c=:AA==:;c="x,y"');
    fc.assert(
      fc.property(
        bytesOfLength(32),
        bytesOfLength(64),
        other,
        fc.constantFrom(",", ", ", " ,\t"),
        (short, long, more, comma) => {
          const members = [`sha-256=:${base64(short)}:`, more, `sha-512=:${base64(long)}:`];
          const value = members.filter((member) => member !== "").join(comma);
          for (const field of ["Content-Digest", "Repr-Digest"]) {
            const digests = parseDigests(new Headers({ [field]: value }));
            expect(digests.map(({ algorithm, digest }) => [algorithm, base64(digest)])).toEqual([
              ["sha256", base64(short)],
              ["sha512", base64(long)],
            ]);
          }
        },
      ),
    );
  });

  test("is parsed or refused soon, for any text", () => {
    const unit = fc.constantFrom(...'sha-256=:;, \t"abcAB09+/*._x\\'.split(""), "sha-256=:", "=:YWJj:", '="');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 3000 }), (field) => {
        try {
          parseDigests(new Headers({ "Content-Digest": field }));
        } catch (error) {
          expect(error).toMatchObject({ code: "invalid_request" });
        }
      }),
      { numRuns: 1000 },
    );
    expect(parseDigests(new Headers())).toEqual([]);
  });
});

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
    const events = await eventCount();
    const response = await putContent(store, album, before.name, png);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(before);
    expect(await eventCount()).toBe(events);
  });

  test("with If-None-Match: * only creates", async () => {
    const name = newName();
    expect((await putContent(store, album, name, newPng(), { "If-None-Match": "*" })).status).toBe(201);
    await expectNothingStored(async () => {
      const again = await putContent(store, album, name, newPng(), { "If-None-Match": "*" });
      expect(again.status).toBe(412);
      expect(await codeOf(again)).toBe("precondition_failed");
    });
  });

  test("with If-Match replaces only those bytes", async () => {
    const image = await newImage(store, album, newName());
    const etag = `"${image.sha256}"`;
    for (const other of [`"${"0".repeat(64)}"`, `W/${etag}`, '"x"']) {
      await expectNothingStored(async () => {
        expect((await putContent(store, album, image.name, newPng(), { "If-Match": other })).status).toBe(412);
      });
    }
    const listed = { "If-Match": `"x", ${etag}` };
    expect((await putContent(store, album, image.name, newPng(), listed)).status).toBe(200);
    expect((await putContent(store, album, image.name, newPng(), listed)).status).toBe(412);
    expect((await putContent(store, album, image.name, newPng(), { "If-Match": "*" })).status).toBe(200);
    await expectNothingStored(async () => {
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
    await expectNothingStored(async () => {
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

const text = Buffer.from("no image at all, whatever its name says");

describe("a refused upload leaves nothing", () => {
  const cases: [string, number, string, Uint8Array<ArrayBuffer>, Record<string, string>][] = [
    ["text called .png", 415, "unsupported_image", text, {}],
    ["SVG", 415, "unsupported_image", Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'/>"), {}],
    ["an image type that is not accepted", 415, "unsupported_image", text, { "Content-Type": "image/svg+xml" }],
    ["a declared type that disagrees", 415, "unsupported_image", newPng(), { "Content-Type": "image/jpeg" }],
    ["a declared type that is no image's", 415, "unsupported_media_type", newPng(), { "Content-Type": "text/plain" }],
    ["JSON", 415, "unsupported_media_type", newPng(), { "Content-Type": "application/json" }],
    ["Content-Encoding", 415, "unsupported_media_type", newPng(), { "Content-Encoding": "gzip" }],
    ["Content-Range", 400, "invalid_request", newPng(), { "Content-Range": "bytes 0-9/100" }],
    ["a PNG that ends in its header", 422, "invalid_image", newPng().subarray(0, 20), {}],
    ["another SHA-256", 422, "digest_mismatch", newPng(), { "Content-Digest": digestOf("sha-256", text) }],
    ["another SHA-512", 422, "digest_mismatch", newPng(), { "Content-Digest": digestOf("sha-512", text) }],
    ["another representation", 422, "digest_mismatch", newPng(), { "Repr-Digest": digestOf("sha-256", text) }],
    ["another MD5", 422, "digest_mismatch", newPng(), { "Content-MD5": md5Of(text) }],
    ["a malformed MD5", 400, "invalid_request", newPng(), { "Content-MD5": "0".repeat(32) }],
    ["a malformed representation digest", 400, "invalid_request", newPng(), { "Repr-Digest": "sha-256=abc" }],
    ["a malformed digest", 400, "invalid_request", newPng(), { "Content-Digest": "sha-256=abc" }],
    ["a digest of another length", 400, "invalid_request", newPng(), { "Content-Digest": "sha-256=:YWJj:" }],
  ];
  test.each(cases)("and is, for %s, %i %s", async (_, status, code, body, headers) => {
    await expectNothingStored(async () => {
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
    await expectNothingStored(async () => {
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
    await expectNothingStored(async () => {
      const contradiction = { ...all, "Content-Digest": digestOf("sha-256", text) };
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
    await expectNothingStored(async () => {
      expect(await codeOf(await send(digestOf("sha-256", png)))).toBe("digest_mismatch");
    });
    expect((await send(digestOf("sha-256", body))).status).toBe(201);
  });

  test("Content-Encoding: identity", async () => {
    const headers = { "Content-Encoding": "identity" };
    expect((await putContent(store, album, newName(), newPng(), headers)).status).toBe(201);
  });
});

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
    await expectNothingStored(async () => {
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
    await expectNothingStored(async () => {
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
        await expectNothingStored(async () => {
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
    const before = await eventCount();
    const form = formOf(Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`${index}.png`, newPng()])));
    const response = await postForm(store, path, form);
    expect(response.status).toBe(201);
    expect((await imageNames(store, path)).length).toBe(100);
    expect(await eventCount()).toBe(before + 100);
  });
});

const key = () => ({ "Idempotency-Key": crypto.randomUUID() });

describe("an Idempotency-Key", () => {
  test("replays the first answer, even after the image changed", async () => {
    const headers = key();
    const name = newName();
    const png = newPng();
    const first = await postImage(store, album, name, png, headers);
    expect(first.headers.has("idempotent-replayed")).toBe(false);
    const image = await jsonOf<Image>(first);
    await store.send("PATCH", image.links.self, { title: "changed" });
    const events = await eventCount();
    const again = await postImage(store, album, name, png, headers);
    expect(again.status).toBe(201);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(again.headers.get("location")).toBe(first.headers.get("location"));
    expect(again.headers.get("etag")).toBe(first.headers.get("etag"));
    expect(await again.json()).toEqual(image);
    expect(await eventCount()).toBe(events);
  });

  test("replays the first answer, even after the album was renamed or deleted", async () => {
    const headers = key();
    const [path, name, png] = [`/v1/albums/${newName()}`, newName(), newPng()];
    const send = (bytes = png, more: Record<string, string> = headers) =>
      store.fetch(`${path}/images?name=${name}`, { method: "POST", body: bytes, headers: more });
    await store.send("PUT", path, {});
    const first = await send();
    const image = await jsonOf<Image>(first);
    const expectReplay = async () => {
      const again = await send();
      expect(again.status).toBe(201);
      expect(again.headers.get("idempotent-replayed")).toBe("true");
      expect(await again.json()).toEqual(image);
      expect(await codeOf(await send(newPng()))).toBe("idempotency_key_reused");
      expect(await eventCount()).toBe(events);
    };
    const renamed = `/v1/albums/${newName()}`;
    await store.send("PATCH", path, { name: renamed.slice("/v1/albums/".length) });
    let events = await eventCount();
    await expectReplay();
    expect(await codeOf(await send(png, key()))).toBe("album_not_found");
    await store.fetch(`${renamed}?recursive=true`, { method: "DELETE" });
    events = await eventCount();
    await expectReplay();
  });

  test("with other content or another name is refused", async () => {
    const headers = key();
    const name = newName();
    const png = newPng();
    expect((await postImage(store, album, name, png, headers)).status).toBe(201);
    for (const response of [
      await postImage(store, album, name, newPng(), headers),
      await postImage(store, album, newName(), png, headers),
    ]) {
      expect(response.status).toBe(422);
      expect(await codeOf(response)).toBe("idempotency_key_reused");
    }
  });

  test("covers a form: its files and records in order, whatever its boundary", async () => {
    const headers = key();
    const [one, two] = [newPng(), newPng()];
    const names = [newName(), newName()] as const;
    const files = { [names[0]]: one, [names[1]]: two };
    const first = await postForm(store, album, formOf(files), headers);
    const again = await postForm(store, album, formOf(files), headers);
    expect(again.status).toBe(201);
    expect(again.headers.get("idempotent-replayed")).toBe("true");
    expect(await again.json()).toEqual(await first.json());
    const reversed = await postForm(store, album, formOf({ [names[1]]: two, [names[0]]: one }), headers);
    expect(await codeOf(reversed)).toBe("idempotency_key_reused");
    const titled = new FormData();
    titled.append("record", '{"title":"other"}');
    for (const [name, bytes] of Object.entries(files)) titled.append("file", new File([bytes], name));
    expect(await codeOf(await postForm(store, album, titled, headers))).toBe("idempotency_key_reused");
  });

  test("used concurrently stores once; the others are replayed or 409 request_in_progress", async () => {
    const headers = key();
    const name = newName();
    const png = newPng(50_000);
    const before = await eventCount();
    const answers = await Promise.all(Array.from({ length: 10 }, () => postImage(store, album, name, png, headers)));
    const bodies = new Set<string>();
    for (const answer of answers) {
      if (answer.status === 201) bodies.add(await answer.text());
      else expect(await codeOf(answer)).toBe("request_in_progress");
    }
    expect(bodies.size).toBe(1);
    expect(await eventCount()).toBe(before + 1);
  });

  test("is free again after a refusal", async () => {
    const headers = key();
    const name = newName();
    expect((await postImage(store, album, name, Buffer.from("no image"), headers)).status).toBe(415);
    expect((await postImage(store, album, name, newPng(), headers)).status).toBe(201);
  });

  test("must be well-formed", async () => {
    const response = await postImage(store, album, newName(), newPng(), { "Idempotency-Key": "with space" });
    expect(await codeOf(response)).toBe("invalid_request");
  });
});
