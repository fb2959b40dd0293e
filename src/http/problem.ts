import type { ErrorCode, StoreError } from "../domain/errors.ts";

/** Every code's status and what it means, for answers and for openapi.json alike. */
export const PROBLEMS = {
  invalid_request: [400, "The body, a parameter or a header is malformed; `errors` says which."],
  unknown_parameter: [400, "A query parameter that this route does not have, or one given twice."],
  invalid_name: [400, "A name breaks the rules for names."],
  invalid_variant: [400, "A parameter of the variant is not what it may be; `errors` names it."],
  invalid_host: [400, "The Host header is missing, malformed, repeated or not one that this store answers to."],
  invalid_page_token: [400, "The page token was not made for this listing."],
  empty_body: [400, "A body is needed."],
  unauthorized: [401, "A valid API key is needed."],
  forbidden: [403, "The API key lacks the right that this needs."],
  forbidden_origin: [403, "A page of another origin may not change a store that asks for no key."],
  variant_not_allowed: [403, "A variant that needs a signed link, or a key with the right `transform`."],
  invalid_link: [403, "The signature of the link does not fit it, or its key is no longer in use."],
  link_expired: [403, "The signed link has expired."],
  not_found: [404, "There is nothing at this path."],
  album_not_found: [404, "There is no such album."],
  image_not_found: [404, "There is no such image."],
  cursor_not_found: [404, "There is no such cursor."],
  method_not_allowed: [405, "The path has other methods; `Allow` lists them."],
  not_acceptable: [406, "No form of the answer is one that `Accept` takes."],
  request_timeout: [408, "The request came too slowly."],
  album_exists: [409, "There is an album of that name."],
  image_exists: [409, "There is an image of that name in the album."],
  album_not_empty: [409, "The album has images; `recursive=true` deletes them with it."],
  request_in_progress: [409, "A request with this Idempotency-Key is still running."],
  cursor_unknown: [410, "The cursor is not one of this log; take a listing and go on from its watermark."],
  cursor_expired: [410, "The events after the cursor are no longer kept; `oldestCursor` is where they begin."],
  precondition_failed: [412, "If-Match or If-None-Match does not hold."],
  too_large: [413, "The body is over the limit."],
  unsupported_image: [415, "The bytes are no image of an accepted type, or not of the declared one."],
  unsupported_media_type: [415, "A Content-Type or Content-Encoding that this route does not take."],
  range_not_satisfiable: [416, "The range begins beyond the end."],
  digest_mismatch: [422, "The bytes do not have the digest that the request states."],
  image_too_large: [422, "The image has more pixels than are allowed."],
  invalid_image: [422, "The image is broken."],
  idempotency_key_reused: [422, "The Idempotency-Key was used for another request."],
  internal: [500, "Something went wrong in the store; its log has the request id."],
  blob_damaged: [503, "The stored bytes are not what was uploaded; uploading them again heals the image."],
  busy: [503, "Too much is waiting; try again soon."],
  unavailable: [503, "A part of the store does not answer, or the outcome of a write is unknown."],
  upload_expired: [503, "The upload took longer than the grace, and its bytes were swept; try again."],
  lease_lost: [503, "Another node does this now; no request meets it."],
  insufficient_storage: [507, "The disk is full; nothing was changed."],
} as const satisfies Record<ErrorCode, readonly [status: number, meaning: string]>;

const PHRASES: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  422: "Unprocessable Content",
  500: "Internal Server Error",
  503: "Service Unavailable",
  507: "Insufficient Storage",
};

export const statusOf = (code: ErrorCode): number => PROBLEMS[code][0];

/** The members of a problem document (RFC 9457). With the type `about:blank` the title is the status phrase. */
export function problemBody(error: Pick<StoreError, "code" | "message" | "errors" | "members">, requestId: string) {
  const status = statusOf(error.code);
  return {
    ...error.members,
    type: "about:blank",
    title: PHRASES[status] ?? "Error",
    status,
    detail: error.message,
    code: error.code,
    requestId,
    ...(error.errors.length === 0 ? {} : { errors: error.errors }),
  };
}

/** The one form of every error answer. */
export function problem(
  error: StoreError,
  requestId: string,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const status = statusOf(error.code);
  const body = JSON.stringify(problemBody(error, requestId));
  return new Response(body, {
    status,
    headers: {
      "Content-Type": "application/problem+json",
      "Content-Length": String(Buffer.byteLength(body)),
      "Cache-Control": "no-store",
      ...(status === 401 ? { "WWW-Authenticate": 'Bearer realm="image-store"' } : {}),
      ...(status === 503 ? { "Retry-After": "1" } : {}),
      ...headers,
    },
  });
}
