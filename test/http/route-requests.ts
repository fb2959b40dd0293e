import { routes } from "../../src/app.ts";
import { type RouteDefinition, requiredRights } from "../../src/http/route.ts";
import { formOf, newPng } from "./image-fixtures.ts";

/** An operation of the route table: a new route is in every test that begins here. */
export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly definition: RouteDefinition;
  /** The rights that it requires; undefined for a route that is open to all. */
  readonly rights: readonly string[] | undefined;
  /** Examples of its bodies by their media types. */
  readonly bodies: Readonly<Record<string, unknown>>;
}

export function operationOf(definition: RouteDefinition): Operation {
  const { body, method, path, right, streams = {} } = definition;
  const types = body === undefined ? Object.keys(streams) : (body.types ?? ["application/json"]);
  return {
    method,
    path,
    definition,
    rights: right === "open" ? undefined : requiredRights(definition),
    bodies: Object.fromEntries(types.map((type) => [type, body?.example ?? streams[type]?.example])),
  };
}

export const operations: readonly Operation[] = routes.map(({ definition }) => operationOf(definition));

/** What the parameters of a path stand for. */
export interface Target {
  readonly album: string;
  readonly image: string;
  readonly id: string;
  readonly sha256: string;
  readonly key?: string;
  readonly ticket?: string;
  readonly share?: string;
  readonly webhook?: string;
  readonly secret?: string;
  /** Of a cursor. */
  readonly name?: string;
  /** Of the documentation. */
  readonly file?: string;
  /** Of the page, as the next two. */
  readonly asset?: string;
  readonly view?: string;
  readonly detail?: string;
}

export interface RouteRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer<ArrayBuffer> | FormData | undefined;
}

const BYTES = newPng();

/** The path with its parameters filled in; undefined where it has one that is not of the target. */
function pathTo({ path }: Pick<Operation, "path">, target: Target): string | undefined {
  const filled = path.replaceAll(/\{(\w+)\}/g, (all, name: string) => {
    const value = target[name as keyof Target];
    return value === undefined ? all : encodeURIComponent(value);
  });
  return filled.includes("{") ? undefined : filled;
}

/** One valid request for each type of body that the operation documents. */
export function requestsTo(
  operation: Pick<Operation, "method" | "path" | "bodies">,
  target: Target,
): readonly RouteRequest[] {
  const path = pathTo(operation, target);
  if (path === undefined) return [];
  const { method, bodies } = operation;
  const types = Object.entries(bodies);
  if (types.length === 0) return [{ method, path, headers: {}, body: undefined }];
  return types.map(([type, example]) => {
    if (type === "multipart/form-data") return { method, path, headers: {}, body: formOf({ new: BYTES }) };
    const query = method === "POST" && path.endsWith("/images") ? "?name=new" : "";
    const body = type.endsWith("json") ? JSON.stringify(example ?? {}) : BYTES;
    return { method, path: path + query, headers: { "Content-Type": type }, body };
  });
}
