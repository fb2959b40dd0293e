/** The end marker of a JPEG. */
export const END_OF_IMAGE = 2;
/** The last bytes of the comment before it, which may be anything: they make images distinct. */
export const STAMP_BYTES = 16;
/** Their offset from the end. */
export const STAMP_FROM_END = STAMP_BYTES + END_OF_IMAGE;
