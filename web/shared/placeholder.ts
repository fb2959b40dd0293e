import { useLayoutEffect, useRef } from "preact/hooks";
import { thumbHashToAverageRGBA, thumbHashToDataURL } from "thumbhash";
import { whenIdle } from "./idle.ts";

const MAX_REMEMBERED = 2000;
const remembered = new Map<string, string>();

/**
 * Lets an element show what a ThumbHash in base64 describes: its colour at once, and the blurred picture when the browser has time
 * for it. A screen of pictures would otherwise take as long to decode as several frames last.
 */
export function usePlaceholder<Shown extends HTMLElement>(hash: string | null) {
  const element = useRef<Shown>(null);
  useLayoutEffect(() => {
    const { current } = element;
    if (current === null) return undefined;
    const known = hash === null ? "none" : remembered.get(hash);
    current.style.backgroundImage = known ?? "none";
    current.style.backgroundColor = hash === null || known !== undefined ? "" : colourOf(hash);
    if (known !== undefined || hash === null) return undefined;
    return whenIdle(() => {
      // What hides it may be there already.
      if (current.querySelector("img")?.complete !== true) current.style.backgroundImage = placeholderOf(hash);
    });
  }, [hash]);
  return element;
}

/** A `url(…)` of the blurred picture, at once. */
export function placeholderOf(hash: string): string {
  const known = remembered.get(hash);
  if (known !== undefined) return known;
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  const url = decode(hash, (bytes) => `url(${thumbHashToDataURL(bytes)})`) ?? "none";
  remembered.set(hash, url);
  return url;
}

const colourOf = (hash: string): string =>
  decode(hash, (bytes) => {
    const { r, g, b, a } = thumbHashToAverageRGBA(bytes);
    return `rgb(${Math.round(r * 255)} ${Math.round(g * 255)} ${Math.round(b * 255)} / ${a})`;
  }) ?? "";

/** Undefined for bytes that are no ThumbHash. */
function decode(hash: string, read: (bytes: Uint8Array) => string): string | undefined {
  try {
    return read(Uint8Array.from(atob(hash), (character) => character.charCodeAt(0)));
  } catch {
    return undefined;
  }
}
