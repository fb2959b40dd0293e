import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newAlbum, newImage } from "./image-fixtures.ts";

interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer?: string; readonly parameter?: string; readonly detail: string }[];
}

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store);
});
afterAll(() => store[Symbol.asyncDispose]());

describe("the message of an invalid query names the accepted values", () => {
  test.each([
    [
      "/v1/albums?orderBy=size",
      "orderBy",
      'must be one of name, -name, createdAt, -createdAt, updatedAt, -updatedAt, not "size"',
    ],
    ["/v1/albums?pageSize=0", "pageSize", "must be a whole number from 1 to 1000"],
    [
      "/v1/images?createdAfter=yesterday",
      "createdAfter",
      'must be a time such as 2026-07-14T09:30:00Z, not "yesterday"',
    ],
    ["/v1/events?albumId=x", "albumId", 'must be a UUID, not "x"'],
    [
      "/v1/events?type=image.made",
      "type",
      "must be one of album.created, album.updated, album.deleted, image.created, image.updated, image.deleted, " +
        "key.created, key.updated, key.revoked, share.created, share.revoked, ticket.created, ticket.revoked, quota.updated, cursor.rewound, " +
        'webhook.created, webhook.updated, webhook.deleted, webhook.disabled, webhook.replayed, not "image.made"',
    ],
    ["/v1/albums?orderby=name", "orderby", "is unknown: must be one of pageSize, pageToken, orderBy, q"],
    ["/healthz?x=1", "x", "is unknown: this route takes no parameters"],
    ["/v1/albums?q=a&q=b", "q", "may be given only once"],
  ])("of %s", async (path, parameter, detail) => {
    const response = await store.fetch(path);
    expect(response.status).toBe(400);
    const problem = await jsonOf<Problem>(response);
    expect(problem.errors).toEqual([{ parameter, detail }]);
    // Many clients show nothing else.
    expect(problem.detail).toContain(parameter);
  });

  test("of a variant", async () => {
    const { links } = await newImage(store, album, "a.png");
    const fits = (query: string) => store.fetch(`${links.content}?${query}`).then(jsonOf<Problem>);
    expect((await fits("w=320&h=320&fit=stretch")).errors).toEqual([
      { parameter: "fit", detail: 'must be one of cover, contain, fill, inside, not "stretch"' },
    ]);
    expect((await fits("preset=huge")).errors).toEqual([
      { parameter: "preset", detail: 'must be one of thumb, small, medium, large, not "huge"' },
    ]);
    expect((await fits("w=320&frame=1")).errors).toEqual([{ parameter: "frame", detail: 'must be 0, not "1"' }]);
    expect((await fits("strip=all")).errors).toEqual([{ parameter: "strip", detail: 'must be location, not "all"' }]);
  });
});

describe("the message of an invalid body names the expected type", () => {
  test.each([
    [{}, "/name", "is required"],
    [{ name: 1 }, "/name", "must be a string, not a number"],
    [{ name: "n", metadata: [] }, "/metadata", "must be an object, not a list"],
    [{ name: "n", metadata: { a: null } }, "/metadata/a", "must be a string, not null"],
    [{ name: "n", title: "x".repeat(201) }, "/title", "must have at most 200 characters"],
    [{ name: "n", titel: "x" }, "/titel", "is not known"],
    [
      { name: "n", metadata: { "a\u0007": "b" } },
      "/metadata/a\u0007",
      "has a key that must be well-formed Unicode without control characters but tab and newline",
    ],
    [[], "", "must be an object, not a list"],
  ])("in %j", async (body, pointer, detail) => {
    const response = await store.send("POST", "/v1/albums", body);
    expect(response.status).toBe(400);
    const problem = await jsonOf<Problem>(response);
    expect(problem.errors).toEqual([{ pointer, detail }]);
    expect(problem.detail).toBe(`The request is not valid: ${pointer || "the body"} ${detail}.`);
  });

  test("in a link whose variant has text and numbers", async () => {
    const body = { variant: { w: true } };
    const problem = await jsonOf<Problem>(await store.send("POST", `${album}/images/a.png/links`, body));
    expect(problem.errors).toEqual([{ pointer: "/variant/w", detail: "must be a string or a number, not true" }]);
  });

  test("and counts the faults that it does not list", async () => {
    const problem = await jsonOf<Problem>(await store.send("POST", "/v1/albums", { title: 1, description: false }));
    expect(problem.detail).toBe("The request is not valid: /name is required. `errors` lists 2 more.");
    expect(problem.errors?.map(({ detail }) => detail)).toEqual([
      "is required",
      "must be a string, not a number",
      "must be a string, not false",
    ]);
  });
});

test("the message to DELETE of a non-empty album names ?recursive=true, which works", async () => {
  const full = await newAlbum(store);
  await newImage(store, full, "a.png");
  const refused = await store.fetch(full, { method: "DELETE" });
  expect(refused.status).toBe(409);
  expect(await jsonOf<Problem>(refused)).toMatchObject({
    code: "album_not_empty",
    detail: expect.stringContaining("?recursive=true") as string,
  });
  expect((await store.fetch(`${full}?recursive=true`, { method: "DELETE" })).status).toBe(204);
});
