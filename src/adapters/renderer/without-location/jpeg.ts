import type { Original } from "../original.ts";
import { eraseFromExif } from "./exif.ts";
import { type ExtendedPart, patchExtendedXmp } from "./extended-xmp.ts";
import { hasForeignResources, mentionsLocation, type Patch, patchOf } from "./patch.ts";
import { eraseFromXmp } from "./xmp.ts";

const [START_OF_IMAGE, END_OF_IMAGE] = [0xd8, 0xd9];
const [APP0, APP1, APP13, APP15, COMMENT] = [0xe0, 0xe1, 0xed, 0xef, 0xfe];
const EXIF = /^exif\0/i;
const XMP = "http://ns.adobe.com/xap/1.0/\0";
const EXTENDED_XMP = "http://ns.adobe.com/xmp/extension/\0";

/**
 * Every segment of every picture of the file (ISO/IEC 10918-1, B.1; CIPA DC-007 puts further ones behind the first), each
 * edited in place: the offsets of the index of those pictures hold. What else stands behind a picture is left out, since
 * it may be a video with a location of its own.
 */
export function planJpeg(original: Original): readonly Patch[] {
  const patches: Patch[] = [];
  const extended: ExtendedPart[] = [];
  for (let offset = 0; ; ) {
    const marker = findMarker(original, offset);
    if (marker === undefined) break;
    const { code, end: start } = marker;
    offset = start;
    if (code === END_OF_IMAGE) {
      const next = skipZeros(original, start);
      if (next === original.size) break;
      if (!isStart(original, next)) {
        patches.push({ start, end: original.size, bytes: new Uint8Array() });
        break;
      }
      offset = next;
    }
    if (isAlone(code)) continue;
    const length = (original.uint8(start) << 8) | original.uint8(start + 1);
    // Nothing useful can follow a segment that is not all there, or none.
    if (start + length > original.size) {
      if (isMetadata(code)) patches.push({ start: start - 2, end: original.size, bytes: new Uint8Array() });
      break;
    }
    offset = start + Math.max(2, length);
    if (!isMetadata(code)) continue;
    const before = original.read(start + 2, offset);
    if (code === APP1 && before.toString("latin1", 0, EXTENDED_XMP.length) === EXTENDED_XMP) {
      extended.push({ start: start + 2 + EXTENDED_XMP.length, bytes: before.subarray(EXTENDED_XMP.length) });
      continue;
    }
    const patch = patchOf(start + 2, before, withoutLocation(code, Buffer.from(before)));
    if (patch !== undefined) patches.push(patch);
  }
  return [...patches, ...patchExtendedXmp(extended)].toSorted((one, other) => one.start - other.start);
}

function withoutLocation(code: number, segment: Buffer): Buffer {
  const text = segment.toString("latin1");
  if (code === APP1 && EXIF.test(text)) eraseFromExif(segment.subarray(6));
  else if (code === APP1 && text.startsWith(XMP)) {
    const packet = segment.subarray(XMP.length);
    if (!eraseFromXmp(packet)) packet.fill(0x20);
  } else if (mentionsLocation(segment) || (code === APP13 && hasForeignResources(segment))) segment.fill(0);
  return segment;
}

/** Segments with no part of the picture itself. */
const isMetadata = (code: number): boolean => (code >= APP0 && code <= APP15) || code === COMMENT;

/** Markers without a segment: restarts, the beginning and the end of an image, and one for arithmetic coders. */
const isAlone = (code: number): boolean => (code >= 0xd0 && code <= END_OF_IMAGE) || code === 0x01;

/** The next from `offset` on, over the data of a scan or whatever else is there, as decoders do. */
function findMarker(original: Original, offset: number): { code: number; end: number } | undefined {
  for (let at = original.find(0xff, offset); at + 1 < original.size; at = original.find(0xff, at + 1)) {
    const code = original.uint8(at + 1);
    if (code !== 0 && code !== 0xff) return { code, end: at + 2 };
  }
  return undefined;
}

function skipZeros(original: Original, offset: number): number {
  let at = offset;
  while (at < original.size && original.uint8(at) === 0) at++;
  return at;
}

const isStart = (original: Original, at: number): boolean =>
  original.uint8(at) === 0xff && original.uint8(at + 1) === START_OF_IMAGE && original.uint8(at + 2) === 0xff;
