import type { ByteReader } from "../byte-reader.ts";

/** A box of ISO base media (ISO/IEC 14496-12, 4.2), which is what an AVIF file is made of. */
export interface Box {
  readonly type: string;
  readonly start: number;
  /** Behind the header. */
  readonly body: number;
  readonly end: number;
}

const MAX_BOXES = 4096;

/** The boxes from `start` up to `end`; one that claims more than there is ends there. */
export function readBoxes(file: ByteReader, start: number, end: number): readonly Box[] {
  const boxes: Box[] = [];
  for (let at = start; at + 8 <= end && boxes.length < MAX_BOXES; ) {
    const header = file.read(at, at + 16);
    const size = header.readUInt32BE();
    const isLarge = size === 1 && header.length === 16;
    const length = size === 0 ? end - at : isLarge ? Number(header.readBigUInt64BE(8)) : size;
    const body = at + (isLarge ? 16 : 8);
    if (length < body - at) break;
    const box = { type: header.toString("latin1", 4, 8), start: at, body, end: Math.min(at + length, end) };
    boxes.push(box);
    at = box.end;
  }
  return boxes;
}

export const boxOf = (boxes: readonly Box[], type: string): Box | undefined => boxes.find((box) => box.type === type);
