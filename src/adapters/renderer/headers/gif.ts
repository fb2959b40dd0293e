import { type FileBytes, Unusual } from "./file-bytes.ts";
import type { Header } from "./header.ts";

const EXTENSION = 0x21;
const GRAPHIC_CONTROL = 0xf9;
const IMAGE = 0x2c;
const TRAILER = 0x3b;
/** Of what is encoded; the codes themselves have a bit more, and at most twelve. */
const MAX_CODE_SIZE = 11;

/** GIF89a: every block up to the trailer, since nothing says how many frames there are. */
export function readGif(file: FileBytes): Header {
  const [width, height] = [file.uint16(6, true), file.uint16(8, true)];
  let offset = 13 + colourTableBytes(file.uint8(10));
  let frames = 0;
  let hasAlpha = false;
  let control: { transparent: boolean } | undefined;
  for (let block = file.uint8(offset); block !== TRAILER; block = file.uint8(offset)) {
    if (block === EXTENSION) {
      if (file.uint8(offset + 1) === GRAPHIC_CONTROL) {
        if (control !== undefined || file.uint8(offset + 2) !== 4) throw new Unusual();
        control = { transparent: (file.uint8(offset + 3) & 1) === 1 };
      }
      offset = skipSubBlocks(file, offset + 2);
    } else if (block === IMAGE) {
      requireInside(file, offset, frames === 0, width, height);
      frames++;
      hasAlpha ||= control?.transparent === true;
      control = undefined;
      const codeSize = offset + 10 + colourTableBytes(file.uint8(offset + 9));
      if (file.uint8(codeSize) > MAX_CODE_SIZE) throw new Unusual();
      offset = skipSubBlocks(file, codeSize + 1);
    } else throw new Unusual();
  }
  if (frames === 0) throw new Unusual();
  return { width, height, frames, hasAlpha, orientation: 1 };
}

const colourTableBytes = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));

function skipSubBlocks(file: FileBytes, start: number): number {
  let offset = start;
  for (let length = file.uint8(offset); length > 0; length = file.uint8(offset)) offset += length + 1;
  return offset + 1;
}

/** Libraries differ in what the canvas is when the first frame does not fill it, or another does not fit in. */
function requireInside(file: FileBytes, offset: number, isFirst: boolean, width: number, height: number): void {
  const [left, top] = [file.uint16(offset + 1, true), file.uint16(offset + 3, true)];
  const [frameWidth, frameHeight] = [file.uint16(offset + 5, true), file.uint16(offset + 7, true)];
  const isFull = left === 0 && top === 0 && frameWidth === width && frameHeight === height;
  const isInside = left + frameWidth <= width && top + frameHeight <= height;
  if (frameWidth === 0 || frameHeight === 0 || (isFirst ? !isFull : !isInside)) throw new Unusual();
}
