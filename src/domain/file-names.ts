import { type ContentType, FORMATS, formatOf } from "./formats.ts";
import { MAX_NAME_BYTES } from "./names.ts";

// Windows does not take them. A slash or a control character is in no name.
const FORBIDDEN = /["*:<>?\\|]/g;
const RESERVED = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])[ .]*(?:\.|$)/i;

/**
 * A name under which every common file system can keep the image, with an extension of its type: `a:b` of a JPEG is
 * `a_b.jpg`. Several names may give the same.
 */
export function fileNameOf({
  name,
  contentType,
}: {
  readonly name: string;
  readonly contentType: ContentType;
}): string {
  const { extensions } = FORMATS[formatOf(contentType)];
  const lower = name.toLowerCase();
  const extension = extensions.some((known) => lower.endsWith(`.${known}`)) ? "" : `.${extensions[0]}`;
  const plain = name.replaceAll(FORBIDDEN, "_");
  const safe = RESERVED.test(plain) ? `_${plain}` : plain;
  return insertBeforeExtension(safe + extension, "");
}

/** The same file name with a mark that tells it from others: `lake (1f).jpg`. */
export const markedFileName = (fileName: string, mark: string): string => insertBeforeExtension(fileName, ` (${mark})`);

/** The same for names that a file system may not distinguish. */
export const foldFileName = (fileName: string): string =>
  ASCII.test(fileName) ? fileName.toLowerCase() : fileName.toUpperCase().toLowerCase().normalize("NFC");
const ASCII = /^[ -~]*$/;

/** Shortens what is before the extension until the name fits. */
function insertBeforeExtension(name: string, inserted: string): string {
  const dot = name.lastIndexOf(".");
  const base = name.slice(0, dot);
  const end = inserted + name.slice(dot);
  let left = MAX_NAME_BYTES - Buffer.byteLength(end);
  if (Buffer.byteLength(base) <= left) return base + end;
  let shortened = "";
  for (const character of base) {
    left -= Buffer.byteLength(character);
    if (left < 0) break;
    shortened += character;
  }
  return shortened + end;
}
