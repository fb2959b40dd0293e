/** Cross-origin reads, for configured origins only: without one, browsers keep every answer from other origins' pages. */
export interface Cors {
  /** Adds what the answer to an allowed origin needs. */
  decorate(request: Request, headers: Headers): void;
  /** The headers of the answer to a preflight of an allowed origin, else undefined. */
  preflight(request: Request, methods: string): Record<string, string> | undefined;
}

const EXPOSED =
  "Accept-Ranges, Content-Disposition, Content-Location, Content-Range, ETag, Idempotent-Replayed, Link, Location, Repr-Digest, X-Request-Id";
const ALLOWED =
  "Authorization, Content-Digest, Content-Type, Idempotency-Key, If-Match, If-None-Match, If-Range, Last-Event-ID, Range, Traceparent, X-Request-Id";

export function createCors(origins: readonly string[]): Cors {
  const allowed = (request: Request) => {
    const origin = request.headers.get("origin");
    return origin !== null && origins.includes(origin) ? origin : undefined;
  };
  return {
    decorate(request, headers) {
      if (origins.length === 0) return;
      // Also without an Origin: a cache must not give that answer to a page that sends one.
      headers.append("Vary", "Origin");
      const origin = allowed(request);
      if (origin === undefined) return;
      headers.set("Access-Control-Allow-Origin", origin);
      headers.set("Access-Control-Expose-Headers", EXPOSED);
    },
    preflight(request, methods) {
      if (allowed(request) === undefined || !request.headers.has("access-control-request-method")) return undefined;
      return {
        "Access-Control-Allow-Methods": methods,
        "Access-Control-Allow-Headers": ALLOWED,
        "Access-Control-Max-Age": "600",
      };
    },
  };
}
