import type { Caller } from "../domain/caller.ts";
import type { StoreError } from "../domain/errors.ts";

/** What is known of a request while it is answered. */
export interface Exchange {
  /** By `performance.now()`. */
  readonly startedAt: number;
  /** As sent, not decoded. */
  readonly path: string;
  /** Of the path: what is between its slashes, and an empty one before the first. */
  readonly segments: readonly string[];
  /** What follows the `?`, as sent. */
  readonly search: string;
  readonly requestId: string;
  readonly stopping: AbortSignal;
  /** Whether pages of any origin may make the request and read its answer. */
  readonly anyOrigin: boolean;
  /** undefined until a route has it. */
  operationId: string | undefined;
  /** The header that tells which types of body the route takes. */
  accepted: Readonly<Record<string, string>>;
  /** undefined until it is found out. */
  caller: Caller | undefined;
  /** What the answer reports, where it is an error. */
  error: StoreError | undefined;
}

export function startExchange(
  request: Request,
  stopping: AbortSignal,
  isForAnyOrigin: (path: string) => boolean,
): Exchange {
  const startedAt = performance.now();
  const { url } = request;
  // The runtime gives the bare target where the Host makes no valid URL.
  const start = url.startsWith("/") ? 0 : url.indexOf("/", url.indexOf("://") + 3);
  const question = url.indexOf("?", start);
  const path = question === -1 ? url.slice(start) : url.slice(start, question);
  return {
    startedAt,
    path,
    segments: path.split("/"),
    search: question === -1 ? "" : url.slice(question + 1),
    requestId: readRequestId(request.headers),
    stopping,
    anyOrigin: isForAnyOrigin(path),
    operationId: undefined,
    accepted: {},
    caller: undefined,
    error: undefined,
  };
}

const SANE_ID = /^[\w.:~+/=-]{1,128}$/;

function readRequestId(headers: Headers): string {
  const given = headers.get("x-request-id");
  return given !== null && SANE_ID.test(given) ? given : Bun.randomUUIDv7();
}

const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;

/** W3C trace context; a malformed one is as none. */
export function readTraceparent(headers: Headers): string | undefined {
  const given = headers.get("traceparent");
  return given !== null && TRACEPARENT.test(given) ? given : undefined;
}
