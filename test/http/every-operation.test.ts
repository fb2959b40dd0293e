import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { describeApi, routes } from "../../src/app.ts";
import { jsonOf, startStore, type TestStore } from "./harness.ts";
import { newAlbum, newImage } from "./image-fixtures.ts";

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly conditional: boolean;
  /** Of a JSON body. */
  readonly example: unknown;
}
interface Documented {
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly example?: unknown }>> };
  readonly parameters?: readonly { readonly $ref?: string }[];
}

const { paths } = JSON.parse(describeApi()) as { paths: Record<string, Record<string, Documented>> };
const operations: readonly Operation[] = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { parameters = [], requestBody }]) => ({
    method: method.toUpperCase(),
    path,
    example: requestBody?.content["application/json"]?.example ?? {},
    conditional: parameters.some(({ $ref }) => $ref?.endsWith("/If-Match") === true),
  })),
);
const takesAnyQuery = new Set(
  routes.filter(({ definition }) => definition.takesAnyQuery).map(({ definition }) => definition.path),
);
/** Those that are no names: an id that nobody has is just not there. */
const PLAIN = ["{id}", "{key}", "{sha256}", "{file}", "{asset}", "{ticket}", "{share}", "{webhook}", "{secret}"];

let store: TestStore;
let album: string;
beforeAll(async () => {
  store = await startStore();
  album = await newAlbum(store, "kept");
  await newImage(store, album, "kept");
});
afterAll(async () => {
  // Nothing of all this changed anything.
  expect((await store.fetch(`${album}/images/kept`)).status).toBe(200);
  const { items } = await jsonOf<{ items: unknown[] }>(await store.fetch("/v1/events"));
  expect(items.length).toBe(2);
  await store[Symbol.asyncDispose]();
});

const targetOf = ({ path }: Operation, name = "kept"): string =>
  path.replaceAll(/\{\w+\}/g, (parameter) => (PLAIN.includes(parameter) ? "x" : name));

interface Refusal {
  readonly code: string;
  readonly errors?: readonly { readonly parameter?: string }[];
}

async function refusal(
  operation: Operation,
  { target = targetOf(operation), headers = {} }: { target?: string; headers?: Readonly<Record<string, string>> },
): Promise<Refusal> {
  const response = await store.fetch(target, { method: operation.method, headers });
  expect(response.headers.get("cache-control")).toBe("no-store");
  return jsonOf<Refusal>(response);
}

describe.each(operations.map((operation) => [`${operation.method} ${operation.path}`, operation] as const))(
  "%s refuses",
  (_name, operation) => {
    const target = targetOf(operation);
    const takesName = target.includes("kept");

    if (takesAnyQuery.has(operation.path)) {
      test("no query", async () => {
        const plain = await store.fetch(target);
        const response = await store.fetch(`${target}?unknown=%ff&%zz`);
        expect(response.status).toBe(plain.status);
      });
    } else {
      test("an unknown parameter", async () => {
        const { code, errors } = await refusal(operation, { target: `${target}?unknown=%ff` });
        expect([code, errors?.[0]?.parameter]).toEqual(["unknown_parameter", "unknown"]);
      });

      test("an invalid escape in the query", async () => {
        expect((await refusal(operation, { target: `${target}?%zz` })).code).toBe("invalid_request");
      });
    }

    test("an unknown Host", async () => {
      expect((await refusal(operation, { headers: { Host: "evil.example" } })).code).toBe("invalid_host");
    });

    // What an upload ticket lets in is no key that a browser sends by itself.
    if (operation.method !== "GET" && !operation.path.startsWith("/v1/uploads/")) {
      test("a page of another origin", async () => {
        const headers = { Origin: "https://evil.example" };
        expect((await refusal(operation, { headers })).code).toBe("forbidden_origin");
      });
    }

    if (takesName) {
      test("an invalid name", async () => {
        for (const name of ["%ff", "%00", "a%2Fb", "%C0%AF", "%E2%80%AE", "%EF%BF%BD", "x".repeat(256)]) {
          const { code } = await refusal(operation, { target: targetOf(operation, name) });
          expect([name, code]).toEqual([name, "invalid_name"]);
        }
      });
    }

    if (takesName && operation.conditional) {
      test("an invalid condition", async () => {
        const type = target.endsWith("/content") ? "image/png" : "application/json";
        const response = await store.fetch(target, {
          method: operation.method,
          headers: { "If-Match": "unquoted", "Content-Type": type },
          ...(operation.method === "GET" ? {} : { body: JSON.stringify(operation.example) }),
        });
        const { code, errors } = await jsonOf<Refusal>(response);
        expect([code, errors?.[0]?.parameter]).toEqual(["invalid_request", "If-Match"]);
      });
    }
  },
);
