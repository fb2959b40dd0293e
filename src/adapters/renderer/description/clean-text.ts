import { jsonBytes } from "../../../domain/text.ts";

/** Controls, and characters that turn the direction of the text around them or are no characters at all. */
const UNWANTED = /[\p{Cc}\p{Cn}\p{Co}\p{Cs}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffd]+/gu;

/** Untrusted bytes as text that may be shown, at most `maxBytes` long as JSON; undefined where nothing is left. */
export function cleanText(bytes: Buffer, maxBytes: number): string | undefined {
  const text = decode(bytes).replaceAll(UNWANTED, " ").replaceAll(/\s+/gu, " ").trim();
  const cut = cutTo(text, maxBytes).trim();
  return cut === "" ? undefined : cut;
}

/** The standard says ASCII; writers put UTF-8 there, and before that whatever their system had. */
function decode(bytes: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return bytes.toString("latin1");
  }
}

function cutTo(text: string, maxBytes: number): string {
  let kept = "";
  let length = 2;
  for (const character of text) {
    length += jsonBytes(character) - 2;
    if (length > maxBytes) break;
    kept += character;
  }
  return kept;
}
