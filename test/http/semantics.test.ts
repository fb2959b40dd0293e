import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { describeApi } from "../../src/app.ts";
import { parseHttpDate } from "../../src/http/http-date.ts";
import { builtAsset } from "./built-page.ts";
import { ANY_URL, asRoot, jsonOf, ROOT_KEY, startStore, type TestStore } from "./harness.ts";
import { newAlbum, newImage, newPng } from "./image-fixtures.ts";

/** RFC 9110 against every route of openapi.json: a new route is covered without a new row here. */

interface Documented {
  readonly parameters?: readonly { readonly in?: string; readonly name?: string }[];
  readonly "x-alternatives"?: Readonly<Record<string, { readonly verb: string }>>;
  readonly requestBody?: { readonly content: Readonly<Record<string, object>> };
}
const { paths } = JSON.parse(describeApi()) as { paths: Record<string, Record<string, Documented>> };
const all = Object.entries(paths).map(([template, item]) => ({
  template,
  target: template.replaceAll(/\{\w+\}/g, "kept"),
  fill: (parameters: Readonly<Record<string, string>>) =>
    template
      .replace("/s/{secret}", "/s/{shareSecret}")
      .replaceAll(/\{(\w+)\}/g, (_, name: string) => parameters[name] ?? "kept"),
  item,
  methods: Object.keys(item).map((method) => method.toUpperCase()),
}));
const METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];

let keyless: TestStore;
let store: TestStore;
/** What a page that is signed in sends instead of a key. */
let session: Readonly<Record<string, string>>;
/** Path parameters that lead to something; any other is "kept". */
let there: Readonly<Record<string, string>>;
beforeAll(async () => {
  keyless = await startStore({ API_KEYS: ROOT_KEY }, ANY_URL);
  store = asRoot(keyless);
  const page = { Origin: keyless.url, "Sec-Fetch-Site": "same-origin" };
  const signedIn = await store.send("POST", "/v1/session", {}, page);
  session = { ...page, Cookie: signedIn.headers.get("set-cookie")?.split(";", 1)[0] ?? "" };
  const album = await newAlbum(store, "kept");
  const { id, sha256 } = await newImage(store, album, "kept");
  const { url } = await jsonOf<{ url: string }>(await store.send("POST", `${album}/tickets`, {}));
  const share = await jsonOf<{ id: string; secret: string }>(await store.send("POST", `${album}/shares`, {}));
  const made = { name: "made", grants: [{ rights: ["read"], albums: "*" }] };
  const { id: key } = await jsonOf<{ id: string }>(await store.send("POST", "/v1/keys", made));
  const hook = { url: "https://hooks.example.com/" };
  const { id: webhook } = await jsonOf<{ id: string }>(await store.send("POST", "/v1/webhooks", hook));
  // Paused, its cursor stands still between two reads.
  const patch = { "Content-Type": "application/merge-patch+json" };
  expect((await store.send("PATCH", `/v1/webhooks/${webhook}`, { paused: true }, patch)).status).toBe(200);
  for (const path of ["store", "albums/kept", `keys/${key}`])
    expect((await store.send("PUT", `/v1/quotas/${path}`, { maxBytes: 1e9 })).status).toBe(200);
  const secrets = { secret: url.split("/").at(-1) ?? "", shareSecret: share.secret };
  there = { id, sha256, key, webhook, file: "start.js", asset: builtAsset(), share: share.id, ...secrets };
});
afterAll(() => store[Symbol.asyncDispose]());

async function read(method: string, path: string, headers: Readonly<Record<string, string>> = {}) {
  const leaving = new AbortController();
  const init = { method, headers, signal: leaving.signal };
  const response =
    path === "/v1/session"
      ? await keyless.fetch(path, { ...init, headers: { ...session, ...headers } })
      : await store.fetch(path, init);
  if (response.headers.get("content-type") === "text/event-stream") leaving.abort();
  return { status: response.status, headers: Object.fromEntries(response.headers) as Record<string, string> };
}

/** Those that do not depend on the moment. */
function lasting(headers: Readonly<Record<string, string>>) {
  const { date: _date, "x-request-id": _id, "transfer-encoding": _coding, ...others } = headers;
  // Metrics are others each time.
  return headers["cache-control"] === "no-store" ? { ...others, "content-length": "" } : others;
}

/** The lag of a durable reader changes with time: such answers agree at one of a few tries, and any other at the first. */
async function getAndHead(path: string, tries = path === "/v1/cursors" ? 50 : 1) {
  const get = await read("GET", path);
  const head = await read("HEAD", path);
  if (tries === 1 || Bun.deepEquals(lasting(get.headers), lasting(head.headers))) return { get, head };
  return getAndHead(path, tries - 1);
}

describe.each(all.map((one) => [one.template, one] as const))("%s", (_template, { target, fill, item, methods }) => {
  const allow = [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"].toSorted().join(", ");
  const patchTypes = Object.keys(item["patch"]?.requestBody?.content ?? {}).join(", ");

  test("answers every method or lists the allowed ones", async () => {
    for (const method of METHODS.filter((one) => !allow.split(", ").includes(one))) {
      const response = await store.fetch(target, { method });
      expect([method, response.status, response.headers.get("allow")]).toEqual([method, 405, allow]);
    }
    const options = await store.fetch(target, { method: "OPTIONS" });
    expect([options.status, options.headers.get("allow")]).toEqual([204, allow]);
    expect(options.headers.get("accept-patch") ?? "").toBe(patchTypes);
  });

  if (methods.includes("GET")) {
    test("HEAD has the headers of GET, including Date", async () => {
      const { get, head } = await getAndHead(fill(there));
      expect(get.status).toBe(200);
      expect(head.status).toBe(get.status);
      for (const { headers } of [get, head]) expect(parseHttpDate(headers["date"] ?? "")).toBeNumber();
      expect(lasting(head.headers)).toEqual(lasting(get.headers));
    });

    test("a 304 has the headers that update a cache, when the resource has an ETag", async () => {
      const full = await read("GET", fill(there));
      const etag = full.headers["etag"];
      if (etag === undefined) return;
      for (const method of ["GET", "HEAD"]) {
        const { headers, status } = await read(method, fill(there), { "If-None-Match": etag });
        expect([method, status]).toEqual([method, 304]);
        for (const name of ["etag", "cache-control", "vary", "content-location", "expires"])
          expect([name, headers[name]]).toEqual([name, full.headers[name]]);
        expect(parseHttpDate(headers["date"] ?? "")).toBeNumber();
        expect(headers["content-type"]).toBeUndefined();
      }
      expect((await read("GET", fill(there), { "If-Match": '"other"' })).status).toBe(412);
    });
  }

  for (const [method, { "x-alternatives": alternatives = {}, requestBody, parameters = [] }] of Object.entries(item)) {
    if (requestBody === undefined) continue;
    const named = parameters.some((one) => one.in === "query" && one.name === "name") ? "?name=new" : "";
    const others = Object.entries(alternatives).flatMap(([type, { verb }]) => (verb === "accepts" ? [type] : []));
    const types = Object.keys(requestBody.content).concat(others).join(", ");
    test(`${method.toUpperCase()} with an unaccepted type is 415 and lists the accepted types`, async () => {
      const send = (headers: Record<string, string>) =>
        store.fetch(fill({ secret: there["secret"] ?? "" }) + named, {
          method: method.toUpperCase(),
          headers,
          body: "{}",
        });
      const response = await send({ "Content-Type": "text/csv" });
      expect(response.status).toBe(415);
      expect(response.headers.get(method === "patch" ? "accept-patch" : "accept")).toBe(types);
      expect(response.headers.get("accept-encoding")).toBeNull();
      const coded = await send({ "Content-Type": types.split(", ")[0] ?? "", "Content-Encoding": "gzip" });
      expect([coded.status, coded.headers.get("accept-encoding")]).toEqual([415, "identity"]);
    });
  }
});

const placesOf = ({ headers }: Response) => [headers.get("location"), headers.get("content-location")];

describe("Content-Location of a write", () => {
  test("is the path of the record, also after a rename, and not of its content", async () => {
    const album = "/v1/albums/placed";
    expect(placesOf(await store.send("PUT", album, {}))).toEqual([album, album]);
    expect(placesOf(await store.send("PUT", album, {}))).toEqual([null, album]);
    expect(placesOf(await store.send("PATCH", album, { name: "moved" }))).toEqual([null, "/v1/albums/moved"]);
    const image = "/v1/albums/moved/images/a";
    const put = () => store.fetch(`${image}/content`, { method: "PUT", body: newPng() });
    expect(placesOf(await put())).toEqual([image, image]);
    expect(placesOf(await put())).toEqual([null, image]);
    expect(placesOf(await store.send("PATCH", image, { name: "b" }))).toEqual([null, "/v1/albums/moved/images/b"]);
    const posted = await store.fetch("/v1/albums/moved/images?name=c", { method: "POST", body: newPng() });
    expect(placesOf(posted)).toEqual(["/v1/albums/moved/images/c", "/v1/albums/moved/images/c"]);
    for (const place of [image.replace(/a$/, "b"), posted.headers.get("content-location") ?? ""])
      expect((await store.fetch(place)).status).toBe(200);
  });
});

test("a write with If-Match to a resource without an ETag is refused", async () => {
  for (const [method, path, body] of [
    ["POST", "/v1/albums", { name: "tagged" }],
    ["DELETE", "/v1/cursors/kept", undefined],
    ["POST", "/v1/albums/kept/images/kept/links", {}],
  ] as const) {
    const send = (tag: string) => store.send(method, path, body, { "If-Match": tag });
    expect([path, (await send('"some"')).status]).toEqual([path, 412]);
    expect([path, (await send("unquoted")).status]).toEqual([path, 400]);
    expect([path, (await send("*")).status === 412]).toEqual([path, false]);
  }
});
