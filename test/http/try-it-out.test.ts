import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { describeApi } from "../../src/app.ts";
import { ANY_URL, asRoot, jsonOf, ROOT_KEY, startStore, type TestStore } from "./harness.ts";
import { newAlbum, newImage, newPng } from "./image-fixtures.ts";

// Swagger UI fills each form with the examples and defaults of openapi.json, and sends them all when "Execute" is pressed.

type Value = string | number | boolean;
interface Schema {
  readonly example?: Value;
  readonly default?: Value;
}
interface Parameter {
  readonly $ref?: string;
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required?: boolean;
  readonly example?: Value;
  readonly schema: Schema;
}
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> };
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly parameters: Readonly<Record<string, Parameter>>;
    readonly schemas: { readonly ImageFields: Schema };
  };
}

const { paths, components } = JSON.parse(describeApi()) as Document;
const operations = Object.entries(paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
);
const rank = ({ operation }: { operation: Operation }): number => (operation.operationId === "revokeKey" ? 1 : 0);
/** The key of the examples can't be made again once it is revoked. */
const inOrder = operations.toSorted((a, b) => rank(a) - rank(b));
const ALBUM = "Summer 2026";
const OTHER_ALBUM = "Best of 2026";
const CURSOR = "image-store.events";
const KEY = "6zqkP0aYH3cVbN1w";

/** By parameter, what a person fills in where there is no example: what the store made up. */
type Typed = Readonly<Record<string, string>>;
interface Seeded {
  readonly operationId: string;
  readonly path: string;
  readonly method: string;
}

const resolve = (parameter: Parameter): Parameter => {
  const name = parameter.$ref?.split("/").at(-1);
  return name === undefined ? parameter : (components.parameters[name] as Parameter);
};

const prefill = ({ example, schema }: Parameter): Value | undefined => example ?? schema.example ?? schema.default;

function fill(path: string, { parameters = [] }: Operation, typed: Typed): { target: string; headers: Headers } {
  const query = new URLSearchParams();
  const headers = new Headers();
  let target = path;
  for (const parameter of parameters.map(resolve)) {
    const value = prefill(parameter) ?? typed[parameter.name];
    if (value === undefined) {
      expect([path, parameter.name, parameter.required ?? false]).toEqual([path, parameter.name, false]);
    } else if (parameter.in === "path") {
      target = target.replace(`{${parameter.name}}`, encodeURIComponent(String(value)));
    } else if (parameter.in === "query") {
      query.append(parameter.name, String(value));
    } else {
      headers.append(parameter.name, String(value));
    }
  }
  return { target: query.size === 0 ? target : `${target}?${query.toString()}`, headers };
}

/** Of the media type that is shown first. */
function bodyOf(
  { operationId, requestBody }: Operation,
  typed: Typed,
): { type?: string; body?: NonNullable<RequestInit["body"]> } {
  const [type, media] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  if (type === undefined) return {};
  if (type === "application/octet-stream") return { type, body: newPng() };
  if (type === "multipart/form-data") {
    const form = new FormData();
    form.append("record", JSON.stringify(components.schemas.ImageFields.example));
    form.append("file", new File([newPng()], "picked.png"));
    return { body: form };
  }
  expect(media?.example).toBeDefined();
  if (operationId === "createKnownImage")
    return { type, body: JSON.stringify({ ...(media?.example as object), sha256: typed["sha256"] }) };
  return { type, body: JSON.stringify(media?.example) };
}

/** What has to be there before, and nothing that must not be. */
async function seed(store: TestStore, { operationId, path, method }: Seeded): Promise<Typed> {
  if (operationId === "createAlbum") return {};
  const album = await newAlbum(store, ALBUM);
  if (operationId === "createImage" || operationId === "deleteAlbum") return {};
  if (operationId === "moveImage" || operationId === "copyImage") await newAlbum(store, OTHER_ALBUM);
  if (operationId === "getPageFile") return { asset: await nameOfScript(store) };
  if (operationId === "deleteCursor" || operationId === "rewindCursor") await seedCursor(store);
  if (path.startsWith("/v1/quotas/") && method !== "PUT")
    await store.send("PUT", path.replace("{album}", encodeURIComponent(ALBUM)).replace("{key}", KEY), {
      maxBytes: 1e9,
    });
  if (path.includes("{ticket}") || path.startsWith("/v1/uploads/")) {
    const { id, url } = await jsonOf<{ id: string; url: string }>(await store.send("POST", `${album}/tickets`, {}));
    return { ticket: id, secret: url.split("/").at(-1) ?? "" };
  }
  if (path.includes("{webhook}")) {
    const { id: webhook } = await jsonOf<{ id: string }>(
      await store.send("POST", "/v1/webhooks", { url: "https://hooks.example.com/" }),
    );
    return { webhook };
  }
  if (path.includes("{share}") || path.startsWith("/s/")) {
    const { id, secret } = await jsonOf<{ id: string; secret: string }>(
      await store.send("POST", `${album}/shares`, {}),
    );
    return { share: id, secret };
  }
  const { id, sha256 } = await newImage(store, album, "lake.jpg");
  return { id, sha256 };
}

async function nameOfScript(store: TestStore): Promise<string> {
  const page = await (await store.fetch("/", { headers: { Accept: "text/html" } })).text();
  return /assets\/([^"]+\.js)"/.exec(page)?.[1] ?? "";
}

async function seedCursor(store: TestStore): Promise<void> {
  const catalog = await store.openCatalog();
  await catalog.write({ type: "registerCursor", name: CURSOR });
  await catalog[Symbol.asyncDispose]();
}

/** The key of the examples. */
async function seedKey(store: TestStore): Promise<void> {
  const catalog = await store.openCatalog();
  const grants = [{ rights: ["read"], albums: "*" }] as const;
  await catalog.write({ type: "createKey", id: KEY, sha256: "0", name: "web", grants, expiresAt: null });
  await catalog[Symbol.asyncDispose]();
}

/** As the page's browser sends them once it is signed in. */
async function signedIn(store: TestStore): Promise<Record<string, string>> {
  const headers = { Origin: store.url, "Sec-Fetch-Site": "same-origin" };
  const response = await store.send("POST", "/v1/session", {}, headers);
  return { ...headers, Cookie: response.headers.get("set-cookie")?.split(";", 1)[0] ?? "" };
}

describe("Execute in the documentation page", () => {
  let keyless: TestStore;
  let store: TestStore;
  beforeAll(async () => {
    keyless = await startStore({ API_KEYS: ROOT_KEY }, ANY_URL);
    store = asRoot(keyless);
    await seedKey(store);
  });
  afterAll(() => store[Symbol.asyncDispose]());
  afterEach(async () => {
    for (const album of [ALBUM, OTHER_ALBUM])
      await store.fetch(`/v1/albums/${encodeURIComponent(album)}?recursive=true`, { method: "DELETE" });
    await store.fetch("/v1/quotas/store", { method: "DELETE" });
  });

  test.each(inOrder.map((one) => [one.operation.operationId, one] as const))(
    "performs a harmless request for %s",
    async (operationId, { path, method, operation }) => {
      const typed = await seed(store, { operationId, path, method });
      const { target, headers } = fill(path, operation, typed);
      const isSignedIn = operationId === "getSession";
      if (isSignedIn) for (const [name, value] of Object.entries(await signedIn(store))) headers.set(name, value);
      const { type, body } = bodyOf(operation, typed);
      if (type !== undefined) headers.set("Content-Type", type);
      const response = await (isSignedIn ? keyless : store).fetch(target, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.text();
      expect([target, response.status, response.ok ? "" : text]).toEqual([target, response.status, ""]);
      if (operationId.endsWith("Content") && method === "GET") {
        expect(response.headers.get("repr-digest")).toContain(
          Buffer.from(typed["sha256"] ?? "", "hex").toString("base64"),
        );
      }
    },
  );

  test("was tried for every operation", () => {
    expect(operations.length).toBeGreaterThan(25);
  });
});

test("no filtering parameter has an example", () => {
  const narrowing = operations.flatMap(({ operation }) =>
    (operation.parameters ?? [])
      .map(resolve)
      .filter((parameter) => parameter.required !== true && prefill(parameter) !== undefined)
      .map(({ name }) => name),
  );
  expect([...new Set(narrowing)].sort()).toEqual([
    "duration",
    "includeRevoked",
    "limit",
    "name",
    "onError",
    "orderBy",
    "pageSize",
    "recursive",
    "wait",
  ]);
});
