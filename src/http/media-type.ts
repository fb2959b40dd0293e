import { StoreError } from "../domain/errors.ts";
import { CONTENT_TYPES, type ContentType } from "../domain/image.ts";

const ACCEPTED: ReadonlySet<string> = new Set(Object.values(CONTENT_TYPES));

/** Other names under which the same bytes go. */
const ALIASES: Readonly<Record<string, ContentType>> = {
  "image/jpg": "image/jpeg",
  "image/pjpeg": "image/jpeg",
  "image/apng": "image/png",
  "image/x-png": "image/png",
};

/** Says nothing about the bytes. The last is what curl sends with `--data-binary` unless told otherwise. */
const UNDECLARED: ReadonlySet<string> = new Set(["", "application/octet-stream", "application/x-www-form-urlencoded"]);

/** `type/subtype` in lower case, without parameters; empty for none. */
export const essenceOf = (field: string | null): string => (field ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";

/**
 * The image type that a request or a part declares; undefined when it declares none.
 * @throws StoreError `unsupported_image` for an image type that is not accepted, `unsupported_media_type` for no image
 */
export function parseDeclaredType(field: string | null): ContentType | undefined {
  const essence = essenceOf(field);
  if (UNDECLARED.has(essence)) return undefined;
  if (ACCEPTED.has(essence)) return essence as ContentType;
  if (Object.hasOwn(ALIASES, essence)) return ALIASES[essence];
  const accepted = [...ACCEPTED].join(", ");
  if (essence.startsWith("image/")) {
    throw new StoreError("unsupported_image", `Images of this type are not accepted. Accepted: ${accepted}.`);
  }
  throw new StoreError("unsupported_media_type", `An image is expected here. Accepted: ${accepted}.`);
}
