/** Bounds on what people may write beside a name; together they keep an event below 32 KiB. */
export const MAX_TITLE_CHARACTERS = 200;
export const MAX_DESCRIPTION_BYTES = 4096;
export const MAX_TAGS = 64;
export const MAX_TAG_CHARACTERS = 64;
export const MAX_METADATA_KEYS = 64;
export const MAX_METADATA_BYTES = 8192;
export const MAX_TEXT_BYTES = 16_384;

const FORBIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/u;

/** Well-formed Unicode without control characters other than tab and newline. */
export const isCleanText = (text: string): boolean => text.isWellFormed() && !FORBIDDEN.test(text);

/** Code points, not UTF-16 units: a flag or an emoji should not count as two. */
export const countCharacters = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

export const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));
