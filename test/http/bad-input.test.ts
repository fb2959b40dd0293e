import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { checker, jsonOf, startStore, type TestStore } from "./harness.ts";
import {
  codeOf,
  imageNames,
  newAlbum,
  newImage,
  newPng,
  postImage,
  putContent,
  storedBlobs,
} from "./image-fixtures.ts";

interface Problem {
  readonly code: string;
  readonly errors?: readonly { readonly pointer?: string; readonly parameter?: string }[];
}
interface Names {
  readonly items: readonly { readonly name: string }[];
}

let store: TestStore;
beforeAll(async () => {
  store = await startStore();
});
afterAll(() => store[Symbol.asyncDispose]());

/** Sends these very bytes, for what fetch would tidy up. The answer is checked against openapi.json. */
async function send(method: string, target: string, lines: readonly string[] = []): Promise<Response> {
  const head = [`${method} ${target} HTTP/1.1`, `Host: localhost:${store.port}`, "Connection: close", ...lines];
  const { text } = await store.sendRaw(Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"));
  const [top = "", body = ""] = text.split(/\r\n\r\n(.*)/s);
  const [status = "", ...fields] = top.split("\r\n");
  const headers = fields.map((field) => field.split(/: (.*)/s).slice(0, 2) as [string, string]);
  const response = new Response(body === "" ? null : Buffer.from(body, "latin1"), {
    status: Number(status.split(" ")[1]),
    headers,
  });
  await checker.check(method, target.split("?", 1)[0] ?? "", response);
  return response;
}

describe("a request target", () => {
  test("with invalid UTF-8 is invalid_name, so two such names never mean one image", async () => {
    const album = await newAlbum(store);
    for (const name of ["\xe8.png", "\xe9.png", "%EF%BF%BD.png"]) {
      for (const [method, target] of [
        ["GET", `${album}/images/${name}`],
        ["PUT", `${album}/images/${name}/content`],
        ["POST", `${album}/images?name=${name}`],
      ] as const) {
        const response = await send(method, target);
        expect([target, response.status, await codeOf(response)]).toEqual([target, 400, "invalid_name"]);
      }
    }
    const response = await putContent(store, album, "\ufffd.png", newPng());
    expect(await codeOf(response)).toBe("invalid_name");
    expect(await imageNames(store, album)).toEqual([]);
  });

  test("in unescaped UTF-8 equals its escaped form", async () => {
    const album = await newAlbum(store, "ключ");
    for (const name of ["a", "b"]) await newImage(store, album, name);
    const raw = Buffer.from("/v1/albums/ключ/images?pageSize=1").toString("latin1");
    const page = await send("GET", raw);
    expect(page.status).toBe(200);
    expect(page.headers.get("link")).toStartWith(`<${album}/images?pageSize=1&pageToken=`);
  });

  test("of any bytes is never a 500, whatever port Host has", async () => {
    const album = await newAlbum(store, "Ā");
    for (const name of ["a", "b"]) await newImage(store, album, name);
    const target = Buffer.from("/v1/albums/Ā/images?pageSize=1").toString("latin1");
    const head = `GET ${target} HTTP/1.1\r\nHost: localhost:99999\r\nConnection: close\r\n\r\n`;
    const { text } = await store.sendRaw(Buffer.from(head, "latin1"));
    expect(text).toStartWith("HTTP/1.1 400 ");
    expect(text).toContain('"code":"invalid_host"');
  });
});

describe("a query", () => {
  test("with an unknown parameter is refused for its name, whatever the value", async () => {
    for (const path of ["/v1/albums", "/v1/images", "/v1/events", "/v1/cursors", "/healthz", "/metrics", "/docs"]) {
      for (const search of ["name=%ff", "name=%zz", "x=%ff"]) {
        const response = await store.fetch(`${path}?${search}`);
        expect([path, search, await codeOf(response)]).toEqual([path, search, "unknown_parameter"]);
      }
      const response = await store.fetch(`${path}?%ff=1`);
      expect([path, response.status, await codeOf(response)]).toEqual([path, 400, "invalid_request"]);
    }
  });

  test("accepts the prefix of a name in any Unicode form", async () => {
    await store.send("POST", "/v1/albums", { name: "Ångström" });
    for (const form of ["NFC", "NFD"]) {
      const { items } = await jsonOf<Names>(
        await store.fetch(`/v1/albums?q=${encodeURIComponent("Ång".normalize(form))}`),
      );
      expect(items.map(({ name }) => name)).toEqual(["Ångström"]);
    }
  });

  test("accepts an id in any case", async () => {
    const { id } = await jsonOf<{ id: string }>(await store.send("POST", "/v1/albums", { name: "case" }));
    for (const albumId of [id, id.toUpperCase()]) {
      const { items } = await jsonOf<{ items: unknown[] }>(await store.fetch(`/v1/events?albumId=${albumId}`));
      expect(items.length).toBe(1);
    }
  });
});

describe("a JSON body", () => {
  test("with thousands of faults is refused with the first hundred of them", async () => {
    const wrong = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, 1]));
    for (const body of [wrong, { name: "a", metadata: wrong }]) {
      const response = await store.send("POST", "/v1/albums", body);
      const text = await response.text();
      expect(text.length).toBeLessThan(20_000);
      const { code, errors } = JSON.parse(text) as Problem;
      expect(code).toBe("invalid_request");
      expect(errors?.length).toBe(100);
      expect(errors?.at(-1)?.pointer).toMatch(/\/k\d\d$/);
    }
  });

  test("that does not match its digest is 422 and changes nothing", async () => {
    const digest = { "Content-Digest": `sha-256=:${Buffer.alloc(32).toString("base64")}:` };
    for (const [method, path] of [
      ["POST", "/v1/albums"],
      ["PUT", "/v1/albums/digested"],
    ] as const) {
      const response = await store.send(method, path, { name: "digested" }, digest);
      expect([response.status, await codeOf(response)]).toEqual([422, "digest_mismatch"]);
    }
    expect((await store.fetch("/v1/albums/digested")).status).toBe(404);
  });

  test("that is compressed is 415, and the message asks for JSON", async () => {
    const headers = { "Content-Type": "application/json", "Content-Encoding": "gzip" };
    const body = Bun.gzipSync(Buffer.from('{"name":"packed"}'));
    const response = await store.fetch("/v1/albums", { method: "POST", headers, body });
    expect(response.status).toBe(415);
    expect(await jsonOf<object>(response)).toMatchObject({
      code: "unsupported_media_type",
      detail: "A JSON body must not be compressed. Send it without a Content-Encoding.",
      errors: [{ parameter: "Content-Encoding" }],
    });
  });

  test("that is not an object is refused as a patch", async () => {
    const path = await newAlbum(store);
    for (const body of [null, [], "x", 5, { name: null }, { metadata: { a: { b: null } } }, { metadata: [] }]) {
      const response = await store.send("PATCH", path, body);
      expect([body, await codeOf(response)]).toEqual([body, "invalid_request"]);
    }
  });
});

describe("request headers", () => {
  test("an empty Accept accepts anything, and an empty Last-Event-ID is ignored", async () => {
    const list = await send("GET", "/v1/events?limit=1", ["Accept: "]);
    expect(list.status).toBe(200);
    const controller = new AbortController();
    const stream = await store.fetch("/v1/events/stream?after=latest", {
      headers: { "Last-Event-ID": "" },
      signal: controller.signal,
    });
    expect(stream.status).toBe(200);
    controller.abort();
  });

  test("an If-Match without a valid tag fails", async () => {
    const album = await newAlbum(store);
    const { links } = await newImage(store, album, "a");
    for (const [field, status] of [
      ["", 412],
      [",", 412],
      ["W/*", 400],
      ["a", 400],
      ['"a" "b"', 400],
      ['*, "a"', 400],
    ] as const) {
      for (const target of [album, links.self, `${links.self}/content`, links.content]) {
        const response = await send("GET", target, [`If-Match: ${field}`]);
        expect([target, field, response.status]).toEqual([target, field, status]);
      }
      const deletion = await send("DELETE", links.self, [`If-Match: ${field}`]);
      expect([field, deletion.status]).toEqual([field, status]);
    }
    expect((await store.fetch(links.self)).status).toBe(200);
    const missing = await send("DELETE", `${album}/images/none`, ["If-Match: *"]);
    expect([missing.status, await codeOf(missing)]).toEqual([404, "image_not_found"]);
  });
});

test("a refused request changes nothing", async () => {
  const album = await newAlbum(store);
  const before = await storedBlobs(store);
  const wrong = { "Content-Digest": `sha-512=:${Buffer.alloc(64).toString("base64")}:` };
  const answers = [
    await postImage(store, album, "a", newPng(), wrong),
    await postImage(store, album, "a", newPng(), { "Content-Type": "image/svg+xml" }),
    await postImage(store, album, "a", newPng(), { "Idempotency-Key": "a b" }),
    await putContent(store, album, "a", newPng(), { "If-Match": "*" }),
    await putContent(store, album, "a", newPng(), { "Content-Digest": "sha-256=x" }),
  ];
  expect(answers.map(({ status }) => status)).toEqual([422, 415, 400, 412, 400]);
  expect(await storedBlobs(store)).toEqual(before);
  expect(await imageNames(store, album)).toEqual([]);
});
