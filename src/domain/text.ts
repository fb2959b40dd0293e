/**
 * Bounds on what people may write beside a name; together they keep an event below 32 KiB. None spans several fields: whether
 * a change of one field fits must not tell how long the others are.
 */
export const MAX_TITLE_CHARACTERS = 200;
export const MAX_DESCRIPTION_BYTES = 4096;
export const MAX_TAGS = 64;
export const MAX_TAG_CHARACTERS = 64;
export const MAX_TAGS_BYTES = 8192;
export const MAX_METADATA_KEYS = 64;
export const MAX_METADATA_BYTES = 8192;

const FORBIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/u;

/** Well-formed Unicode without control characters other than tab and newline. */
export const isCleanText = (text: string): boolean => text.isWellFormed() && !FORBIDDEN.test(text);

// Nothing is drawn for these: blanks, joiners, selectors, fillers, the empty Braille cell, the null notehead. Some of the
// format characters (general category Cf) have a shape, so that the category does not tell.
const VISIBLE = /[^\p{White_Space}\p{Default_Ignorable_Code_Point}\u2800\ufff9-\ufffb\u{13430}-\u{1343f}\u{1d159}]/u;

/** Whether a person sees anything of it. */
export const isVisible = (text: string): boolean => VISIBLE.test(text);

/** Decoders drop it there, as a mark of the encoding, so that two texts would become one. */
export const beginsWithMark = (text: string): boolean => text.startsWith("\ufeff");

/** Code points, not UTF-16 units: a flag or an emoji should not count as two. */
export const countCharacters = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

export const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
