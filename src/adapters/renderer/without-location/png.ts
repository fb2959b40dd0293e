import { crc32 } from "node:zlib";
import type { Original } from "../original.ts";
import { eraseFromExif } from "./exif.ts";
import { hasForeignResources, mentionsLocation, type Patch } from "./patch.ts";
import { parseText, writeText } from "./png-text.ts";
import { eraseFromXmp } from "./xmp.ts";

/** Chunks with nothing but pixels and how to show them (W3C PNG, 11); an animation's frames are in two of them. */
const PIXELS = new Set(
  "IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs sPLT tIME acTL fcTL fdAT".split(" "),
);
const TEXTS = new Set(["tEXt", "zTXt", "iTXt"]);
const NOTHING = new Uint8Array();

/** Chunks, whose lengths nothing else counts on. What stands behind the last is left out. */
export function planPng(original: Original): readonly Patch[] {
  const patches: Patch[] = [];
  for (let offset = 8; offset < original.size; ) {
    const header = original.read(offset, offset + 8);
    const length = header.length < 8 ? Number.POSITIVE_INFINITY : header.readUInt32BE();
    const type = header.toString("latin1", 4, 8);
    const [start, end] = [offset, offset + 12 + length];
    if (end > original.size) {
      // Pixels that are not all there can be shown; of other chunks a reader makes nothing.
      if (!PIXELS.has(type)) patches.push({ start, end: original.size, bytes: NOTHING });
      break;
    }
    offset = end;
    if (type === "IEND") {
      if (end < original.size) patches.push({ start: end, end: original.size, bytes: NOTHING });
      break;
    }
    if (PIXELS.has(type)) continue;
    const before = original.read(start + 8, end - 4);
    const after = withoutLocation(type, before);
    if (after === undefined) patches.push({ start, end, bytes: NOTHING });
    else if (!after.equals(before)) patches.push({ start, end, bytes: writeChunk(type, after) });
  }
  return patches;
}

/** Undefined where the chunk may not be kept. */
function withoutLocation(type: string, before: Buffer): Buffer | undefined {
  if (type === "eXIf") {
    const block = Buffer.from(before);
    eraseFromExif(block);
    return block;
  }
  const chunk = TEXTS.has(type) ? parseText(type, before) : undefined;
  if (chunk === undefined) {
    const isOpaque = type === "zTXt" || type === "iTXt";
    return isOpaque || mentionsLocation(before) ? undefined : before;
  }
  const text = Buffer.from(chunk.text);
  if (!eraseFromText(chunk.keyword, text)) return undefined;
  return text.equals(chunk.text) ? before : writeText({ ...chunk, text });
}

const RAW_PROFILE = /^Raw profile type (?<kind>.+)$/i;

function eraseFromText(keyword: string, text: Buffer): boolean {
  const kind = RAW_PROFILE.exec(keyword)?.groups?.["kind"]?.toLowerCase();
  if (kind !== undefined) return eraseFromRawProfile(text, kind);
  if (keyword === "XML:com.adobe.xmp") return eraseFromXmp(text);
  // ImageMagick puts what it read elsewhere under keywords such as exif:GPSLatitude.
  return !/gps/i.test(keyword) && !mentionsLocation(text);
}

/** ImageMagick's: a line break, the name, the length, and the bytes in hexadecimal digits, broken into lines. */
const PROFILE = /^\s*\S[^\n]*\n\s*\d+\s+/;
const XMP_SIGNATURE = "http://ns.adobe.com/xap/1.0/\0";

function eraseFromRawProfile(text: Buffer, kind: string): boolean {
  const written = text.toString("latin1");
  const start = PROFILE.exec(written)?.[0].length;
  if (start === undefined || !/^[\s\da-f]*$/i.test(written.slice(start))) return false;
  const block = Buffer.from(written.slice(start).replaceAll(/\s+/g, ""), "hex");
  if (kind !== "exif" && kind !== "app1" && kind !== "xmp")
    return !mentionsLocation(block) && !hasForeignResources(block);
  const isSigned = block.toString("latin1", 0, XMP_SIGNATURE.length) === XMP_SIGNATURE;
  const packet = isSigned ? block.subarray(XMP_SIGNATURE.length) : block;
  const before = Buffer.from(block);
  if (isSigned || packet[0] === "<".charCodeAt(0)) {
    if (!eraseFromXmp(packet)) return false;
  } else eraseFromExif(block);
  if (block.equals(before)) return true;
  // Each digit goes where its predecessor was, so that the lines stay as they are.
  const digits = block.toString("hex");
  let next = 0;
  for (let at = start; at < text.length && next < digits.length; at++) {
    if (!/\s/.test(written.charAt(at))) text[at] = digits.charCodeAt(next++);
  }
  return true;
}

function writeChunk(type: string, data: Buffer): Buffer {
  const chunk = Buffer.alloc(12 + data.length);
  chunk.writeUInt32BE(data.length);
  chunk.write(type, 4, "latin1");
  data.copy(chunk, 8);
  chunk.writeUInt32BE(crc32(chunk.subarray(4, 8 + data.length)), 8 + data.length);
  return chunk;
}
