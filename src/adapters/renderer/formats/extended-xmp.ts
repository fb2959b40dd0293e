import { type Patch, patchOf } from "../without-location/patch.ts";
import { eraseFromXmp } from "../without-location/xmp.ts";

/** What stands in a segment behind its signature: the digest of the whole, its length, where this part goes, the part. */
export interface ExtendedPart {
  readonly start: number;
  readonly bytes: Buffer;
}

const DIGEST_CHARACTERS = 32;
const HEADER_BYTES = DIGEST_CHARACTERS + 8;

/**
 * XMP that is too long for one segment (XMP part 3, 1.1.3.1). A tag may begin in one part and end in the next, so that
 * they are put together first. Those that are no whole are not kept. The digest stays: it is what ties the parts to the
 * main packet, and no reader computes it again.
 */
export function patchExtendedXmp(parts: readonly ExtendedPart[]): readonly Patch[] {
  return [...Map.groupBy(parts, digestOf).values()].flatMap(patchWhole);
}

function patchWhole(parts: readonly ExtendedPart[]): readonly Patch[] {
  const inOrder = parts.toSorted((one, other) => offsetOf(one) - offsetOf(other));
  const whole = Buffer.concat(inOrder.map(({ bytes }) => bytes.subarray(HEADER_BYTES)));
  const isWhole = inOrder.reduce((at, part) => (offsetOf(part) === at ? at + part.bytes.length - HEADER_BYTES : -1), 0);
  if (isWhole < 0 || !eraseFromXmp(whole)) whole.fill(0x20);
  let at = 0;
  return inOrder.flatMap(({ start, bytes }) => {
    const before = bytes.subarray(HEADER_BYTES);
    const after = whole.subarray(at, (at += before.length));
    return patchOf(start + HEADER_BYTES, before, after) ?? [];
  });
}

const digestOf = ({ bytes }: ExtendedPart): string => bytes.toString("latin1", 0, DIGEST_CHARACTERS);
const offsetOf = ({ bytes }: ExtendedPart): number =>
  bytes.length < HEADER_BYTES ? Number.NaN : bytes.readUInt32BE(DIGEST_CHARACTERS + 4);
