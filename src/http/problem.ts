import type { ErrorCode, StoreError } from "../domain/errors.ts";

/** Every code's status and what it means, for answers and for openapi.json alike. */
export const PROBLEMS = {
  invalid_request: [400, "The body, a parameter or a header is malformed; `errors` says which."],
  unknown_parameter: [400, "A query parameter is unknown, or is given twice."],
  invalid_name: [400, "A name is not valid."],
  invalid_variant: [400, "A parameter of the variant is not valid; `errors` names it."],
  invalid_host: [
    400,
    "The Host header is missing, malformed, repeated, or names a host that this store does not serve.",
  ],
  invalid_webhook_url: [400, "The store must not connect to the URL of the webhook; `detail` says why."],
  invalid_page_token: [400, "The page token was not made for this listing."],
  empty_body: [400, "The body is required and empty."],
  unauthorized: [401, "A valid API key or token is required."],
  session_ended: [401, "The session of the page has ended: signed out, expired, or revoked."],
  forbidden: [403, "The caller lacks a right that the request needs; `missing` names it."],
  forbidden_origin: [403, "Pages of another origin must not change a store without API keys."],
  variant_not_allowed: [403, "The variant needs a signed link, or an API key with the right `transform`."],
  original_not_shared: [
    403,
    "The share gives only variants, or the store gives the public no originals with their location.",
  ],
  https_required: [403, "A session needs HTTPS, except on a loopback host."],
  invalid_link: [403, "The signature does not match the link, or its key is no longer in use."],
  link_expired: [403, "The signed link has expired."],
  not_found: [404, "No route has this path."],
  album_not_found: [404, "The album does not exist, or the caller has no right on it."],
  bytes_not_found: [404, "No image that the caller may read has these bytes. Upload the bytes."],
  image_not_found: [404, "The image does not exist, or the caller has no right on its album."],
  cursor_not_found: [404, "The cursor does not exist."],
  webhook_not_found: [404, "The webhook does not exist."],
  key_not_found: [404, "The API key does not exist."],
  quota_not_found: [404, "No such quota is set."],
  ticket_not_found: [404, "The upload ticket does not exist, was revoked, or its secret is wrong."],
  share_not_found: [404, "The share does not exist, has expired or was revoked."],
  session_not_found: [404, "The request came without a session."],
  method_not_allowed: [405, "The path does not support the method; `Allow` lists those that it does."],
  not_acceptable: [406, "The response has no media type that `Accept` allows."],
  request_timeout: [408, "The client sent the request too slowly."],
  album_exists: [409, "An album of that name exists."],
  image_exists: [409, "An image of that name exists in the album."],
  album_not_empty: [409, "The album has images; `recursive=true` deletes them too."],
  key_not_editable: [409, "The API key comes from the configuration, or was revoked; it cannot be changed."],
  cursor_of_webhook: [409, "The cursor belongs to a webhook, and goes with it."],
  too_many_webhooks: [409, "The store has as many webhooks as it may have."],
  webhook_replaying: [409, "The webhook is still replaying another range."],
  request_in_progress: [
    409,
    "A request with this Idempotency-Key, or as many uploads as the ticket allows, are still running.",
  ],
  cursor_unknown: [410, "The cursor is not of this log. Read a listing, and follow the log from its watermark."],
  cursor_expired: [410, "The events after the cursor are no longer kept; the log begins at `oldestCursor`."],
  ticket_expired: [410, "The upload ticket has expired."],
  ticket_used: [410, "The upload ticket has been used for as many files as it allows."],
  precondition_failed: [412, "If-Match, If-None-Match or If-Unmodified-Since does not hold."],
  too_large: [413, "The body is larger than the limit."],
  unsupported_image: [415, "The bytes are not an image of an accepted type, or not of the declared type."],
  unsupported_media_type: [415, "The route does not accept the Content-Type or Content-Encoding."],
  range_not_satisfiable: [416, "The range begins after the end of the bytes."],
  digest_mismatch: [422, "The bytes do not have the digest that the request states."],
  image_too_large: [422, "The image has more pixels than are allowed."],
  invalid_image: [422, "The image cannot be decoded."],
  idempotency_key_reused: [422, "The Idempotency-Key was used for a different request."],
  internal: [500, "An internal error; the log of the store has the details under the request id."],
  blob_damaged: [503, "The stored bytes are not the uploaded ones. Uploading them again repairs the image."],
  busy: [503, "The store is overloaded. Try again after `Retry-After` seconds."],
  unavailable: [503, "A dependency of the store does not respond, or the outcome of a write is unknown."],
  upload_expired: [503, "The upload took longer than the grace period and its bytes were deleted. Try again."],
  lease_lost: [503, "Another node holds the lease. Requests never get this code."],
  insufficient_storage: [507, "The disk is full. Nothing was changed."],
  quota_exceeded: [
    507,
    "The upload does not fit into a quota; `scope`, `unit`, `limit` and `used` say which. Nothing was changed.",
  ],
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
      ...(status === 503 ? { "Retry-After": "1" } : {}),
      ...headers,
    },
  });
}
