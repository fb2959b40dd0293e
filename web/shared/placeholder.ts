import { thumbHashToDataURL } from "thumbhash";

const MAX_REMEMBERED = 2000;
const remembered = new Map<string, string>();

/** A `url(…)` of the blurred picture that a ThumbHash in base64 describes. */
export function placeholderOf(hash: string): string {
  const known = remembered.get(hash);
  if (known !== undefined) return known;
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  const url = decode(hash);
  remembered.set(hash, url);
  return url;
}

function decode(hash: string): string {
  try {
    return `url(${thumbHashToDataURL(Uint8Array.from(atob(hash), (character) => character.charCodeAt(0)))})`;
  } catch {
    return "none";
  }
}
