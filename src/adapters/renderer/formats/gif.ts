import { type BoundedReader, Unusual } from "../bounded-reader.ts";
import type { ByteReader } from "../byte-reader.ts";
import { mentionsLocation, type Patch, patchOf } from "../without-location/patch.ts";
import { eraseFromXmp, mayHoldLocation } from "../without-location/xmp.ts";
import type { Codec, Header, Preparation } from "./codec.ts";

export const gif: Codec = {
  recognises: (start) => start.startsWith("GIF87a") || start.startsWith("GIF89a"),
  loader: "Nsgif",
  isDecodedAs: ({ format }) => format === "gif",
  readHeader,
  followsExif: true,
  warnsOfDamage: true,
  prepare,
  withoutLocation: patchBlocks,
};

const [EXTENSION, IMAGE, TRAILER] = [0x21, 0x2c, 0x3b];
const [GRAPHIC_CONTROL, APPLICATION] = [0xf9, 0xff];

function prepare(original: ByteReader): Partial<Preparation> {
  const layout = readLayout(original);
  const { frames, isWhole, isUncovered, hasJunk, hasWholeFrame } = layout;
  if (hasWholeFrame && isUncovered) return prepared(withTransparentFrame(original, layout));
  if (hasJunk || (hasWholeFrame && !isWhole)) return prepared(withTrailer(original, layout));
  return { frames, isWhole };

  function prepared(input: Buffer): Partial<Preparation> {
    return { input, frames, isWhole, mend: () => input };
  }
}

/** Of what is encoded; the codes themselves have a bit more, and at most twelve. */
const MAX_CODE_SIZE = 11;

/** GIF89a: every block up to the trailer, since nothing says how many frames there are. */
function readHeader(file: BoundedReader): Header {
  const [width, height] = [file.uint16(6, true), file.uint16(8, true)];
  let offset = 13 + colourTableBytes(file.uint8(10));
  let frames = 0;
  let hasAlpha = false;
  let control: { transparent: boolean } | undefined;
  for (let block = blockAt(file, offset); block !== TRAILER; block = blockAt(file, offset)) {
    if (block === EXTENSION) {
      if (file.uint8(offset + 1) === GRAPHIC_CONTROL) {
        if (control !== undefined || file.uint8(offset + 2) !== 4) throw new Unusual();
        control = { transparent: (file.uint8(offset + 3) & 1) === 1 };
      }
      offset = skipSubBlocks(file, offset + 2);
    } else if (block === IMAGE) {
      requireInside(file, offset, frames === 0, width, height);
      const codeSize = offset + 10 + colourTableBytes(file.uint8(offset + 9));
      if (file.uint8(codeSize) > MAX_CODE_SIZE) throw new Unusual();
      offset = skipSubBlocks(file, codeSize + 1);
      if (offset > file.size && frames > 0) break;
      frames++;
      hasAlpha ||= control?.transparent === true;
      control = undefined;
    } else if (block === 0) offset++;
    // What stands there for the trailer ends the picture as well.
    else break;
  }
  if (frames === 0) throw new Unusual();
  return { width, height, frames, hasAlpha, orientation: 1 };
}

/** Some writers leave the trailer out. */
const blockAt = (file: BoundedReader, offset: number): number => (offset >= file.size ? TRAILER : file.uint8(offset));

/** Libraries differ in what the canvas is when the first frame does not fill it, or another does not fit in. */
function requireInside(file: BoundedReader, offset: number, isFirst: boolean, width: number, height: number): void {
  const [left, top] = [file.uint16(offset + 1, true), file.uint16(offset + 3, true)];
  const [frameWidth, frameHeight] = [file.uint16(offset + 5, true), file.uint16(offset + 7, true)];
  const isFull = left === 0 && top === 0 && frameWidth === width && frameHeight === height;
  const isInside = left + frameWidth <= width && top + frameHeight <= height;
  if (frameWidth === 0 || frameHeight === 0 || (isFirst ? !isFull : !isInside)) throw new Unusual();
}

interface GifLayout {
  /** Those that are whole, or the first. */
  readonly frames: number;
  readonly hasWholeFrame: boolean;
  /** Whether the first frame leaves a part of the canvas free, and no frame says that it has transparent pixels. */
  readonly isUncovered: boolean;
  /** Behind the last block that is whole. */
  readonly end: number;
  /** Whether the blocks end with a trailer, or with the file. */
  readonly isWhole: boolean;
  /** Whether something else than a trailer follows them, or anything follows that, at which some decoders stumble. */
  readonly hasJunk: boolean;
}

/**
 * The blocks of a GIF (GIF89a), as far as there are any. Some writers leave the trailer out, and some put zeros before it,
 * which is no loss.
 */
function readLayout(file: ByteReader): GifLayout {
  const screen = file.read(6, 13);
  const [width, height] = [screen.readUInt16LE(0), screen.readUInt16LE(2)];
  let offset = 13 + colourTableBytes(file.uint8(10));
  let end = offset;
  let frames = 0;
  let isUncovered = false;
  let isTransparent = false;
  let isEnded = false;
  let hasJunk = false;
  while (offset < file.size) {
    const block = file.uint8(offset);
    if (block === EXTENSION) {
      if (file.uint8(offset + 1) === GRAPHIC_CONTROL) isTransparent ||= (file.uint8(offset + 3) & 1) === 1;
      offset = skipSubBlocks(file, offset + 2);
    } else if (block === IMAGE) {
      if (frames === 0) isUncovered = !covers(file.read(offset + 1, offset + 9), width, height);
      offset = skipSubBlocks(file, offset + 11 + colourTableBytes(file.uint8(offset + 9)));
      if (offset <= file.size) frames++;
    } else if (block === 0) offset++;
    else {
      isEnded = true;
      hasJunk = block !== TRAILER || offset + 1 < file.size;
      break;
    }
    if (offset <= file.size) end = offset;
  }
  return {
    frames: Math.max(1, frames),
    hasWholeFrame: frames > 0,
    isUncovered: isUncovered && !isTransparent,
    end,
    isWhole: isEnded || offset === file.size,
    hasJunk,
  };
}

/** A frame of one transparent pixel, and the trailer: what decoders show of the canvas before is transparent then. */
const TRANSPARENT_FRAME = Buffer.from("21f90401000000002c00000000010001008000000000000002024401003b", "hex");

const withTrailer = (file: ByteReader, { end }: GifLayout): Buffer => file.copy(0, end, Uint8Array.of(TRAILER));

/** The same GIF in memory, with a further frame behind its last. */
const withTransparentFrame = (file: ByteReader, { end }: GifLayout): Buffer => file.copy(0, end, TRANSPARENT_FRAME);

function covers(descriptor: Buffer, width: number, height: number): boolean {
  if (descriptor.length < 8) return true;
  const [left, top, frameWidth, frameHeight] = [0, 2, 4, 6].map((at) => descriptor.readUInt16LE(at));
  return left === 0 && top === 0 && (frameWidth ?? 0) >= width && (frameHeight ?? 0) >= height;
}

const colourTableBytes = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));

/** Behind the block that ends them; past the end of the file where there is none. */
function skipSubBlocks(file: Pick<ByteReader, "size" | "uint8">, start: number): number {
  let offset = start;
  while (offset < file.size) {
    const length = file.uint8(offset);
    offset += 1 + length;
    if (length === 0) return offset;
  }
  return file.size + 1;
}

const XMP = "XMP DataXMP";
/** Behind a packet of XMP, so that readers who take its bytes for lengths find the end (XMP part 3, 1.1.2). */
const MAGIC_TRAILER_BYTES = 258;
const NOTHING = new Uint8Array();

/** Blocks (GIF89a) of XMP are edited in place, others that mention a place left out, and what stands behind the trailer. */
function patchBlocks(original: ByteReader): readonly Patch[] {
  const patches: Patch[] = [];
  let offset = 13 + colourTableBytes(original.uint8(10));
  while (offset < original.size) {
    const start = offset;
    const block = original.uint8(offset);
    if (block === 0) offset++;
    else if (block === IMAGE)
      offset = endOfSubBlocks(original, offset + 11 + colourTableBytes(original.uint8(offset + 9)));
    else if (block === EXTENSION) {
      offset = endOfSubBlocks(original, offset + 2);
      patches.push(...patchExtension(original, start, offset));
    } else {
      const end = block === TRAILER ? start + 1 : start;
      if (end < original.size) patches.push({ start: end, end: original.size, bytes: NOTHING });
      break;
    }
  }
  return patches;
}

function patchExtension(original: ByteReader, start: number, end: number): readonly Patch[] {
  const label = original.uint8(start + 1);
  if (label === GRAPHIC_CONTROL) return [];
  const isXmp = label === APPLICATION && original.read(start + 3, start + 14).toString("latin1") === XMP;
  if (!isXmp) {
    const data = joinSubBlocks(original.read(start + 2, end));
    const mayTell = mentionsLocation(data) || mayHoldLocation(data.toString("latin1"));
    return mayTell ? [{ start, end, bytes: NOTHING }] : [];
  }
  const [from, to] = [start + 14, end - MAGIC_TRAILER_BYTES];
  if (to <= from) return [{ start, end, bytes: NOTHING }];
  const before = original.read(from, to);
  const after = Buffer.from(before);
  if (!eraseFromXmp(after)) after.fill(0x20);
  return [patchOf(from, before, after) ?? []].flat();
}

function joinSubBlocks(blocks: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < blocks.length; ) {
    const length = blocks[at] ?? 0;
    parts.push(blocks.subarray(at + 1, at + 1 + length));
    at += 1 + length;
  }
  return Buffer.concat(parts);
}

const endOfSubBlocks = (file: ByteReader, start: number): number => Math.min(skipSubBlocks(file, start), file.size);
