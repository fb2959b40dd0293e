import type { z } from "@hono/zod-openapi";
import type { MaybePromise } from "../concurrency/maybe-promise.ts";
import type { CallerKind, Need, Right } from "../domain/access.ts";
import type { Caller } from "../domain/caller.ts";
import type { Identity } from "../domain/credential.ts";
import type { ErrorCode } from "../domain/errors.ts";
import type { VerifiedLink } from "../operations/link-signer.ts";
import type { AccessWatch } from "./access-watch.ts";
import type { RequestHeader, ResponseHeader } from "./headers.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** Path parameters that are taken as they stand; every other one is a name, decoded strictly and in NFC. */
export const PLAIN_PARAMETERS: ReadonlySet<string> = new Set([
  "id",
  "sha256",
  "file",
  "ticket",
  "share",
  "webhook",
  "secret",
  "asset",
  "view",
  "detail",
]);

type ParameterNames<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterNames<Rest>
  : never;

/** A body or answer in openapi.json that no schema validates. */
export type Undocumented = "binary" | "text" | "object";

export interface MediaType {
  readonly schema: z.ZodType | Undocumented;
  readonly example?: unknown;
  /** Of the parts of a form that are no text: their media types. */
  readonly encoding?: Readonly<Record<string, { readonly contentType: string }>>;
}

/** A media type that a path accepts or returns besides those of its own operation. Another operation documents it. */
export interface Alternative {
  readonly verb: "accepts" | "returns";
  readonly operationId: string;
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
  /**
   * The rights that a caller needs, on the album that the request is about if it is about one. `any`: every caller may call
   * it, whatever its rights. `open`: the same, and credentials are not looked at.
   */
  readonly right: Right | readonly Right[] | "any" | "open";
  /** Of these a caller needs one, on some album; the handler judges the rest. */
  readonly oneOf?: readonly Right[];
  /** The operation only adds images: of `write`, that part is enough. */
  readonly addsImages?: true;
  /** A valid signed link to the path stands for a key with the right. */
  readonly acceptsLink?: true;
  /**
   * The secret in the path stands for the caller, which the handler identifies, and no key is looked at. No browser sends by
   * itself what lets it in, so pages of any origin may call the routes of tickets and read what they say.
   */
  readonly caller?: "ticket" | "share";
  /** The only kinds of caller that the operation is for, where it is not for all. It refuses the others. */
  readonly callers?: readonly CallerKind[];
  readonly summary: string;
  readonly description?: string;
  readonly tag: string;
  /**
   * A strict object of strings; a parameter whose schema is an array may be repeated. Without it any query is refused.
   */
  readonly query?: Query;
  /** Any query is accepted and ignored: the script of a page reads its own, and messengers append parameters to links. */
  readonly takesAnyQuery?: true;
  /** Only people's browsers open it: openapi.json, which is for programs, does not have it. */
  readonly isOfPage?: boolean;
  readonly body?: JsonBody<Body>;
  /** A body that the handler reads by itself: documentation only. */
  readonly streams?: Readonly<Record<string, MediaType>>;
  /**
   * By media type, what another operation documents and this path does as well. In one operation with the rest it would
   * give generated clients bodies and results of several types at once, which most generators can't express.
   */
  readonly alternatives?: Readonly<Record<string, Alternative>>;
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
  readonly caller: Caller;
  /** The caller, and when the credentials of the request expire. */
  readonly identity: Identity;
  /**
   * The caller once the body has come, which may take long: by then its credentials may have been revoked or changed. That they
   * have expired meanwhile does not matter.
   * @throws StoreError `unauthorized`, `session_ended`, `unavailable`
   */
  callerNow(): Promise<Caller>;
  /** Tells the log who the caller is, where only the handler can find out. */
  identify(caller: Caller): void;
  /** Who the caller would be without a key. */
  readonly anyone: Caller;
  /** For an answer that goes on: tells when the caller's access ends. The route disposes of it. */
  readonly watchAccess: () => AccessWatch;
  /** The signed link that let it in, where one did. */
  readonly link: VerifiedLink | undefined;
  /** W3C trace context, well-formed. */
  readonly traceparent: string | undefined;
  /** The client went away. */
  readonly signal: AbortSignal;
  /** The server is stopping: answers without an end should end. */
  readonly stopping: AbortSignal;
}

/** A definition and what answers it, given what the process has (`Deps`: ports, limits). */
export interface Route<Deps> {
  readonly definition: RouteDefinition;
  /** A method and not a property, so that a list may hold routes of different requests. */
  handle(request: RouteRequest, deps: Deps): MaybePromise<Response>;
}

/**
 * Ties a handler to its definition and gives it the types that follow from it. Sound because the server
 * hands over params, query and body only after validating them against this definition.
 */
export function route<
  Deps,
  const Path extends string,
  Query extends z.ZodObject = z.ZodObject<Record<string, never>>,
  Body extends z.ZodType = z.ZodUndefined,
>(
  definition: RouteDefinition<Path, Query, Body>,
  handle: (
    request: RouteRequest<Readonly<Record<ParameterNames<Path>, string>>, z.output<Query>, z.output<Body>>,
    deps: Deps,
  ) => MaybePromise<Response>,
): Route<Deps> {
  return { definition, handle };
}

/** The rights that a route requires. */
export const requiredRights = ({ right }: RouteDefinition): readonly Right[] =>
  right === "any" || right === "open" ? [] : typeof right === "string" ? [right] : right;

export const requiredNeeds = (definition: RouteDefinition): readonly Need[] =>
  requiredRights(definition).map((right) => (right === "write" && definition.addsImages ? "add" : right));

/** Whether a write compares ETags, as those say that name the header. */
export const evaluatesTags = ({ method, requestHeaders = [] }: RouteDefinition): boolean =>
  method === "GET" || requestHeaders.includes("If-Match");

export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Response =>
  jsonText(status, JSON.stringify(value), headers);

/** JSON that is text already, such as for an ETag. */
export const jsonText = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(body, { status, headers: jsonHeaders(Buffer.byteLength(body), headers) });

/** @param bytes the size of the body */
export const jsonHeaders = (bytes: number, headers: Readonly<Record<string, string>>) => ({
  "Content-Type": "application/json",
  "Content-Length": String(bytes),
  "Cache-Control": "no-cache",
  ...headers,
});

/** The documentation of a JSON answer. */
export const answers = (
  description: string,
  schema: z.ZodType,
  example: unknown,
  headers: readonly ResponseHeader[] = [],
): Answer => ({ description, headers, content: { "application/json": { schema, example } } });
