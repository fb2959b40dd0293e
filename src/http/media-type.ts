import { StoreError } from "../domain/errors.ts";
import { CONTENT_TYPES, type ContentType, FORMATS, IMAGE_FORMATS } from "../domain/formats.ts";

const TYPES = new Map<string, ContentType>(
  IMAGE_FORMATS.flatMap((format) =>
    [CONTENT_TYPES[format], ...(FORMATS[format].otherMediaTypes ?? [])].map((type) => [type, CONTENT_TYPES[format]]),
  ),
);

/**
 * Says nothing about the bytes. curl sends the form type with `--data-binary` unless told otherwise; object stores' tools
 * send `binary/octet-stream`; a generated client may send the range that its user chose from.
 */
const UNDECLARED: ReadonlySet<string> = new Set([
  "",
  "application/octet-stream",
  "binary/octet-stream",
  "application/x-www-form-urlencoded",
  "image/*",
  "*/*",
]);

/** `type/subtype` in lower case, without parameters; empty for none. */
export const essenceOf = (field: string | null): string => (field ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";

/**
 * The image type that a request or a part declares; undefined when it declares none.
 * @throws StoreError `unsupported_image` for an image type that is not accepted, `unsupported_media_type` for no image
 */
export function parseDeclaredType(field: string | null): ContentType | undefined {
  const essence = essenceOf(field);
  if (UNDECLARED.has(essence)) return undefined;
  const type = TYPES.get(essence);
  if (type !== undefined) return type;
  const accepted = Object.values(CONTENT_TYPES).join(", ");
  if (essence.startsWith("image/")) {
    throw new StoreError("unsupported_image", `The store does not accept images of this type. Accepted: ${accepted}.`);
  }
  throw new StoreError("unsupported_media_type", `The Content-Type must be an image type. Accepted: ${accepted}.`);
}
