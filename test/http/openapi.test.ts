import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { describeApi } from "../../src/app.ts";
import { PROBLEMS, statusOf } from "../../src/http/problem.ts";
import { checker } from "./harness.ts";

interface Media {
  readonly schema: { readonly type?: string; readonly format?: string };
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly $ref: string }>>;
}
interface Operation {
  readonly operationId: string;
  readonly description?: string;
  readonly "x-alternatives"?: Readonly<Record<string, { readonly operationId: string }>>;
  readonly parameters?: readonly { readonly $ref?: string; readonly name?: string; readonly in?: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly examples: Readonly<Record<string, { readonly value: { readonly code: string } }>>;
    readonly schemas: Readonly<
      Record<string, { readonly type?: string | string[]; readonly properties?: Readonly<Record<string, object>> }>
    >;
  };
}

const text = describeApi();
const document = JSON.parse(text) as Document;
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
);
const isBytes = ({ schema }: Media): boolean => schema.type === "string";
const contentPath = (path: string, method: string, ...rest: string[]) => ["paths", path, method, ...rest, "schema"];

test("openapi.json is up to date with the routes (npm run openapi)", async () => {
  expect(await Bun.file(join(import.meta.dir, "../../openapi.json")).text()).toBe(text);
});

test("openapi.json is OpenAPI 3.1 and every reference in it resolves", () => {
  expect(document.openapi).toStartWith("3.1.");
  const references = [...text.matchAll(/"\$ref": "#\/([^"]+)"/g)].map((match) => (match[1] ?? "").split("/"));
  expect(references.length).toBeGreaterThan(100);
  for (const reference of references) {
    const target = reference.reduce<unknown>(
      (value, key) => (value as Readonly<Record<string, unknown>> | undefined)?.[key],
      document,
    );
    expect([reference.join("/"), typeof target]).toEqual([reference.join("/"), "object"]);
  }
});

test("operation ids are unique and path parameters match their paths", () => {
  const ids = operations.map(({ operation }) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { path, operation } of operations) {
    const inPath = (operation.parameters ?? []).filter((parameter) => parameter.in === "path");
    expect(inPath.map((parameter) => `{${parameter.name}}`)).toEqual([...(path.match(/\{\w+\}/g) ?? [])]);
  }
});

test("a nullable component is nullable only where it is referenced, so generators accept null", () => {
  const { schemas } = document.components;
  const nullable = Object.entries(schemas).filter(([, { type }]) => [type].flat().includes("null"));
  expect(nullable).toEqual([]);
  expect(schemas["ImagePatch"]?.properties?.["focalPoint"]).toMatchObject({
    anyOf: [{ $ref: "#/components/schemas/FocalPoint" }, { type: "null" }],
  });
  expect(text).not.toMatch(/"allOf"/);
});

test("each operation has one kind of body and one kind of answer", () => {
  const ids = new Set(operations.map(({ operation }) => operation.operationId));
  let others = 0;
  for (const { operation } of operations) {
    const bodies = Object.values(operation.requestBody?.content ?? {}).map(({ schema }) => JSON.stringify(schema));
    expect([operation.operationId, new Set(bodies).size <= 1]).toEqual([operation.operationId, true]);
    for (const [type, { operationId }] of Object.entries(operation["x-alternatives"] ?? {})) {
      expect([type, ids.has(operationId)]).toEqual([type, true]);
      expect(operation.description).toContain(`\`${type}\`; see \`${operationId}\`.`);
      others++;
    }
  }
  expect(others).toBe(5);
});

test("uploads are declared with a generic media type first, which generators use", () => {
  const uploads = operations.filter(({ operation }) => operation.requestBody?.content["image/png"] !== undefined);
  const first = uploads.map(({ operation }) => Object.keys(operation.requestBody?.content ?? {})[0]);
  expect(first).toHaveLength(3);
  expect(new Set(first)).toEqual(new Set(["application/octet-stream"]));
});

describe("openapi.json examples", () => {
  test("exist for every JSON body and match its schema", () => {
    let seen = 0;
    for (const { path, method, operation } of operations) {
      const bodies = Object.entries(operation.requestBody?.content ?? {}).map(
        ([type, media]) => [media, ["requestBody", "content", type]] as const,
      );
      const answers = Object.entries(operation.responses)
        .filter(([status]) => Number(status) < 400)
        .flatMap(([status, { content = {} }]) =>
          Object.entries(content).map(([type, media]) => [media, ["responses", status, "content", type]] as const),
        );
      for (const [media, place] of [...bodies, ...answers]) {
        const type = place.at(-1) ?? "";
        if (isBytes(media) || path === "/openapi.json" || !type.endsWith("json")) continue;
        expect([operation.operationId, type, media.example !== undefined]).toEqual([operation.operationId, type, true]);
        checker.requireFit(media.example, contentPath(path, method, ...place));
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(10);
  });

  test("exist for each error code under its status", () => {
    for (const { operation } of operations) {
      for (const [status, answer] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue;
        const codes = Object.keys(answer.content?.["application/problem+json"]?.examples ?? {});
        expect(codes.length).toBeGreaterThan(0);
        for (const code of codes) expect(statusOf(code as keyof typeof PROBLEMS)).toBe(Number(status));
      }
    }
    for (const [code, { value }] of Object.entries(document.components.examples)) {
      expect(value.code).toBe(code);
      checker.requireFit(value, ["components", "schemas", "Problem"]);
    }
  });
});

test("cover every code except those outside of any operation", () => {
  const documented = new Set(
    operations.flatMap(({ operation }) =>
      Object.values(operation.responses).flatMap((answer) =>
        Object.keys(answer.content?.["application/problem+json"]?.examples ?? {}),
      ),
    ),
  );
  const missing = Object.keys(PROBLEMS).filter((code) => !documented.has(code));
  expect(missing).toEqual(["method_not_allowed", "lease_lost"]);
});
