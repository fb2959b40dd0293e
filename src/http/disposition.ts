import { StoreError } from "../domain/errors.ts";

/** What the Content-Disposition of a form's part says. */
export interface Disposition {
  readonly name: string;
  /** Of a file, without the folders that a client may have put before it. */
  readonly fileName: string | undefined;
}

const PARAMETER = /[ \t]*;[ \t]*([^=;" \t]+)=(?:"((?:[^"\\]|\\.)*)"|([^;" \t]*))[ \t]*/y;

/**
 * The parameters of a header such as `form-data; name="a"`; undefined for a malformed one, or a name given twice. Names
 * are in lower case.
 */
export function parseParameters(field: string): ReadonlyMap<string, string> | undefined {
  const parameters = new Map<string, string>();
  const start = field.indexOf(";");
  for (let at = start === -1 ? field.length : start; at < field.length; at = PARAMETER.lastIndex) {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(field);
    const name = match?.[1]?.toLowerCase();
    if (match === null || name === undefined || parameters.has(name)) return undefined;
    // Only these two are escapes: a path of Windows comes with single backslashes.
    parameters.set(name, match[2]?.replaceAll(/\\(["\\])/g, "$1") ?? match[3] ?? "");
  }
  return parameters;
}

/**
 * @param field with a character for each byte, as it came
 * @throws StoreError `invalid_request`; `invalid_name` for a file name that is no UTF-8
 */
export function parseDisposition(field: string): Disposition {
  const parameters = /^form-data[ \t]*(;|$)/i.test(field) ? parseParameters(field) : undefined;
  const name = parameters?.get("name");
  if (parameters === undefined || name === undefined) {
    throw new StoreError("invalid_request", "A part's Content-Disposition is malformed.");
  }
  const extended = parameters.get("filename*");
  const plain = parameters.get("filename");
  const fileName = extended !== undefined ? decodeExtended(extended) : plain === undefined ? undefined : utf8(plain);
  return { name: utf8(name), fileName: fileName?.replace(/^.*[/\\]/s, "") };
}

/** RFC 8187, in the one charset that it still knows. */
function decodeExtended(value: string): string {
  const encoded = /^utf-8'[A-Za-z0-9-]*'(.*)$/i.exec(value)?.[1];
  try {
    if (encoded !== undefined) return decodeURIComponent(encoded);
  } catch {
    // Said below.
  }
  throw invalidFileName();
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function utf8(bytes: string): string {
  try {
    return strictUtf8.decode(Buffer.from(bytes, "latin1"));
  } catch {
    throw invalidFileName();
  }
}

const invalidFileName = () => new StoreError("invalid_name", "A part's name or file name is not valid UTF-8.");

/** Content-Disposition of bytes to be shown, with the name for saving (RFC 6266). */
export const inlineDisposition = (name: string): string => `inline; ${saveAs(name)}`;

/** The same of bytes to be saved. */
export const attachmentDisposition = (name: string): string => `attachment; ${saveAs(name)}`;

/** `filename` is what old clients read: ASCII alone, and nothing that they might take for an escape or an end. */
function saveAs(name: string): string {
  const ascii = name.replaceAll(/[^ !#$&+.0-9A-Z^_a-z-]/gu, "_");
  const extended = encodeURIComponent(name).replaceAll(
    /['()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `filename="${ascii}"; filename*=UTF-8''${extended}`;
}
