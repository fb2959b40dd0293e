/**
 * Everything that can go wrong in a way that a caller may know of. A code is part of the API and never changes its
 * meaning; `http/problem.ts` maps each to a status, once. Adapters translate their own failures into these at their edge.
 */
export type ErrorCode =
  | "invalid_request"
  | "unknown_parameter"
  | "invalid_name"
  | "invalid_variant"
  | "invalid_host"
  | "invalid_page_token"
  | "empty_body"
  | "unauthorized"
  | "forbidden"
  | "forbidden_origin"
  | "variant_not_allowed"
  | "invalid_link"
  | "link_expired"
  | "not_found"
  | "album_not_found"
  | "image_not_found"
  | "cursor_not_found"
  | "method_not_allowed"
  | "not_acceptable"
  | "request_timeout"
  | "album_exists"
  | "image_exists"
  | "album_not_empty"
  | "request_in_progress"
  | "cursor_unknown"
  | "cursor_expired"
  | "precondition_failed"
  | "too_large"
  | "unsupported_image"
  | "unsupported_media_type"
  | "range_not_satisfiable"
  | "digest_mismatch"
  | "image_too_large"
  | "invalid_image"
  | "idempotency_key_reused"
  | "internal"
  | "busy"
  | "unavailable"
  | "upload_expired"
  | "lease_lost"
  | "blob_damaged"
  | "insufficient_storage";

/** One thing wrong with one part of the input. `pointer` is a JSON pointer into the body, or `name` of a parameter. */
export interface FieldError {
  readonly pointer?: string;
  readonly parameter?: string;
  readonly detail: string;
}

export interface ErrorExtras {
  readonly errors?: readonly FieldError[];
  /** More members of the problem document, such as `oldestCursor`. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** `message` may be shown to the caller; what only the log may know goes into `cause`. */
export class StoreError extends Error {
  readonly code: ErrorCode;
  readonly errors: readonly FieldError[];
  readonly members: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.name = "StoreError";
    this.code = code;
    this.errors = extras.errors ?? [];
    this.members = extras.members ?? {};
  }
}

export const albumNotFound = () => new StoreError("album_not_found", "There is no such album.");
export const imageNotFound = () => new StoreError("image_not_found", "There is no such image.");

/** An error that crosses a thread or a process loses its class; these two carry what matters. `cause` is for the log. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly errors: readonly FieldError[];
  readonly members: Readonly<Record<string, unknown>>;
  readonly cause?: string;
}

export const serializeError = (error: StoreError): SerializedError => ({
  code: error.code,
  message: error.message,
  errors: error.errors,
  members: error.members,
  ...(error.cause === undefined ? {} : { cause: describeCause(error.cause) }),
});

export const deserializeError = (error: SerializedError): StoreError =>
  new StoreError(error.code, error.message, error);

const describeCause = (cause: unknown): string =>
  cause instanceof Error ? (cause.stack ?? String(cause)) : String(cause);
