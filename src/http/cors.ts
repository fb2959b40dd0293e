import { REQUEST_HEADERS, RESPONSE_HEADERS } from "./headers.ts";

/** Cross-origin calls, from configured origins only: else browsers keep every answer from the pages of other origins. */
export interface Cors {
  /** Adds what the answer to an allowed origin needs. */
  decorate(request: Request, headers: Headers, anyOrigin: boolean): void;
  /** The headers of the answer to a preflight of an allowed origin, else undefined. */
  preflight(request: Request, methods: string, anyOrigin: boolean): Record<string, string> | undefined;
}

/** Readable without being named (Fetch, "CORS-safelisted response-header name"), or of no use to a page. */
const NOT_EXPOSED: ReadonlySet<string> = new Set([
  "Cache-Control",
  "Clear-Site-Data",
  "Content-Length",
  "Last-Modified",
  "Set-Cookie",
  "Vary",
  "X-Accel-Buffering",
  "X-Robots-Tag",
]);
const EXPOSED = Object.keys(RESPONSE_HEADERS)
  .concat("Date", "X-Request-Id")
  .filter((name) => !NOT_EXPOSED.has(name))
  .toSorted()
  .join(", ");

/** What pages and their libraries send: the API's own, and what upload widgets, caches and tracers add unasked. */
const ALLOWED = Object.keys(REQUEST_HEADERS)
  .concat("Authorization", "Content-Type", "Traceparent", "X-Request-Id")
  .concat("Baggage", "Cache-Control", "Pragma", "Tracestate", "X-Requested-With")
  .toSorted()
  .join(", ");

/**
 * `anyOrigin` of a request: pages of every origin may make it, whatever is configured.
 * @param origins `*` alone for every one. No credentials are allowed with either: a key is sent by the page's own hand.
 */
export function createCors(origins: readonly string[]): Cors {
  const isAny = origins.includes("*");
  const allowed = (request: Request, anyOrigin: boolean) => {
    if (isAny || anyOrigin) return "*";
    const origin = request.headers.get("origin");
    return origin !== null && origins.includes(origin) ? origin : undefined;
  };
  return {
    decorate(request, headers, anyOrigin) {
      if (origins.length === 0 && !anyOrigin) return;
      // Also without an Origin: a cache must not give that answer to a page that sends one.
      if (!isAny && !anyOrigin) headers.append("Vary", "Origin");
      const origin = allowed(request, anyOrigin);
      if (origin === undefined) return;
      headers.set("Access-Control-Allow-Origin", origin);
      headers.set("Access-Control-Expose-Headers", EXPOSED);
    },
    preflight(request, methods, anyOrigin) {
      const { headers } = request;
      if (allowed(request, anyOrigin) === undefined) return undefined;
      if (!headers.has("origin") || !headers.has("access-control-request-method")) return undefined;
      return {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": ALLOWED,
        "Access-Control-Max-Age": "600",
      };
    },
  };
}
