/** The headers that openapi.json documents, each described once. */
export const REQUEST_HEADERS = {
  "If-Match": "Succeeds only if the current ETag is one of these (RFC 9110). `*`: only if the resource exists.",
  "If-None-Match": "Succeeds only if the current ETag is none of these. `*`: only if the resource does not exist.",
  "If-Modified-Since": "Succeeds only if the resource was changed after this HTTP-date. Ignored beside If-None-Match.",
  "If-Unmodified-Since": "Succeeds only if the resource was not changed after this HTTP-date. Ignored beside If-Match.",
  "If-Range": "The range applies only if this is the current ETag; otherwise the response has all bytes.",
  Range: "One byte range, such as `bytes=0-1023`. With several ranges the response has all bytes.",
  "Idempotency-Key":
    "Up to 255 visible ASCII characters. A repeated request gets the first response again, for 24 hours.",
  "Content-Digest":
    "Digest of the body (RFC 9530), such as `sha-256=:<base64>:`. Bytes with another digest are refused.",
  "Repr-Digest": "Same as Content-Digest, since a body has no Content-Encoding.",
  "Content-MD5": "MD5 of the body in base64 (RFC 1864). Bytes with another digest are refused.",
  "Last-Event-ID": "Cursor after which the stream resumes. EventSource sends it when it reconnects.",
} as const;
export type RequestHeader = keyof typeof REQUEST_HEADERS;

/** Bounds of their values in openapi.json. */
export const HEADER_BOUNDS: Partial<Record<RequestHeader, object>> = {
  "Idempotency-Key": { minLength: 1, maxLength: 255, pattern: "^[\\x21-\\x7e]+$" },
};

export const RESPONSE_HEADERS = {
  ETag: "Version of the resource, for If-Match and If-None-Match.",
  "Last-Modified": "When the bytes or their name last changed, to the second. The ETag is exact.",
  Location: "Path of the created resource, or of the redirect's target.",
  Link: 'The next page, as `rel="next"` (RFC 8288). On `/`: the API description (RFC 8631).',
  "Set-Cookie": "The cookie of the session, or its removal.",
  "Clear-Site-Data": "Sent with the removal of the cookie: the browser clears its cache of the store.",
  "Cache-Tag":
    "Ids of the image and its album, separated by a comma, if the store is set to send them. Cloudflare purges by them.",
  "Surrogate-Key":
    "Ids of the image and its album, separated by a space, if the store is set to send them. Fastly and Varnish purge by them.",
  "Cache-Control": "Which caches may store the response, and for how long.",
  "Content-Location":
    "On a variant: a permanent link to it. On a write: path of the record in the body (RFC 9110, 8.7).",
  "Content-Disposition": "File name for saving (RFC 6266).",
  "Content-Length": "Size of the body in bytes.",
  "Content-Range": "Range of the bytes in the body, and their total number.",
  "Accept-Ranges": "`bytes`.",
  "Repr-Digest": "Digest of all bytes (RFC 9530).",
  Vary: "`Accept` when it decided the media type; `Accept-Encoding` when it decided the coding; `Authorization` when the API key decided the content.",
  "WWW-Authenticate":
    "`Bearer` (RFC 6750), with `error` when the request had a key, and `scope` when the key lacks a right. With 404 when a request without a key might succeed with one.",
  Accept: "Media types that the route accepts.",
  "Accept-Patch": "Media types of patches that the route accepts (RFC 5789).",
  "Accept-Encoding": "`identity`: the body must have no content coding.",
  "Content-Encoding": "`br` or `gzip`, if the client accepts it.",
  Allow: "Methods that the path supports.",
  "X-Accel-Buffering": "`no`: nginx forwards each event at once.",
  "X-Robots-Tag": "`noindex, nofollow`: search engines leave the URL alone.",
  "Retry-After": "Seconds to wait.",
  "Idempotent-Replayed": "`true` when this is the first response to the Idempotency-Key, sent again.",
} as const;
export type ResponseHeader = keyof typeof RESPONSE_HEADERS;
