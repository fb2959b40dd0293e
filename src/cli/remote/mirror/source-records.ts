import type { Album, Image } from "../../../../client/src/index.ts";
import { StoreError } from "../../../domain/errors.ts";
import { CONTENT_TYPES } from "../../../domain/formats.ts";
import { parseName } from "../../../domain/names.ts";
import { quote } from "../../../domain/wording.ts";

// A data folder takes the records of the source as they are, so what no store gives must not come in: names become paths of exports, and
// ids and media types become headers.

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/;
const MEDIA_TYPES: ReadonlySet<string> = new Set(Object.values(CONTENT_TYPES));

/** @throws Error for a record that is not an album of a store */
export function requireAlbum({ id, name }: Album): void {
  if (!UUID.test(id) || !isName(name)) throw new Error(`The source has an album that is not valid: ${quote(name)}.`);
}

/** What is wrong with an image that no store gives; undefined for any other. */
export function problemOfImage({ id, albumId, name, contentType, links }: Image): StoreError | undefined {
  const isValid =
    UUID.test(id) && UUID.test(albumId) && isName(name) && MEDIA_TYPES.has(contentType) && isPath(links.content);
  return isValid ? undefined : new StoreError("invalid_image", "The source has an image that is not valid.");
}

/** Behind the URL of the source it names nothing but a place there. */
const isPath = (link: string): boolean => link.startsWith("/");

function isName(text: string): boolean {
  try {
    return parseName(text) === text;
  } catch {
    return false;
  }
}
