import { createHash } from "node:crypto";
import type { Idempotency } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";
import type { RouteRequest } from "./route.ts";

/**
 * What the Idempotency-Key of a request asks for; undefined without one. `content` is what the body says, so that another
 * spelling of the same JSON, or another multipart boundary, is the same request.
 * @throws StoreError `invalid_request`
 */
export function readIdempotency(request: RouteRequest, content: unknown): Idempotency | undefined {
  const key = request.raw.headers.get("idempotency-key");
  if (key === null) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new StoreError("invalid_request", "The header Idempotency-Key is malformed.", {
      errors: [{ parameter: "Idempotency-Key", detail: "must be 1 to 255 visible ASCII characters" }],
    });
  }
  const parameters = new URLSearchParams(request.search);
  parameters.sort();
  return {
    scope: JSON.stringify([request.grant.principal ?? null, request.method, request.path]),
    key,
    fingerprint: createHash("sha256")
      .update(canonicalJson([[...parameters], content]))
      .digest("hex"),
  };
}

/** The same text for the same value, in whatever order its keys came. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === "object" && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}
