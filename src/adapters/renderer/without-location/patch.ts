import { StoreError } from "../../../domain/errors.ts";

/** Bytes that stand in the copy for those from `start` up to `end` of the original. */
export interface Patch {
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

/** The name that the field has in EXIF's tables, XMP and the text of every tool that prints them. */
export const mentionsLocation = (block: Buffer): boolean => /gps(dest)?l(at|ong)itude/i.test(block.toString("latin1"));

/** Photoshop's resources for EXIF and XMP, which belong into its own files and are hardly ever met elsewhere. */
export const hasForeignResources = (block: Buffer): boolean => /8BIM\x04[\x22-\x24]/.test(block.toString("latin1"));

/**
 * In the order of the file.
 * @throws StoreError `invalid_image` where two of them are for the same bytes
 */
export function inOrder(patches: readonly Patch[]): readonly Patch[] {
  const sorted = patches.toSorted((one, other) => one.start - other.start);
  if (sorted.some(({ start }, index) => start < (sorted[index - 1]?.end ?? 0)))
    throw new StoreError("invalid_image", "The metadata of the image cannot be edited safely.");
  return sorted;
}

/** Undefined where nothing changes. */
export function patchOf(start: number, before: Buffer, after: Buffer): Patch | undefined {
  return before.equals(after) ? undefined : { start, end: start + before.length, bytes: after };
}
