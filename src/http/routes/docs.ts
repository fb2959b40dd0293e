import { StoreError } from "../../domain/errors.ts";
import { evaluateRead } from "../conditional.ts";
import { type Route, type RouteRequest, route } from "../route.ts";

export interface DocsNeeds {
  /** The text of openapi.json. */
  readonly openApi: () => string;
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

const openApi = route(
  {
    method: "GET",
    path: "/openapi.json",
    operationId: "getOpenApi",
    right: "open",
    summary: "This description of the API",
    tag,
    requestHeaders: ["If-None-Match"],
    responses: {
      200: { description: "OpenAPI 3.1.", headers: ["ETag"], content: { "application/json": { schema: "object" } } },
      304: { description: "The client has it already.", headers: ["ETag"] },
    },
    errors: ["precondition_failed"],
  },
  (request, needs: DocsNeeds) => answerFile(request, needs.openApi(), "application/json"),
);

const page = route(
  {
    method: "GET",
    path: "/docs",
    operationId: "getDocs",
    right: "open",
    summary: "The API to read and try out",
    tag,
    requestHeaders: ["If-None-Match"],
    responses: {
      200: { description: "Swagger UI.", headers: ["ETag"], content: { "text/html": { schema: "text" } } },
      304: { description: "The client has it already.", headers: ["ETag"] },
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
    summary: "A file of the page",
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
      304: { description: "The client has it already.", headers: ["ETag"] },
    },
    errors: ["not_found", "precondition_failed"],
  },
  async (request) => {
    const name = request.params.file;
    if (name === "start.js") return answerFile(request, START, "text/javascript; charset=utf-8");
    const type = Object.hasOwn(PACKAGE_FILES, name) ? PACKAGE_FILES[name] : undefined;
    if (type === undefined) throw new StoreError("not_found", "There is nothing at this path.");
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

export const docsRoutes: readonly Route<DocsNeeds>[] = [openApi, page, file];
