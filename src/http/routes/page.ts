import { StoreError } from "../../domain/errors.ts";
import type { Login } from "../../ports/token-verifier.ts";
import { evaluateRead } from "../conditional.ts";
import { essenceOf } from "../media-type.ts";
import { acceptedCoding, negotiate } from "../negotiation.ts";
import { PAGE_TYPES, type PageFiles } from "../page-files.ts";
import { type Route, type RouteRequest, route } from "../route.ts";

export interface PageRouteDeps {
  /** Undefined: the store serves no page. */
  readonly page: PageFiles | undefined;
  readonly login: Login | undefined;
}

const tag = "Page";

/**
 * Nothing comes from elsewhere or runs inline, and no text becomes markup: the page needs no policy of trusted types, so none
 * may be made.
 */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; font-src 'self'; " +
  "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
  "require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS = {
  "Content-Security-Policy": POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Resource-Policy": "same-origin",
  "Referrer-Policy": "no-referrer",
};

/** Whether the client is a person's browser, which gets the page where a program gets JSON. */
export const wantsPage = ({ raw: { headers } }: RouteRequest, { page }: PageRouteDeps): boolean => {
  const accept = headers.get("accept");
  return (
    page !== undefined &&
    accept?.includes("text/html") === true &&
    negotiate(accept, ["application/json", "text/html"]) === "text/html"
  );
};

/** The document of the page, which is the same on each of its paths. */
export function answerPageDocument(
  request: RouteRequest,
  { page }: PageRouteDeps,
  extra: Readonly<Record<string, string>> = {},
): Response {
  if (page === undefined) throw noSuchPath();
  const { bytes, etag } = page.document(request.path.split("/").length - 2);
  const headers = { ETag: etag, "Cache-Control": "no-cache", ...HEADERS, ...extra };
  if (evaluateRead(request.raw.headers, etag) === "not_modified") return new Response(null, { status: 304, headers });
  return new Response(bytes, {
    headers: { ...headers, "Content-Type": "text/html; charset=utf-8", "Content-Length": String(bytes.length) },
  });
}

const noSuchPath = () => new StoreError("not_found", "No route has this path.");

/** Where the issuer sends people back to, the page exchanges their code for a token: only there may it ask the issuer. */
async function answerSignInDocument(request: RouteRequest, deps: PageRouteDeps): Promise<Response> {
  const isReturn = new URLSearchParams(request.search).has("code");
  const login = isReturn ? await deps.login?.find().catch(() => undefined) : undefined;
  if (login === undefined) return answerPageDocument(request, deps);
  const { origin, pathname } = new URL(login.tokenUrl);
  const token = origin + pathname.replaceAll(";", "%3B").replaceAll(",", "%2C");
  return answerPageDocument(request, deps, {
    "Content-Security-Policy": POLICY.replace("connect-src 'self'", `connect-src 'self' ${token}`),
    "Cache-Control": "no-store",
  });
}

const documentAt = (path: string, operationId: string, answer: Route<PageRouteDeps>["handle"] = answerPageDocument) =>
  route(
    {
      method: "GET",
      path,
      operationId,
      right: "open",
      isOfPage: path !== "/albums",
      takesAnyQuery: true,
      summary: "Get the page",
      description:
        "The page on which people see and change albums and images. It is the same document on each path of the page: `/albums/…`, `/events`, `/admin`, " +
        "`/sign-in`, and, for clients that prefer HTML, `/` and `/s/<secret>`. The store ignores query parameters, which the page may use.",
      tag,
      requestHeaders: ["If-None-Match"],
      responses: {
        200: {
          description: "The document.",
          headers: ["ETag", "Vary", "X-Robots-Tag"],
          content: { "text/html": { schema: "text" } },
        },
        304: { description: "The client's copy is current.", headers: ["ETag", "Vary", "X-Robots-Tag"] },
      },
      errors: ["not_found", "precondition_failed"],
    },
    answer,
  );

/** Each path that the page has for one of its views, except `/` and share links, which answer programs as well. */
const documents = [
  documentAt("/albums", "getPage"),
  documentAt("/albums/{view}", "getAlbumView"),
  documentAt("/albums/{view}/{detail}", "getImageView"),
  documentAt("/events", "getEventsView"),
  documentAt("/admin", "getAdminView"),
  documentAt("/admin/{view}", "getAdminPartView"),
  documentAt("/sign-in", "getSignInView", answerSignInDocument),
];

const asset = route(
  {
    method: "GET",
    path: "/assets/{asset}",
    operationId: "getPageFile",
    right: "open",
    takesAnyQuery: true,
    summary: "Get a file of the page",
    description: "A script, style sheet or picture of the page. The digest in its name changes with its content.",
    tag,
    requestHeaders: ["If-None-Match"],
    responses: {
      200: {
        description: "The file.",
        headers: ["ETag", "Vary", "Content-Encoding"],
        content: Object.fromEntries(
          Object.values(PAGE_TYPES).map((type) => [
            essenceOf(type),
            { schema: type.startsWith("text/") ? "text" : "binary" },
          ]),
        ),
      },
      304: { description: "The client's copy is current.", headers: ["ETag", "Vary"] },
    },
    errors: ["not_found", "precondition_failed"],
  },
  (request, { page }: PageRouteDeps) => {
    const found = page?.asset(request.params.asset);
    if (found === undefined) throw noSuchPath();
    const coding = acceptedCoding(
      request.raw.headers.get("accept-encoding"),
      found.packed.map((packed) => packed.coding),
    );
    const { bytes, etag } = found.packed.find((packed) => packed.coding === coding) ?? found;
    const headers = {
      ETag: etag,
      "Cache-Control": "public, max-age=31536000, immutable",
      Vary: "Accept-Encoding",
      ...HEADERS,
    };
    if (evaluateRead(request.raw.headers, etag) === "not_modified") return new Response(null, { status: 304, headers });
    return new Response(bytes, {
      headers: {
        ...headers,
        ...(coding !== undefined && { "Content-Encoding": coding }),
        "Content-Type": found.type,
        "Content-Length": String(bytes.length),
      },
    });
  },
);

export const pageRoutes: readonly Route<PageRouteDeps>[] = [...documents, asset];
