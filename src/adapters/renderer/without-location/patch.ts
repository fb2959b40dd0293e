/** Bytes that stand in the copy for those from `start` up to `end` of the original. */
export interface Patch {
  readonly start: number;
  readonly end: number;
  readonly bytes: Uint8Array;
}

/**
 * Changes a block of metadata in place, so that whatever counts from its start stays where it is.
 * Answers false where that cannot be done safely; then the block may not be kept.
 */
export type Eraser = (block: Buffer) => boolean;

/** The name that the field has in EXIF's tables, XMP and the text of every tool that prints them. */
export const mentionsLocation = (block: Buffer): boolean => /gps(dest)?l(at|ong)itude/i.test(block.toString("latin1"));

/** Undefined where nothing changes. */
export function patchOf(start: number, before: Buffer, after: Buffer): Patch | undefined {
  return before.equals(after) ? undefined : { start, end: start + before.length, bytes: after };
}
