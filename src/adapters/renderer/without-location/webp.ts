import type { Original } from "../original.ts";
import { eraseFromExif } from "./exif.ts";
import { mentionsLocation, type Patch, patchOf } from "./patch.ts";
import { eraseFromXmp } from "./xmp.ts";

/** Chunks with nothing but pixels and how to show them. */
const PIXELS = new Set(["VP8 ", "VP8L", "VP8X", "ALPH", "ANIM", "ANMF", "ICCP"]);

/** RFC 9649: chunks of a RIFF file, each edited in place; what stands behind the last is left out. */
export function planWebp(original: Original): readonly Patch[] {
  const patches: Patch[] = [];
  const end = Math.min(original.size, 8 + original.read(4, 8).readUInt32LE());
  for (let offset = 12; offset + 8 <= end; ) {
    const header = original.read(offset, offset + 8);
    const start = offset + 8;
    const length = header.readUInt32LE(4);
    const type = header.toString("latin1", 0, 4);
    offset = start + length + (length % 2);
    if (PIXELS.has(type)) continue;
    const before = original.read(start, Math.min(start + length, end));
    const patch = patchOf(start, before, withoutLocation(type, Buffer.from(before)));
    if (patch !== undefined) patches.push(patch);
  }
  if (end < original.size) patches.push({ start: end, end: original.size, bytes: new Uint8Array() });
  return patches;
}

function withoutLocation(type: string, chunk: Buffer): Buffer {
  if (type === "EXIF") eraseFromExif(chunk);
  else if (type === "XMP ") {
    if (!eraseFromXmp(chunk)) chunk.fill(0x20);
  } else if (mentionsLocation(chunk)) chunk.fill(0);
  return chunk;
}
