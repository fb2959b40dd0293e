import { z } from "@hono/zod-openapi";
import { StoreError } from "../../domain/errors.ts";
import { evaluateRead } from "../conditional.ts";
import { negotiate } from "../negotiation.ts";
import { answers, json, type Route, type RouteRequest, route } from "../route.ts";
import { answerPageDocument, type PageRouteDeps, wantsPage } from "./page.ts";

export interface DocsRouteDeps extends PageRouteDeps {
  /** The text of openapi.json. */
  readonly openApi: () => string;
  readonly version: string;
}

const tag = "Documentation";

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Image Store API</title>
    <link rel="icon" type="image/png" href="docs/favicon-32x32.png">
    <link rel="stylesheet" href="docs/swagger-ui.css">
  </head>
  <body>
    <div id="swagger-ui"></div>
    <script src="docs/swagger-ui-bundle.js"></script>
    <script src="docs/start.js"></script>
  </body>
</html>
`;

// "none" turns off the badge that would send the description to a validator elsewhere.
const START = `SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: "none",
});
`;

// Nothing comes from elsewhere or runs inline. Swagger UI's style sheet has its pictures in itself.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; " +
  "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Of the package swagger-ui-dist; nothing else of it is served. */
const PACKAGE_FILES: Readonly<Record<string, string>> = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "favicon-32x32.png": "image/png",
};

const root = route(
  {
    method: "GET",
    path: "/",
    operationId: "getRoot",
    right: "open",
    summary: "Get the name and version of the store",
    description: "Browsers get the page, or are redirected to the documentation in a store that serves no page.",
    tag,
    takesAnyQuery: true,
    alternatives: { "text/html": { verb: "returns", operationId: "getPage" } },
    responses: {
      200: answers(
        "The name and version of the store, and the paths of the documentation.",
        z
          .strictObject({ name: z.string(), version: z.string(), docs: z.string(), openapi: z.string() })
          .openapi("Root"),
        { name: "Image Store", version: "0.1.0", docs: "/docs", openapi: "/openapi.json" },
        ["Link", "Vary"],
      ),
      302: {
        description: "Redirect to the documentation, for clients that prefer HTML, in a store that serves no page.",
        headers: ["Location", "Vary"],
      },
    },
    errors: ["not_acceptable"],
  },
  (request, deps: DocsRouteDeps) => {
    if (wantsPage(request, deps)) return answerPageDocument(request, deps, { Vary: "Accept" });
    const type = negotiate(request.raw.headers.get("accept"), ["application/json", "text/html"]);
    // Relative, so that it holds behind a proxy that serves the store under a path of its own.
    if (type === "text/html") return redirect(302, "docs", { Vary: "Accept" });
    const about = { name: "Image Store", version: deps.version, docs: "/docs", openapi: "/openapi.json" };
    return json(200, about, {
      Vary: "Accept",
      // RFC 8631.
      Link: '</openapi.json>; rel="service-desc"; type="application/json", </docs>; rel="service-doc"; type="text/html"',
    });
  },
);

const redirect = (status: 302 | 308, location: string, headers: Readonly<Record<string, string>> = {}) =>
  new Response(null, { status, headers: { Location: location, "Cache-Control": "no-cache", ...headers } });

const openApi = route(
  {
    method: "GET",
    path: "/openapi.json",
    operationId: "getOpenApi",
    right: "open",
    summary: "Get the API description",
    description: "OpenAPI 3.1, for people and for client generators.",
    tag,
    requestHeaders: ["If-None-Match"],
    responses: {
      200: { description: "OpenAPI 3.1.", headers: ["ETag"], content: { "application/json": { schema: "object" } } },
      304: { description: "The client's copy is current.", headers: ["ETag"] },
    },
    errors: ["precondition_failed"],
  },
  (request, deps: DocsRouteDeps) => answerFile(request, deps.openApi(), "application/json"),
);

const page = route(
  {
    method: "GET",
    path: "/docs",
    operationId: "getDocs",
    right: "open",
    summary: "Get the documentation page",
    description: "Swagger UI, served by the store itself.",
    tag,
    requestHeaders: ["If-None-Match"],
    responses: {
      200: { description: "Swagger UI.", headers: ["ETag"], content: { "text/html": { schema: "text" } } },
      304: { description: "The client's copy is current.", headers: ["ETag"] },
    },
    errors: ["precondition_failed"],
  },
  (request) => answerFile(request, PAGE, "text/html; charset=utf-8"),
);

const file = route(
  {
    method: "GET",
    path: "/docs/{file}",
    operationId: "getDocsFile",
    right: "open",
    summary: "Get a file of the documentation page",
    description: "A script, style sheet or icon of the page.",
    tag,
    requestHeaders: ["If-None-Match"],
    responses: {
      200: {
        description: "The file.",
        headers: ["ETag"],
        content: {
          "text/css": { schema: "text" },
          "text/javascript": { schema: "text" },
          "image/png": { schema: "binary" },
        },
      },
      308: { description: "Redirect to the page, without a file name.", headers: ["Location"] },
      304: { description: "The client's copy is current.", headers: ["ETag"] },
    },
    errors: ["not_found", "precondition_failed"],
  },
  async (request) => {
    const name = request.params.file;
    if (name === "") return redirect(308, "../docs");
    if (name === "start.js") return answerFile(request, START, "text/javascript; charset=utf-8");
    const type = Object.hasOwn(PACKAGE_FILES, name) ? PACKAGE_FILES[name] : undefined;
    if (type === undefined) throw new StoreError("not_found", "No route has this path.");
    const location = new URL(name, import.meta.resolve("swagger-ui-dist/package.json"));
    return answerFile(request, await Bun.file(location).bytes(), type);
  },
);

function answerFile(request: RouteRequest, body: string | Uint8Array<ArrayBuffer>, type: string): Response {
  const headers = {
    ETag: `"${Bun.hash(body).toString(36)}"`,
    "Cache-Control": "no-cache",
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
  };
  if (evaluateRead(request.raw.headers, headers.ETag) === "not_modified") {
    return new Response(null, { status: 304, headers });
  }
  return new Response(body, {
    headers: { ...headers, "Content-Type": type, "Content-Length": String(Buffer.byteLength(body)) },
  });
}

export const docsRoutes: readonly Route<DocsRouteDeps>[] = [root, openApi, page, file];
