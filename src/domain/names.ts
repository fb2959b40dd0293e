import { StoreError } from "./errors.ts";
import { beginsWithMark, isVisible } from "./text.ts";

export const MAX_NAME_BYTES = 255;

// C0 and C1 controls, line and paragraph separators.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/u;
// They reorder what a person reads, so that "gpj.exe" can be shown as "exe.jpg".
const BIDI_CONTROL = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/u;

/**
 * The name in the form in which it is stored and compared: NFC, 1–255 bytes of UTF-8. Names are data: they never become
 * a path, a header or a log line unescaped.
 * @throws StoreError `invalid_name`
 */
export function parseName(text: string): string {
  if (!text.isWellFormed()) throw invalid("A name must be well-formed Unicode.");
  const name = text.normalize("NFC");
  if (name === "") throw invalid("A name must not be empty.");
  if (name === "." || name === "..") throw invalid('A name must not be "." or "..".');
  if (name.includes("/")) throw invalid('A name must not contain "/".');
  if (CONTROL.test(name)) throw invalid("A name must not contain control characters.");
  if (BIDI_CONTROL.test(name)) throw invalid("A name must not contain characters that control text direction.");
  // The runtime puts it for bytes of a URL that are no UTF-8, so that all of a Latin-1 client's names would become one.
  if (name.includes("\ufffd")) throw invalid("A name must not contain U+FFFD, which stands for text that was lost.");
  if (beginsWithMark(name)) throw invalid("A name must not begin with U+FEFF, the byte order mark.");
  if (!isVisible(name)) throw invalid("A name must have a visible character.");
  if (Buffer.byteLength(name) > MAX_NAME_BYTES)
    throw invalid(`A name must not be over ${MAX_NAME_BYTES} bytes of UTF-8.`);
  return name;
}

/**
 * A name from a raw path segment, decoded strictly.
 * @throws StoreError `invalid_name`, also for a bad escape or escapes that are no UTF-8
 */
export function parseNameSegment(segment: string): string {
  let text: string;
  try {
    text = decodeURIComponent(segment);
  } catch (cause) {
    throw new StoreError("invalid_name", "The name in the path is not valid percent-encoded UTF-8.", { cause });
  }
  return parseName(text);
}

/** `lake.jpg` as `lake (2).jpg`, cut where it would be too long. */
export function numberedName(name: string, number: number): string {
  const dot = name.lastIndexOf(".");
  const extension = dot > 0 && name.length - dot <= MAX_EXTENSION ? name.slice(dot) : "";
  const end = ` (${number})${extension}`;
  const base = Array.from(name.slice(0, name.length - extension.length));
  while (Buffer.byteLength(base.join("") + end) > MAX_NAME_BYTES) base.pop();
  return parseName(base.join("") + end);
}
/** Of its characters, with the dot. */
const MAX_EXTENSION = 16;

const invalid = (detail: string) => new StoreError("invalid_name", detail);
