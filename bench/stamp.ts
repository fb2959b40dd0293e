/** The marker that ends a JPEG. */
export const END_OF_IMAGE = 2;
/** The last bytes of the comment before it: they may be anything, so that two images need not be equal. */
export const STAMP_BYTES = 16;
/** Where those begin, counted from the end. */
export const STAMP_FROM_END = STAMP_BYTES + END_OF_IMAGE;
