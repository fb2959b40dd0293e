/** The headers that openapi.json documents, each described once. */
export const REQUEST_HEADERS = {
  "If-Match": "Only if the present ETag is one of these (RFC 9110), or `*` for any that exists.",
  "If-None-Match": "Only if the present ETag is none of these, or `*` for none that exists.",
  "If-Range": "The range only if this is the present ETag, else the whole.",
  Range: "One byte range, such as `bytes=0-1023`. More than one is answered with the whole.",
  "Idempotency-Key": "Up to 255 visible ASCII characters. The same request again gets the first answer for 24 hours.",
  "Content-Digest": "RFC 9530, such as `sha-256=:<base64>:`. Bytes with another digest are refused.",
  "Last-Event-ID": "The cursor to go on after; sent by EventSource by itself.",
} as const;
export type RequestHeader = keyof typeof REQUEST_HEADERS;

export const RESPONSE_HEADERS = {
  ETag: "The version, for If-Match and If-None-Match.",
  Location: "The path of what was created.",
  Link: 'The next page: `rel="next"` (RFC 8288).',
  "Cache-Control": "Who may keep it and for how long.",
  "Content-Location": "Of a variant: a link to it that may be kept for ever (RFC 9110, 8.7).",
  "Content-Disposition": "The name for saving (RFC 6266).",
  "Content-Length": "Bytes of the body.",
  "Content-Range": "The part of the whole that this is.",
  "Accept-Ranges": "`bytes`.",
  "Repr-Digest": "Of the whole representation (RFC 9530).",
  Vary: "`Accept` where it decided the format.",
  "WWW-Authenticate": "How to authenticate: `Bearer`.",
  "Retry-After": "Seconds to wait.",
  "Idempotent-Replayed": "`true` when this is the first answer to this Idempotency-Key, given again.",
} as const;
export type ResponseHeader = keyof typeof RESPONSE_HEADERS;
