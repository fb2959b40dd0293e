import { z } from "@hono/zod-openapi";
import { createMemo } from "../concurrency/memo.ts";
import { StoreError } from "../domain/errors.ts";
import { listChoices, quote } from "../domain/wording.ts";
import { validate } from "./validation.ts";

const MOST_RECENT = 1024;

/**
 * How a route reads its query: every parameter is known, well-formed and given once, unless its schema is an array.
 * The same text may get the same object.
 * @throws StoreError from the function that it returns: `unknown_parameter`, `invalid_request`, `invalid_name`
 */
export function createQueryReader(schema: z.ZodObject | undefined): (search: string) => unknown {
  const lists = new Set<string>();
  for (const [name, parameter] of Object.entries(schema?.shape ?? {})) {
    if (isList(parameter)) lists.add(name);
  }
  // Most requests have none, and what they get is always the same.
  const none = schema?.safeParse({}) ?? { success: true, data: undefined };
  const recent = createMemo<unknown>(MOST_RECENT);
  return (search) => (search === "" && none.success ? none.data : recent.get(search, () => read(search)));

  function read(search: string): unknown {
    const values = new Map<string, string | readonly string[]>();
    for (const [name, encoded] of splitQuery(search)) {
      if (schema === undefined || !Object.hasOwn(schema.shape, name)) throw unknown(name, schema);
      const value = decode(encoded, name);
      if (lists.has(name)) values.set(name, [values.get(name) ?? [], value].flat());
      else if (values.has(name)) throw repeated(name);
      else values.set(name, value);
    }
    return schema === undefined ? undefined : validate(schema, Object.fromEntries(values), "parameter");
  }
}

const isList = (parameter: unknown): boolean =>
  parameter instanceof z.ZodOptional ? isList(parameter.unwrap()) : parameter instanceof z.ZodArray;

/** Only the names are decoded: a value is looked at once its parameter is known. */
function* splitQuery(search: string): Generator<[name: string, encodedValue: string]> {
  for (const pair of search.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decode(equals === -1 ? pair : pair.slice(0, equals), undefined);
    yield [name, equals === -1 ? "" : pair.slice(equals + 1)];
  }
}

/** Strict, where URLSearchParams puts U+FFFD for what it can't decode, and so changes what was asked. */
function decode(text: string, parameter: string | undefined): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (cause) {
    throw new StoreError(
      parameter === "name" ? "invalid_name" : "invalid_request",
      "The query is not valid percent-encoded UTF-8.",
      { errors: parameter === undefined ? [] : [{ parameter, detail: "has a bad escape" }], cause },
    );
  }
}

function unknown(parameter: string, schema: z.ZodObject | undefined): StoreError {
  const known = Object.keys(schema?.shape ?? {});
  const detail = known.length === 0 ? "this route takes no parameters" : `must be ${listChoices(known)}`;
  return new StoreError("unknown_parameter", `Unknown query parameter ${quote(parameter)}: ${detail}.`, {
    errors: [{ parameter, detail: `is unknown: ${detail}` }],
  });
}

const repeated = (parameter: string) =>
  new StoreError("unknown_parameter", `The query parameter ${quote(parameter)} may be given only once.`, {
    errors: [{ parameter, detail: "may be given only once" }],
  });
