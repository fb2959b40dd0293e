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
  | "invalid_webhook_url"
  | "invalid_page_token"
  | "empty_body"
  | "unauthorized"
  | "session_ended"
  | "forbidden"
  | "forbidden_origin"
  | "variant_not_allowed"
  | "original_not_shared"
  | "https_required"
  | "invalid_link"
  | "link_expired"
  | "ticket_expired"
  | "ticket_used"
  | "not_found"
  | "album_not_found"
  | "image_not_found"
  | "bytes_not_found"
  | "cursor_not_found"
  | "webhook_not_found"
  | "session_not_found"
  | "key_not_found"
  | "quota_not_found"
  | "ticket_not_found"
  | "share_not_found"
  | "method_not_allowed"
  | "not_acceptable"
  | "request_timeout"
  | "album_exists"
  | "image_exists"
  | "album_not_empty"
  | "key_not_editable"
  | "cursor_of_webhook"
  | "too_many_webhooks"
  | "webhook_replaying"
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
  | "insufficient_storage"
  | "quota_exceeded";

/** One thing wrong with one part of the input. `pointer` is a JSON pointer into the body, or `name` of a parameter. */
export interface FieldError {
  readonly pointer?: string;
  readonly parameter?: string;
  /** Of a file in a form: the place of its part among all parts, from 0, the name of its image, and why it was refused. */
  readonly part?: number;
  readonly name?: string;
  readonly code?: ErrorCode;
  readonly detail: string;
}

export interface ErrorExtras {
  /** For the log: which of several causes it was, where the answer does not tell. One word. */
  readonly reason?: string;
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
  readonly reason: string | undefined;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.name = "StoreError";
    this.code = code;
    this.errors = extras.errors ?? [];
    this.members = extras.members ?? {};
    this.reason = extras.reason;
  }
}

export const albumNotFound = () => new StoreError("album_not_found", "There is no such album.");
export const albumExists = () => new StoreError("album_exists", "An album with this name exists already.");
/** Of a move or copy: as for an album that the caller must not know of. */
export const targetNotFound = () =>
  new StoreError("album_not_found", "There is no such album to move or copy to.", {
    errors: [{ pointer: "/album", detail: "names no album" }],
  });
export const shareNotFound = () => new StoreError("share_not_found", "There is no such share.");
/** The same whether no image has the bytes or the caller may read none that has. */
export const bytesNotFound = () =>
  new StoreError("bytes_not_found", "No image that the caller may read has these bytes. Upload the bytes.");
export const webhookNotFound = () => new StoreError("webhook_not_found", "There is no such webhook.");
export const imageNotFound = () => new StoreError("image_not_found", "There is no such image.");

export const ticketNotFound = () =>
  new StoreError("ticket_not_found", "There is no such upload ticket. It was revoked, or its URL is not complete.");
export const ticketUsed = () =>
  new StoreError("ticket_used", "The upload ticket has been used for as many files as it allows.");

/** `names`: of the images of a change that are there already. */
export const imageExists = (names: readonly string[] = []) => {
  const detail = "There is an image of that name in the album already.";
  const errors = names.map((name) => ({ name, code: "image_exists" as const, detail }));
  return new StoreError("image_exists", detail, { errors });
};

/** An error that crosses a thread or a process loses its class; these two carry what matters. `cause` is for the log. */
export interface SerializedError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly errors: readonly FieldError[];
  readonly members: Readonly<Record<string, unknown>>;
  /** An error, or the text of anything else. */
  readonly cause?: SerializedCause | string;
}

/** Apart from the message, which commands print, the stack is for the log. */
interface SerializedCause {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
}

export const serializeError = (error: StoreError): SerializedError => ({
  code: error.code,
  message: error.message,
  errors: error.errors,
  members: error.members,
  ...(error.cause === undefined ? {} : { cause: serializeCause(error.cause) }),
});

export function deserializeError({ code, message, cause, ...extras }: SerializedError): StoreError {
  if (typeof cause !== "object") return new StoreError(code, message, { ...extras, cause });
  return new StoreError(code, message, { ...extras, cause: Object.assign(new Error(cause.message), cause) });
}

function serializeCause(cause: unknown): SerializedCause | string {
  if (!(cause instanceof Error)) return String(cause);
  const { name, message, code, stack } = cause as Error & { readonly code?: unknown };
  return { name, message, ...(typeof code === "string" && { code }), ...(stack !== undefined && { stack }) };
}
