import type { Original } from "../original.ts";

const EXTENSION = 0x21;
const IMAGE = 0x2c;

/**
 * Whether all blocks of a GIF (GIF89a) are there, each with its end. Some writers leave the trailer out, and some put
 * zeros before it, which is no loss.
 */
export function hasAllBlocks(gif: Original): boolean {
  let offset = 13 + colourTableBytes(gif.uint8(10));
  while (offset < gif.size) {
    const block = gif.uint8(offset);
    if (block === EXTENSION) offset = skipSubBlocks(gif, offset + 2);
    else if (block === IMAGE) offset = skipSubBlocks(gif, offset + 11 + colourTableBytes(gif.uint8(offset + 9)));
    else if (block === 0) offset++;
    // Whatever else: decoders stop there too.
    else return true;
  }
  return offset === gif.size;
}

const colourTableBytes = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));

/** Behind the block that ends them; past the end of the file where there is none. */
function skipSubBlocks(gif: Original, start: number): number {
  let offset = start;
  while (offset < gif.size) {
    const length = gif.uint8(offset);
    offset += 1 + length;
    if (length === 0) return offset;
  }
  return gif.size + 1;
}
