import { OpenAPIHono, z } from "@hono/zod-openapi";
import { type ErrorCode, StoreError } from "../domain/errors.ts";
import { acceptedTypes, isHiding } from "./error-headers.ts";
import { HEADER_BOUNDS, REQUEST_HEADERS, RESPONSE_HEADERS, type RequestHeader } from "./headers.ts";
import { keyIdSchema } from "./key-schemas.ts";
import { nullBesideReferences } from "./null-beside-references.ts";
import { PROBLEMS, problemBody, statusOf } from "./problem.ts";
import {
  type Answer,
  evaluatesTags,
  type MediaType,
  PLAIN_PARAMETERS,
  type Route,
  type RouteDefinition,
  requiredRights,
} from "./route.ts";
import {
  imageIdSchema,
  imageNameSchema,
  NULLABLE_SCHEMAS,
  nameSchema,
  problemSchema,
  sha256Schema,
} from "./schemas.ts";
import { NULLABLE_WEBHOOK_SCHEMAS } from "./webhook-schemas.ts";

/** The library's type knows no `identifier`, which OpenAPI 3.1 brought. */
const LICENSE = { name: "Apache License 2.0", identifier: "Apache-2.0" };

export type OpenApiDocument = ReturnType<OpenAPIHono["getOpenAPI31Document"]>;
type RouteConfig = Parameters<OpenAPIHono["openAPIRegistry"]["registerPath"]>[0];
type Responses = RouteConfig["responses"];

const DESCRIPTION = `Albums and images, and an event for every change.

Every response has an \`X-Request-Id\`: that of the request if it is valid, otherwise a new one. A \`traceparent\` is copied to the events. Every error is
\`application/problem+json\` (RFC 9457) with a stable \`code\`. GET routes also support HEAD. Names are percent-encoded in paths. Unknown query
parameters and unknown fields are refused. A store without API keys needs no \`Authorization\`.

Records and bytes have a strong \`ETag\`. Originals also have a \`Last-Modified\`, exact to the second. Records and listings have none, since
descriptions and image counts change them without changing \`updatedAt\`. Writes compare \`If-Unmodified-Since\` with \`updatedAt\`. ETags take precedence
over dates (RFC 9110, 13.2.2).`;

const TAGS: Readonly<Record<string, string>> = {
  Albums: "Albums hold images. An album has a name and a permanent id.",
  Images: "Image records, bytes and variants.",
  Batches: "Many operations in one request.",
  "Upload tickets": "Let a page upload to an album without a key.",
  "Share links": "Links by which anyone who has one sees an album, until it is revoked or expires.",
  Sessions: "Cookies by which a page of the store's own origin uses a key, a token or a share.",
  Webhooks: "URLs to which the store sends events.",
  Events: "The log of all changes, in pages, by long poll or as a stream.",
  Access: "Who the caller is, and what it may do.",
  Keys: "API keys that are made, limited and revoked while the store runs.",
  Quotas: "Limits of what the store, an album or an API key may hold.",
  Page: "The page on which people see albums and images. It uses this API.",
  Documentation: "The API description and its page.",
  Operation: "Health, metrics and cursors, for operators.",
};

/** The description of the API, from the definitions that validate it. */
export function buildOpenApi(routes: readonly Route<never>[], version: string): OpenApiDocument {
  const app = new OpenAPIHono();
  const registry = app.openAPIRegistry;
  registry.registerComponent("securitySchemes", "apiKey", {
    type: "http",
    scheme: "bearer",
    bearerFormat: "API key or JWT",
    description:
      "An API key, or a JWT of the login that the store is configured with. Each operation names the right that it must have. " +
      "A store without API keys and without a login needs none.",
  });
  registry.registerComponent("securitySchemes", "cookieAuth", {
    type: "apiKey",
    in: "cookie",
    name: "__Host-image-store-session",
    description:
      "The session of a page of the store's own origin, made by `createSession`. It has the rights of what it was made with. On " +
      "loopback hosts without TLS the name is `image-store-session-<port>`.",
  });
  for (const [name, description] of Object.entries(REQUEST_HEADERS)) {
    const schema = { type: "string", ...HEADER_BOUNDS[name as RequestHeader] } as const;
    registry.registerComponent("parameters", name, { name, in: "header", description, schema });
  }
  for (const [name, description] of Object.entries({
    ...RESPONSE_HEADERS,
    "X-Request-Id": "Id of the request, also in the log.",
  })) {
    registry.registerComponent("headers", name, { description, schema: { type: "string" } });
  }
  // Before a place where they may be null, or null would become a value of the component itself.
  for (const [name, schema] of Object.entries({ ...NULLABLE_SCHEMAS, ...NULLABLE_WEBHOOK_SCHEMAS }))
    registry.register(name, schema);
  const documented = routes.filter(({ definition }) => definition.isOfPage !== true);
  for (const code of documentedCodes(documented))
    registry.registerComponent("examples", code, { value: exampleOf(code) });
  for (const { definition } of documented) registry.registerPath(toRouteConfig(definition));
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Image Store",
      version,
      description: DESCRIPTION,
      license: LICENSE,
    },
    servers: [{ url: "/" }],
    tags: [...new Set(documented.map(({ definition }) => definition.tag))].map((name) => ({
      name,
      ...(TAGS[name] === undefined ? {} : { description: TAGS[name] }),
    })),
  });
  return withoutUnusedHeaders(nullBesideReferences(document));
}

/** Some headers come only where no operation is, such as Allow with 405. */
function withoutUnusedHeaders(document: OpenApiDocument): OpenApiDocument {
  const text = JSON.stringify(document.paths);
  const headers = Object.entries(document.components?.headers ?? {});
  const used = headers.filter(([name]) => text.includes(`"#/components/headers/${name}"`));
  return { ...document, components: { ...document.components, headers: Object.fromEntries(used) } };
}

/** Every code but those that no operation has: what is answered where none is, and what no request meets. */
function documentedCodes(routes: readonly Route<never>[]): ErrorCode[] {
  const documented = new Set(routes.flatMap(({ definition }) => [...definition.errors, ...impliedErrors(definition)]));
  return CODES.filter((code) => documented.has(code));
}

function toRouteConfig(definition: RouteDefinition): RouteConfig {
  const { acceptsLink, alternatives = {}, body, streams, path, requestHeaders = [] } = definition;
  const rights = requiredRights(definition);
  const query = acceptsLink ? (definition.query ?? z.strictObject({})).extend(linkParameters) : definition.query;
  const names = parameterNames(path);
  const types = body?.types ?? ["application/json"];
  const json = body && Object.fromEntries(types.map((type) => [type, { schema: body.schema, example: body.example }]));
  const content = json ?? (streams && mediaTypes(streams));
  const others = Object.entries(alternatives).map(([type, { operationId, verb }]) => {
    return `Also ${verb} \`${type}\`; see \`${operationId}\`.`;
  });
  const instead = acceptsLink
    ? "A signed link needs no API key. If the URL has any parameter of a signed link, only the link counts."
    : "";
  const description = [definition.description, ...others, instead, ...needsOf(definition)].filter(Boolean).join(" ");
  return {
    method: definition.method.toLowerCase() as Lowercase<RouteDefinition["method"]>,
    path,
    operationId: definition.operationId,
    summary: definition.summary,
    ...(description === "" ? {} : { description }),
    tags: [definition.tag],
    ...(others.length === 0 ? {} : { "x-alternatives": alternatives }),
    // The empty one: a store without API keys, or one with public reads.
    security: definition.right === "open" ? [] : [{ apiKey: [...rights] }, { cookieAuth: [] }, {}],
    parameters: requestHeaders.map((name) => ({ $ref: `#/components/parameters/${name}` })),
    request: {
      ...(names.length === 0 ? {} : { params: z.object(Object.fromEntries(names.map(pathParameter))) }),
      ...(query === undefined ? {} : { query }),
      ...(content === undefined ? {} : { body: { required: body?.optional !== true, content } }),
    },
    responses: { ...successes(withoutRead(definition)), ...failures(definition) },
  };
}

/** What a caller needs, in sentences. */
function needsOf(definition: RouteDefinition): readonly string[] {
  const { caller, callers, oneOf } = definition;
  const rights = requiredRights(definition).map((right) => `\`${right}\``);
  return [
    ...(rights.length === 0 ? [] : [`Required right${rights.length === 1 ? "" : "s"}: ${rights.join(", ")}.`]),
    ...(oneOf === undefined ? [] : [`Required right: ${oneOf.map((right) => `\`${right}\``).join(" or ")}.`]),
    ...(callers === undefined ? [] : [`For callers of the kind ${callers.map((kind) => `\`${kind}\``).join(" or ")}.`]),
    ...(caller === undefined ? [] : ["Needs no API key: the path holds a secret."]),
    ...(caller === "ticket" ? ["Pages of any origin may call it."] : []),
  ];
}

/** What a signed link has, in this order at its end; `access.ts` takes them off before the query is read. */
const linkParameters = {
  expires: z.string().optional().openapi({ description: "On a signed link: when it expires, in seconds since 1970." }),
  key: z.string().optional().openapi({ description: "On a signed link: id of the signing key." }),
  signature: z.string().optional().openapi({ description: "On a signed link: signature of everything before it." }),
};

const parameterNames = (path: string): string[] => [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");

/** An id and a digest are the store's own: no example of them would lead anywhere. */
const PATH_SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  album: nameSchema.openapi({ description: "Name of the album.", example: "Summer 2026" }),
  image: imageNameSchema.openapi({ description: "Name of the image." }),
  id: imageIdSchema,
  sha256: sha256Schema,
  key: keyIdSchema.openapi({ description: "Id of the key; the name of a key of the configuration." }),
  name: nameSchema.openapi({ description: "Name of the cursor.", example: "image-store.events" }),
  ticket: z.string().openapi({ description: "Id of the ticket." }),
  share: z.string().openapi({ description: "Id of the share." }),
  secret: z.string().openapi({ description: "The secret, as in the `url`." }),
  file: z.string().openapi({ description: "Name of the file.", example: "swagger-ui.css" }),
  asset: z.string().openapi({ description: "Name of the file, from the document." }),
};

const pathParameter = (name: string) => [name, PATH_SCHEMAS[name] ?? z.string()] as const;

/** What a write of a record that is there answers to a key that must not read: `record-answer.ts` does it. */
function withoutRead(definition: RouteDefinition): Readonly<Record<number, Answer>> {
  const { responses } = definition;
  const replaced = responses[200] ?? responses[202];
  const isWrite = requiredRights(definition).some((right) => right === "write" || right === "delete");
  if (!isWrite || replaced?.content === undefined) return responses;
  // Without a record there is none to say the place of.
  const headers = replaced.headers?.filter((name) => name !== "Content-Location") ?? [];
  return {
    ...responses,
    204: { description: "The change was made. A key without the right `read` gets no record.", headers },
  };
}

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
    Object.entries(content).map(([type, { schema, example, encoding }]) => [
      type,
      {
        schema: typeof schema === "string" ? UNDOCUMENTED[schema] : schema,
        ...(example === undefined ? {} : { example }),
        ...(encoding === undefined ? {} : { encoding }),
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
        headers: headerRefs([
          ...(EXTRA_HEADERS[status] ?? []),
          ...(status === 415 ? typesHeaders(definition) : []),
          ...(group.some(isHiding) ? ["WWW-Authenticate"] : []),
        ]),
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
  401: ["WWW-Authenticate", "Set-Cookie", "Clear-Site-Data"],
  403: ["WWW-Authenticate"],
  416: ["Content-Range"],
  503: ["Retry-After"],
};

const typesHeaders = (definition: RouteDefinition) => [...Object.keys(acceptedTypes(definition)), "Accept-Encoding"];

function exampleOf(code: ErrorCode) {
  return problemBody(new StoreError(code, PROBLEMS[code][1]), "0192e4a0-7c1b-7d3e-9f00-4a5b6c7d8e9f");
}

/** The codes that follow from what a route is, as the server gives them. */
function impliedErrors(definition: RouteDefinition): ErrorCode[] {
  const { acceptsLink, body, caller, method, path, right } = definition;
  const needsRights = requiredRights(definition).length > 0;
  // An escape that is none is invalid_request whatever the query should be.
  const codes: ErrorCode[] = ["invalid_host", "invalid_request", "internal"];
  if (definition.takesAnyQuery !== true) codes.push("unknown_parameter");
  if (!evaluatesTags(definition)) codes.push("precondition_failed");
  if (method !== "GET") codes.push("insufficient_storage");
  if (method !== "GET" && caller !== "ticket") codes.push("forbidden_origin");
  if (caller === "ticket") codes.push("ticket_not_found", "ticket_expired", "busy", "unavailable");
  if (right !== "open") codes.push("unauthorized", "session_ended", "busy", "unavailable");
  if (needsRights || definition.oneOf !== undefined) codes.push("forbidden");
  if (acceptsLink) codes.push("invalid_link", "link_expired");
  if (parameterNames(path).some((name) => !PLAIN_PARAMETERS.has(name))) codes.push("invalid_name");
  if (body !== undefined) {
    codes.push("invalid_name", "empty_body", "too_large", "unsupported_media_type");
    codes.push("request_timeout", "digest_mismatch");
  }
  return codes;
}
