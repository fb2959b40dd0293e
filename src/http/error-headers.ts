import type { ErrorCode, StoreError } from "../domain/errors.ts";
import type { Exchange } from "./exchange.ts";
import { statusOf } from "./problem.ts";
import type { RouteDefinition } from "./route.ts";

/** The headers of an error answer that say what a client can do about it. */
export function errorHeaders(request: Request, exchange: Exchange, error: StoreError): Record<string, string> {
  const challenge = challengeFor(request.headers, exchange, error);
  if (challenge !== undefined) return { "WWW-Authenticate": challenge };
  if (statusOf(error.code) !== 415) return {};
  const coding = request.headers.get("content-encoding") ?? "identity";
  return {
    ...exchange.accepted,
    // RFC 9110, 12.5.3: so that a client can tell a coding from a type.
    ...(coding.toLowerCase() === "identity" ? {} : { "Accept-Encoding": "identity" }),
  };
}

/** Whether the error may stand for an album that the caller must not know of. */
export const isHiding = (code: ErrorCode): boolean => code === "album_not_found" || code === "image_not_found";
const REALM = 'Bearer realm="image-store"';

/** `WWW-Authenticate` by RFC 6750, 3; undefined for an error that another key would not change. */
function challengeFor(headers: Headers, { caller }: Exchange, error: StoreError): string | undefined {
  // Without a token, or with another scheme, there is nothing to say of one.
  const hasToken = /^bearer\b/i.test(headers.get("authorization") ?? "");
  if (statusOf(error.code) === 401) return hasToken ? `${REALM}, error="invalid_token"` : REALM;
  // Whether it is there or not, credentials might change the answer (RFC 9110, 11.6.1).
  if (caller?.kind === "anonymous" && isHiding(error.code)) return REALM;
  const { missing } = error.members;
  if (!Array.isArray(missing)) return undefined;
  return `${REALM}${hasToken ? ', error="insufficient_scope"' : ""}, scope="${missing.join(" ")}"`;
}

/** The types of the bodies that a route takes, under the header that tells them. */
export function acceptedTypes(definition: RouteDefinition): Readonly<Record<string, string>> {
  const { alternatives = {}, body, method, streams = {} } = definition;
  const others = Object.keys(alternatives).filter((type) => alternatives[type]?.verb === "accepts");
  const types = body === undefined ? Object.keys(streams).concat(others) : (body.types ?? ["application/json"]);
  if (types.length === 0) return {};
  return { [method === "PATCH" ? "Accept-Patch" : "Accept"]: types.join(", ") };
}
