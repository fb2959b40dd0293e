import { dataOf } from "./errors.ts";
import type { paths } from "./schema.ts";
import { isRepeatable, type Transport } from "./transport.ts";

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
type OperationOf<Path extends keyof paths, Of extends Method> = paths[Path][Lowercase<Of> & keyof paths[Path]];

/** The paths of openapi.json that take the method. */
export type PathsWith<Of extends Method> = {
  [Path in keyof paths]: OperationOf<Path, Of> extends { responses: unknown } ? Path : never;
}[keyof paths];

type PartOf<Operation, Part extends string> = Operation extends { parameters: Record<Part, infer Value> }
  ? Value
  : Operation extends { parameters: Partial<Record<Part, infer Value>> }
    ? NonNullable<Value> | undefined
    : undefined;
type BodyOf<Operation> = Operation extends { requestBody: { content: infer Content } }
  ? Content[keyof Content & `application/${string}json`]
  : Operation extends { requestBody?: { content: infer Content } | undefined }
    ? Content[keyof Content & `application/${string}json`] | undefined
    : undefined;
type JsonOf<Answer> = Answer extends { content: { "application/json": infer Data } } ? Data : undefined;

/** What a successful answer has as JSON; undefined where it has none. */
export type DataOf<Operation> = Operation extends { responses: infer Responses }
  ? JsonOf<Responses[keyof Responses & (200 | 201 | 202 | 204 | 207)]>
  : undefined;

type Member<Name extends string, Value> = [Value] extends [undefined]
  ? { readonly [Key in Name]?: undefined }
  : undefined extends Value
    ? { readonly [Key in Name]?: Value }
    : { readonly [Key in Name]: Value };

export type Given<Operation> = Member<"path", PartOf<Operation, "path">> &
  Member<"query", PartOf<Operation, "query">> &
  Member<"body", BodyOf<Operation>> & {
    readonly headers?: Readonly<Record<string, string>>;
    readonly signal?: AbortSignal;
  };

/** Any operation of openapi.json with a JSON body or none, typed by it. */
export type Send = <Of extends Method, Path extends PathsWith<Of>>(
  method: Of,
  path: Path,
  given: Given<OperationOf<Path, Of>>,
) => Promise<DataOf<OperationOf<Path, Of>>>;

interface Untyped {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export const createSend = (transport: Transport): Send =>
  (async (method: Method, path: string, given: Untyped) => {
    const url = transport.url + fill(path, given.path ?? {}) + search(given.query ?? {});
    const make = async () =>
      new Request(url, {
        method,
        headers: {
          ...(await transport.headers()),
          ...(given.body === undefined ? {} : { "Content-Type": TYPES[method] ?? "application/json" }),
          ...given.headers,
        },
        body: given.body === undefined ? null : JSON.stringify(given.body),
        signal: given.signal ?? null,
      });
    const response = await transport.send(make, { repeatable: isRepeatable(method, given.headers) });
    return dataOf(response);
  }) as Send;

const TYPES: Partial<Record<Method, string>> = { PATCH: "application/merge-patch+json" };

const fill = (path: string, values: Readonly<Record<string, string>>): string =>
  path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));

function search(query: Readonly<Record<string, unknown>>): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== null) parameters.append(name, String(one));
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}
