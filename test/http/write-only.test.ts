import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import fc from "fast-check";
import { describeApi } from "../../src/app.ts";
import type { Image } from "../../src/domain/image.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { formOf, newPng } from "./image-fixtures.ts";
import { testKeys } from "./test-keys.ts";

/** A key that may write and delete, and must not read: no answer tells it what is stored. */

interface Operation {
  readonly operationId: string;
  readonly security: readonly { readonly apiKey?: readonly string[] }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: object }>> };
  readonly responses: Readonly<Record<string, { readonly content?: object; readonly headers?: object }>>;
}
const { paths } = JSON.parse(describeApi()) as { paths: Record<string, Record<string, Operation>> };
const writes = Object.entries(paths).flatMap(([path, item]) =>
  Object.entries(item)
    .filter(([, { security }]) => {
      const rights = security[0]?.apiKey ?? [];
      return rights.length > 0 && rights.every((right) => right === "write" || right === "delete");
    })
    .map(([method, operation]) => [`${method.toUpperCase()} ${path}`, operation] as const),
);

const { API_KEYS, bearer } = testKeys({ writer: "write+delete", owner: "read+write+delete" });

const STORED = "what-was-stored";
const fields = { title: STORED, description: STORED, metadata: { [STORED]: STORED } };

let store: TestStore;
beforeAll(async () => {
  store = await startStore({ API_KEYS });
});
afterAll(() => store[Symbol.asyncDispose]());

/** An album and an image in it with something to tell, made anew, since what is tried may change or delete them. */
async function seed(): Promise<{ image: Image; bytes: Buffer<ArrayBuffer>; tags: readonly string[] }> {
  await store.fetch("/v1/albums/kept?recursive=true", { method: "DELETE", headers: bearer("owner") });
  const album = await store.send("PUT", "/v1/albums/kept", fields, bearer("owner"));
  const bytes = newPng();
  const content = "/v1/albums/kept/images/kept/content";
  const put = await store.fetch(content, { method: "PUT", headers: bearer("owner"), body: bytes });
  const patched = await store.send(
    "PATCH",
    "/v1/albums/kept/images/kept",
    { ...fields, tags: [STORED] },
    bearer("owner"),
  );
  const tags = [album, put, patched].map(({ headers }) => headers.get("etag") ?? "");
  return { image: await jsonOf<Image>(patched), bytes, tags };
}

/** The requests that fit an operation: each JSON body of its documentation, that with the stored digest, `{}`, bytes, a form. */
function requestsFor(operation: Operation, bytes: Buffer<ArrayBuffer>, sha256: string): readonly RequestInit[] {
  return Object.entries(operation.requestBody?.content ?? { none: {} }).flatMap(
    ([type, { example }]): RequestInit[] => {
      if (type === "none") return [{}];
      if (type.endsWith("json"))
        return [{}, example ?? {}, ...("sha256" in (example ?? {}) ? [{ ...example, sha256 }] : [])].map((body) => ({
          body: JSON.stringify(body),
          headers: { "Content-Type": type },
        }));
      if (type === "multipart/form-data") return [{ body: formOf({ [crypto.randomUUID()]: newPng() }) }];
      return [newPng(), bytes].map((body) => ({ body, headers: { "Content-Type": type } }));
    },
  );
}

describe.each(writes)("%s", (name, operation) => {
  const [method = "", template = ""] = name.split(" ");

  test("reveals nothing of what is stored to a key without the read right", async () => {
    let done = 0;
    let changed = false;
    let { image, bytes, tags } = await seed();
    const conditions = () =>
      [undefined, "*", ...tags, `"${image.sha256}"`].flatMap((tag) => [{ "If-Match": tag }, { "If-None-Match": tag }]);
    for (let index = 0; index < conditions().length; index++) {
      for (const suffix of ["", "?recursive=true", `?name=${crypto.randomUUID()}`]) {
        for (const init of requestsFor(operation, bytes, image.sha256)) {
          if (changed) ({ image, bytes, tags } = await seed());
          const condition = Object.fromEntries(
            Object.entries(conditions()[index] ?? {}).filter(([, tag]) => tag !== undefined),
          );
          const headers = { ...(init.headers as Record<string, string>), ...condition, ...bearer("writer") };
          const path = template.replaceAll("{id}", image.id).replaceAll(/\{\w+\}/g, "kept");
          const response = await store.fetch(path + suffix, { method, ...init, headers });
          const text = await response.text();
          expect([name, headers, response.status < 500]).toEqual([name, headers, true]);
          expect(text).not.toContain(STORED);
          const isTheirs = init.body === bytes;
          if (!isTheirs) expect(text).not.toContain(image.sha256);
          changed = response.status < 300;
          if (!changed) continue;
          done++;
          // What was not there before holds nothing but what was sent.
          if (response.status === 201) continue;
          expect([name, response.status, text]).toEqual([name, 204, ""]);
          const told = response.headers.get("etag") ?? "";
          if (told !== "") expect(told).toMatch(/^"([\da-f-]{36}\.\d+\.-|[\da-f]{64})"$/);
        }
      }
    }
    // It takes bytes that the caller may read, and this one reads nothing.
    if (operation.operationId === "createKnownImage") expect(done).toBe(0);
    else expect(done).toBeGreaterThan(0);
  });

  test("documents the answer without a record", () => {
    const changed = operation.responses["200"] ?? operation.responses["202"];
    if (changed?.content === undefined) return;
    expect(Object.keys(operation.responses)).toContain("204");
    expect(operation.responses["204"]?.content).toBeUndefined();
  });
});

/** Texts that fill what a field may have, in part or nearly. */
const storedFields = fc.record({
  title: fc.nat(200).map((length) => "t".repeat(length)),
  description: fc.nat(4096).map((length) => '"'.repeat(length)),
  metadata: fc
    .tuple(fc.integer({ min: 1, max: 64 }), fc.nat(7000))
    .map(([keys, bytes]) =>
      Object.fromEntries(Array.from({ length: keys }, (_, key) => [`k${key}`, "m".repeat(bytes / keys)])),
    ),
});
const tagsOf = (unit: string) =>
  fc.nat(64).map((count) => Array.from({ length: count }, (_, tag) => `${tag}${unit.repeat(60)}`));
const storedTags = tagsOf("x");
const patches = fc.record(
  {
    title: fc.option(storedFields.map(({ title }) => title)),
    description: fc.option(storedFields.map(({ description }) => description)),
    metadata: fc.oneof(
      fc.constant(null),
      storedFields.map(({ metadata }) => metadata),
      fc.constantFrom({ k0: null }, { other: null }, { k0: "x" }, { other: "x" }),
    ),
  },
  { requiredKeys: [] },
);

/** What an answer tells, apart from its ETag, which counts changes. */
const answerTo = async (album: string, path: string, method: string, body: object) => {
  const response = await store.send(method, `/v1/albums/${album}${path}`, body, bearer("writer"));
  const text = await response.text();
  const problem = text === "" ? undefined : { ...(JSON.parse(text) as object), requestId: undefined };
  const headers = [...response.headers.keys()].filter((name) => name !== "content-length");
  return { status: response.status, headers, problem };
};

test("the answer to a change by a key without read is the same whatever is stored", async () => {
  const bytes = newPng();
  const seen = new Set<number>();
  await fc.assert(
    fc.asyncProperty(
      fc.tuple(storedFields, storedFields),
      fc.tuple(storedTags, storedTags),
      patches,
      fc.oneof(tagsOf("x"), tagsOf("😀")),
      async (stored, tags, patch, newTags) => {
        for (const [index, album] of ["one", "two"].entries()) {
          const set = (method: string, path: string, body: unknown) =>
            store.send(method, `/v1/albums/${album}${path}`, body, bearer("owner"));
          expect((await set("PUT", "", stored[index])).status).toBeLessThan(300);
          const content = `/v1/albums/${album}/images/i/content`;
          await store.fetch(content, { method: "PUT", headers: bearer("owner"), body: bytes });
          await set("PATCH", "/images/i", { metadata: null });
          expect((await set("PATCH", "/images/i", { ...stored[index], tags: tags[index] })).status).toBe(200);
        }
        for (const [method, path, body] of [
          ["PATCH", "/images/i", { ...patch, tags: newTags }],
          ["PATCH", "/images/i", patch],
          ["PATCH", "", patch],
          ["PUT", "", { ...patch, metadata: {} }],
        ] as const) {
          const answer = await answerTo("one", path, method, body);
          expect(await answerTo("two", path, method, body)).toEqual(answer);
          seen.add(answer.status);
        }
      },
    ),
    { numRuns: 60 },
  );
  expect(seen).toEqual(new Set([204, 400, 403]));
});

const patch = (title: string, headers: Record<string, string> = {}) =>
  store.send("PATCH", "/v1/albums/kept", { title }, { ...bearer("writer"), ...headers });

test("the ETag of an answer without a record works in If-Match", async () => {
  await seed();
  const first = (await patch("one")).headers.get("etag") ?? "";
  expect((await patch("two", { "If-Match": first })).status).toBe(204);
  expect((await patch("three", { "If-Match": first })).status).toBe(412);
});

test("a date condition is refused to a key without read, since it would reveal when a record changed", async () => {
  await seed();
  for (const date of ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 2094 08:49:37 GMT"]) {
    const response = await patch("x", { "If-Unmodified-Since": date });
    expect([date, response.status, await response.json()]).toMatchObject([date, 403, { missing: ["read"] }]);
  }
});

test("a digest condition is refused to a key without read, since it would reveal which bytes are stored", async () => {
  const { image } = await seed();
  for (const condition of ["If-Match", "If-None-Match"]) {
    for (const tag of [`"${image.sha256}"`, `"${"0".repeat(64)}"`]) {
      const response = await store.fetch("/v1/albums/kept/images/kept/content", {
        method: "PUT",
        body: newPng(),
        headers: { ...bearer("writer"), [condition]: tag },
      });
      expect([response.status, await response.json()]).toMatchObject([403, { code: "forbidden", missing: ["read"] }]);
    }
  }
});
