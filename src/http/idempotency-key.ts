import { createHash } from "node:crypto";
import type { Caller } from "../domain/caller.ts";
import type { Idempotency } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";
import type { RouteRequest } from "./route.ts";

/**
 * The Idempotency-Key of a request and whose it is; undefined without one.
 * @throws StoreError `invalid_request`
 */
export function readIdempotencyKey(request: RouteRequest): Pick<Idempotency, "scope" | "key"> | undefined {
  const key = request.raw.headers.get("idempotency-key");
  if (key === null) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new StoreError("invalid_request", "The header Idempotency-Key is malformed.", {
      errors: [{ parameter: "Idempotency-Key", detail: "must be 1 to 255 visible ASCII characters" }],
    });
  }
  return { scope: JSON.stringify([ownerOf(request.caller), request.method, request.path]), key };
}

/** A key's is its id alone, as versions before there were other kinds of callers stored it. */
const ownerOf = ({ kind, id }: Caller) => (kind === "key" || id === null ? id : [kind, id]);

/**
 * Equal for two requests that ask for the same. `content` is what the body says, so that neither another spelling of the
 * same JSON nor another multipart boundary makes another request.
 */
export function fingerprint(request: RouteRequest, content: unknown): string {
  const parameters = new URLSearchParams(request.search);
  parameters.sort();
  return createHash("sha256")
    .update(canonicalJson([[...parameters], content]))
    .digest("hex");
}

/** The same text for the same value, in whatever order its keys came. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}
