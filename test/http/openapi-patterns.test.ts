import { expect, test } from "bun:test";
import fc from "fast-check";
import { describeApi } from "../../src/app.ts";
import { DEFAULT_PRESETS } from "../../src/config/presets.ts";
import { EVENT_TYPES, parseEventType } from "../../src/domain/event.ts";
import { parseName } from "../../src/domain/names.ts";
import { isCleanText } from "../../src/domain/text.ts";
import { parseVariantQuery } from "../../src/domain/variant-query.ts";

// Generated clients check patterns before they send: none may refuse what the store takes.

interface Schema {
  readonly pattern?: string;
  readonly enum?: readonly string[];
  readonly items?: Schema;
}
interface Parameter {
  readonly name: string;
  readonly schema: Schema;
}
interface Document {
  readonly paths: Readonly<Record<string, { readonly get: { readonly parameters: readonly Parameter[] } }>>;
  readonly components: {
    readonly parameters: Readonly<Record<string, Parameter>>;
    readonly schemas: Readonly<Record<string, { readonly properties: Readonly<Record<string, Schema>> }>>;
  };
}

const { paths, components } = JSON.parse(describeApi()) as Document;
const fields = components.schemas["ImageFields"]?.properties ?? {};
const queryOf = (path: string): Readonly<Record<string, Schema>> =>
  Object.fromEntries((paths[path]?.get.parameters ?? []).map(({ name, schema }) => [name, schema]));

function matches(schema: Schema | undefined, text: string): boolean {
  expect(schema?.pattern).toBeString();
  return new RegExp(schema?.pattern ?? "", "u").test(text);
}

const isName = (text: string): boolean => {
  try {
    return parseName(text) !== "";
  } catch {
    return false;
  }
};

const anyText = fc.string({ unit: "binary", minLength: 1, maxLength: 12 });

test("the openapi.json pattern of names accepts exactly the valid names", () => {
  let names = 0;
  fc.assert(
    fc.property(anyText, (text) => {
      if (!isName(text)) return;
      names++;
      expect([text, matches(fields["name"], text)]).toEqual([text, true]);
    }),
  );
  expect(names).toBeGreaterThan(10);
  for (const text of ["a/b", "a\0", "a\u0085", "\u202e", "\ufffd", "\u2028"]) {
    expect([text, isName(text), matches(fields["name"], text)]).toEqual([text, false, false]);
  }
});

test("the openapi.json patterns of titles, descriptions and tags accept exactly the valid texts", () => {
  const schemas = [fields["title"], fields["description"], fields["tags"]?.items, queryOf("/v1/images")["tag"]];
  fc.assert(
    fc.property(fc.oneof(anyText, fc.constantFrom("a\tb\n", "a\rb", "\u009f")), (text) => {
      for (const schema of schemas) expect([text, matches(schema, text)]).toEqual([text, isCleanText(text)]);
    }),
  );
});

test("the openapi.json patterns of crops, presets and keys accept what the store accepts", () => {
  const query = queryOf("/v1/albums/{album}/images/{image}/content");
  for (const crop of ["centre", "attention", "entropy", "0,1", "0.3,0.65", "1.0000,0.1234"]) {
    expect(parseVariantQuery({ w: "2", h: "1", crop }, new Map()).spec).toBeDefined();
    expect([crop, matches(query["crop"], crop)]).toEqual([crop, true]);
  }
  for (const crop of ["center", "0.3", "2,0", "0.12345,0"]) expect(matches(query["crop"], crop)).toBeFalse();
  const presets = Object.keys(JSON.parse(DEFAULT_PRESETS) as object);
  for (const preset of presets) expect(matches(query["preset"], preset)).toBeTrue();
  expect(presets.length).toBeGreaterThan(0);
  const key = components.parameters["Idempotency-Key"]?.schema;
  expect([matches(key, "!~"), matches(key, "a b"), matches(key, "ä")]).toEqual([true, false, false]);
});

test("event types may be written in full and in short", () => {
  const named = queryOf("/v1/events")["type"]?.items?.enum ?? [];
  expect(named.map(parseEventType)).toEqual(EVENT_TYPES.flatMap((type) => [type, type]));
});
