import { StoreError } from "../domain/errors.ts";
import { essenceOf } from "./media-type.ts";
import { hasBody, openBody } from "./request-body.ts";
import type { RouteDefinition } from "./route.ts";
import { pointer, validate } from "./validation.ts";

/** A body of this size that takes longer is an attack or a dead line. */
const PATIENCE = 10_000;
const MIN_RATE = 1024;

/**
 * The JSON body that the definition asks for, validated.
 * @throws StoreError `unsupported_media_type`, `too_large`, `request_timeout`, `invalid_request`, `invalid_name`
 */
export async function readJsonBody(
  request: Request,
  definition: NonNullable<RouteDefinition["body"]>,
  maxBytes: number,
): Promise<unknown> {
  const { headers } = request;
  const types = definition.types ?? ["application/json"];
  const type = essenceOf(headers.get("content-type"));
  if (type === "" && definition.optional === true && !hasBody(headers)) {
    return validate(definition.schema, {}, "pointer");
  }
  if (!types.includes(type)) {
    throw new StoreError("unsupported_media_type", `The body must be of the type ${types.join(" or ")}.`);
  }
  const coding = headers.get("content-encoding");
  if (coding !== null && coding.toLowerCase() !== "identity") {
    throw new StoreError(
      "unsupported_media_type",
      "A JSON body must not be compressed. Send it without a Content-Encoding.",
      {
        errors: [{ parameter: "Content-Encoding", detail: "must be absent or identity" }],
      },
    );
  }
  const chunks: Uint8Array[] = [];
  using body = openBody(request, { maxBytes, minRate: MIN_RATE, patience: PATIENCE });
  for await (const chunk of body.bytes) chunks.push(chunk);
  return validate(definition.schema, parseJson(Buffer.concat(chunks)), "pointer");
}

/** @throws StoreError `invalid_request` for what is no JSON text in UTF-8, and for `__proto__`, which some code obeys */
export function parseJson(bytes: Uint8Array): unknown {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new StoreError("invalid_request", "The body is not valid JSON in UTF-8.", {
      errors: [{ pointer: "", detail: "is not valid JSON" }],
      cause,
    });
  }
  refusePrototypeKeys(value);
  return value;
}

interface Place {
  readonly key: string;
  readonly parent: Place | undefined;
}

function refusePrototypeKeys(root: unknown): void {
  // Not recursive: 256 KiB of brackets are deeper than the stack.
  const open: { value: unknown; place: Place | undefined }[] = [{ value: root, place: undefined }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next.value !== "object" || next.value === null) continue;
    for (const [key, value] of Object.entries(next.value)) {
      const place = { key, parent: next.place };
      if (key === "__proto__") {
        const where = pointer(keysTo(place));
        throw new StoreError("invalid_request", `The request is not valid: ${where} is not known.`, {
          errors: [{ pointer: where, detail: "is not known" }],
        });
      }
      open.push({ value, place });
    }
  }
}

function keysTo(place: Place): string[] {
  const keys: string[] = [];
  for (let at: Place | undefined = place; at !== undefined; at = at.parent) keys.unshift(at.key);
  return keys;
}
