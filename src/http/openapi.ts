import { OpenAPIHono, z } from "@hono/zod-openapi";
import { type ErrorCode, StoreError } from "../domain/errors.ts";
import { REQUEST_HEADERS, RESPONSE_HEADERS } from "./headers.ts";
import { PROBLEMS, problemBody, statusOf } from "./problem.ts";
import { type Answer, type MediaType, PLAIN_PARAMETERS, type Route, type RouteDefinition } from "./route.ts";
import { nameSchema, problemSchema } from "./schemas.ts";

export type OpenApiDocument = ReturnType<OpenAPIHono["getOpenAPI31Document"]>;
type RouteConfig = Parameters<OpenAPIHono["openAPIRegistry"]["registerPath"]>[0];
type Responses = RouteConfig["responses"];

const DESCRIPTION = `Albums and images, and an event for every change.

Every answer has \`X-Request-Id\`, the request's own where it has a sane one; a \`traceparent\` goes into the events. Every error is \`application/problem+json\` (RFC 9457) with a stable \`code\`. A GET route
answers HEAD too. Names are percent-encoded in a path. Unknown query parameters and unknown fields are refused. A store
without API keys needs no \`Authorization\`.`;

const TAGS: Readonly<Record<string, string>> = {
  Albums: "What images are in. Named by people, and by an id that stays through renames.",
  Images: "Records of images, and their bytes.",
  Events: "The log of all changes: to be read in pages, by long poll or as a stream.",
  Documentation: "This description.",
  Operation: "For who runs the store.",
};

/** The description of the API, from the definitions that validate it. */
export function buildOpenApi(routes: readonly Route<never>[], version: string): OpenApiDocument {
  const app = new OpenAPIHono();
  const registry = app.openAPIRegistry;
  registry.registerComponent("securitySchemes", "apiKey", { type: "http", scheme: "bearer" });
  for (const [name, description] of Object.entries(REQUEST_HEADERS)) {
    registry.registerComponent("parameters", name, { name, in: "header", description, schema: { type: "string" } });
  }
  for (const [name, description] of Object.entries({ ...RESPONSE_HEADERS, "X-Request-Id": "Also in the log." })) {
    registry.registerComponent("headers", name, { description, schema: { type: "string" } });
  }
  for (const code of CODES) registry.registerComponent("examples", code, { value: exampleOf(code) });
  for (const { definition } of routes) registry.registerPath(describe(definition));
  return app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: { title: "Image Store", version, description: DESCRIPTION, license: { name: "Apache-2.0" } },
    servers: [{ url: "/" }],
    tags: [...new Set(routes.map(({ definition }) => definition.tag))].map((name) => ({
      name,
      ...(TAGS[name] === undefined ? {} : { description: TAGS[name] }),
    })),
  });
}

function describe(definition: RouteDefinition): RouteConfig {
  const { acceptsLink, body, streams, path, right, requestHeaders = [] } = definition;
  const query = acceptsLink ? (definition.query ?? z.strictObject({})).extend(linkParameters) : definition.query;
  const names = parameterNames(path);
  const types = body?.types ?? ["application/json"];
  const json = body && Object.fromEntries(types.map((type) => [type, { schema: body.schema, example: body.example }]));
  const content = json ?? (streams && mediaTypes(streams));
  const needs = right === "open" ? "" : `An API key needs the right \`${right}\`.`;
  const instead = acceptsLink ? "A signed link needs no key; with any parameter of one, only the link counts." : "";
  const description = [definition.description, instead, needs].filter(Boolean).join(" ");
  return {
    method: definition.method.toLowerCase() as Lowercase<RouteDefinition["method"]>,
    path,
    operationId: definition.operationId,
    summary: definition.summary,
    ...(description === "" ? {} : { description }),
    tags: [definition.tag],
    // The empty one: a store without keys, or one that anybody may read.
    security: right === "open" ? [] : [{ apiKey: [right] }, {}],
    parameters: requestHeaders.map((name) => ({ $ref: `#/components/parameters/${name}` })),
    request: {
      ...(names.length === 0 ? {} : { params: z.object(Object.fromEntries(names.map(pathParameter))) }),
      ...(query === undefined ? {} : { query }),
      ...(content === undefined ? {} : { body: { required: body?.optional !== true, content } }),
    },
    responses: { ...successes(definition.responses), ...failures(definition) },
  };
}

/** What a signed link has, in this order at its end; `access.ts` takes them off before the query is read. */
const linkParameters = {
  expires: z.string().optional().openapi({ description: "Of a signed link: seconds since 1970." }),
  key: z.string().optional().openapi({ description: "Of a signed link: the id of what it was signed with." }),
  signature: z.string().optional().openapi({ description: "Of a signed link: over all that stands before it." }),
};

const parameterNames = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");

const pathParameter = (name: string) => [name, PLAIN_PARAMETERS.has(name) ? z.string() : nameSchema] as const;

function successes(answers: Readonly<Record<number, Answer>>): Responses {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, headers = [], content }]) => [
      status,
      { description, headers: headerRefs(headers), ...(content === undefined ? {} : { content: mediaTypes(content) }) },
    ]),
  );
}

const UNDOCUMENTED = {
  binary: { type: "string", format: "binary" },
  text: { type: "string" },
  object: { type: "object" },
} as const;

const mediaTypes = (content: Readonly<Record<string, MediaType>>) =>
  Object.fromEntries(
    Object.entries(content).map(([type, { schema, example }]) => [
      type,
      {
        schema: typeof schema === "string" ? UNDOCUMENTED[schema] : schema,
        ...(example === undefined ? {} : { example }),
      },
    ]),
  );

const headerRefs = (names: readonly string[]) =>
  Object.fromEntries(["X-Request-Id", ...names].map((name) => [name, { $ref: `#/components/headers/${name}` }]));

/** One answer a status, with an example for every code that it may carry. */
function failures(definition: RouteDefinition): Responses {
  const codes = [...new Set([...definition.errors, ...impliedErrors(definition)])];
  const byStatus = Map.groupBy(codes.sort(byTable), statusOf);
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${PROBLEMS[code][1]}`).join("\n\n"),
        headers: headerRefs(EXTRA_HEADERS[status] ?? []),
        content: {
          "application/problem+json": {
            schema: problemSchema,
            examples: Object.fromEntries(group.map((code) => [code, { $ref: `#/components/examples/${code}` }])),
          },
        },
      },
    ]),
  );
}

const CODES = Object.keys(PROBLEMS) as ErrorCode[];
const byTable = (one: ErrorCode, other: ErrorCode) => CODES.indexOf(one) - CODES.indexOf(other);

const EXTRA_HEADERS: Readonly<Record<number, readonly string[]>> = {
  401: ["WWW-Authenticate"],
  416: ["Content-Range"],
  503: ["Retry-After"],
};

function exampleOf(code: ErrorCode) {
  return problemBody(new StoreError(code, PROBLEMS[code][1]), "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f");
}

/** The codes that follow from what a route is, as the server gives them. */
function impliedErrors(definition: RouteDefinition): ErrorCode[] {
  const { acceptsLink, body, method, path, right } = definition;
  // An escape that is none is invalid_request whatever the query should be.
  const codes: ErrorCode[] = ["invalid_host", "invalid_request", "unknown_parameter", "internal"];
  if (method !== "GET") codes.push("forbidden_origin", "insufficient_storage");
  if (right !== "open") codes.push("unauthorized", "forbidden", "busy", "unavailable");
  if (acceptsLink) codes.push("invalid_link", "link_expired");
  if (parameterNames(path).some((name) => !PLAIN_PARAMETERS.has(name))) codes.push("invalid_name");
  if (body !== undefined) {
    codes.push("invalid_name", "empty_body", "too_large", "unsupported_media_type");
    codes.push("request_timeout", "digest_mismatch");
  }
  return codes;
}
