import type { z } from "@hono/zod-openapi";
import type { Right } from "../domain/access.ts";
import type { ErrorCode } from "../domain/errors.ts";
import type { Grant } from "./access.ts";
import type { RequestHeader, ResponseHeader } from "./headers.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Path parameters that are taken as they stand; every other one is a name, decoded strictly and in NFC. */
export const PLAIN_PARAMETERS: ReadonlySet<string> = new Set(["id", "sha256", "file"]);

type ParameterNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterNames<Rest>
  : never;

/** A body or answer in openapi.json that no schema validates. */
export type Undocumented = "binary" | "text" | "object";

export interface MediaType {
  readonly schema: z.ZodType | Undocumented;
  readonly example?: unknown;
}

export interface Answer {
  readonly description: string;
  readonly headers?: readonly ResponseHeader[];
  /** By media type. Absent: no body. */
  readonly content?: Readonly<Record<string, MediaType>>;
}

/** A JSON body, which is parsed and validated before the handler runs. */
export interface JsonBody<Schema extends z.ZodType> {
  readonly schema: Schema;
  readonly example: unknown;
  /** The media types it may come as; `application/json` when absent. */
  readonly types?: readonly string[];
  /** No body at all stands for `{}`. */
  readonly optional?: boolean;
}

/**
 * What a route is: validation, documentation and access in one place. It states the codes that are its own; those that
 * follow from the rest (a right, a body, a name in the path) are added by `openapi.ts`.
 */
export interface RouteDefinition<
  Path extends string = string,
  Query extends z.ZodObject = z.ZodObject,
  Body extends z.ZodType = z.ZodType,
> {
  readonly method: Method;
  readonly path: Path;
  readonly operationId: string;
  readonly right: Right | "open";
  /** A valid signed link to the path stands for a key with the right. */
  readonly acceptsLink?: true;
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  /**
   * A strict object of strings; a parameter whose schema is an array may be repeated. Without it any query is refused.
   */
  readonly query?: Query;
  readonly body?: JsonBody<Body>;
  /** A body that the handler reads by itself: documentation only. */
  readonly streams?: Readonly<Record<string, MediaType>>;
  readonly requestHeaders?: readonly RequestHeader[];
  readonly responses: Readonly<Record<number, Answer>>;
  readonly errors: readonly ErrorCode[];
}

/** A request that passed every check that its route's definition states. */
export interface RouteRequest<Params = Readonly<Record<string, string>>, Query = unknown, Body = unknown> {
  /** Web-standard; its body is untouched where the definition has no JSON body. */
  readonly raw: Request;
  /** What the client sent: HEAD where a GET route answers it. The body of a HEAD answer is dropped by the server. */
  readonly method: Method | "HEAD";
  /** As sent, not decoded, without the query. */
  readonly path: string;
  /** What follows the `?`, as sent; empty without one. */
  readonly search: string;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly requestId: string;
  readonly grant: Grant;
  /** W3C trace context, well-formed. */
  readonly traceparent: string | undefined;
  /** The client went away. */
  readonly signal: AbortSignal;
  /** The server is stopping: answers without an end should end. */
  readonly stopping: AbortSignal;
}

/** A definition and what answers it, given what the process has (`Needs`: ports, limits). */
export interface Route<Needs> {
  readonly definition: RouteDefinition;
  /** A method and not a property, so that a list may hold routes of different requests. */
  handle(request: RouteRequest, needs: Needs): Response | Promise<Response>;
}

/**
 * Ties a handler to its definition and gives it the types that follow from it. Sound because the server
 * hands over params, query and body only after validating them against this definition.
 */
export function route<
  Needs,
  const Path extends string,
  Query extends z.ZodObject = z.ZodObject<Record<string, never>>,
  Body extends z.ZodType = z.ZodUndefined,
>(
  definition: RouteDefinition<Path, Query, Body>,
  handle: (
    request: RouteRequest<Readonly<Record<ParameterNames<Path>, string>>, z.output<Query>, z.output<Body>>,
    needs: Needs,
  ) => Response | Promise<Response>,
): Route<Needs> {
  return { definition, handle };
}

export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Response =>
  jsonText(status, JSON.stringify(value), headers);

/** JSON that is text already, such as for an ETag. */
export const jsonText = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(body, {
    status,
    headers: {
      "Content-Type": "application/json",
      "Content-Length": String(Buffer.byteLength(body)),
      "Cache-Control": "no-cache",
      ...headers,
    },
  });

/** The documentation of a JSON answer. */
export const answers = (
  description: string,
  schema: z.ZodType,
  example: unknown,
  headers: readonly ResponseHeader[] = [],
): Answer => ({ description, headers, content: { "application/json": { schema, example } } });
