import {
  type Directory,
  ENTRY_BYTES,
  type Entry,
  EXIF_DIRECTORY,
  entryOf,
  findTiffHeader,
  GPS_DIRECTORY,
  hasKnownType,
  INTEROPERABILITY_DIRECTORY,
  openTiffBlock,
  pointersOf,
  type Range,
  SUB_DIRECTORIES,
  type TiffBlock,
} from "../exif/directories.ts";
import { mentionsLocation } from "./patch.ts";
import { eraseFromXmp, holdsMetadata } from "./xmp.ts";

const ORIENTATION = 0x0112;
const XMP = 0x02bc;
const THUMBNAIL = 0x0201;
const THUMBNAIL_LENGTH = 0x0202;
const MAX_DIRECTORIES = 64;
/** The most that all ranges of a block may cover, in lengths of the block: only hostile ranges overlap more. */
const MAX_OVERLAP = 4;

class Unsafe extends Error {}

/**
 * Removes the location from a block of EXIF, in place: it zeroes the GPS directory with all its values and removes the
 * entry that points to it. Everything else keeps its position, so all offsets stay valid, also those inside a maker note.
 * The contents of a maker note stay. Of a block that cannot be edited safely, only the orientation is kept.
 */
export function eraseFromExif(block: Buffer): void {
  const header = findTiffHeader(block);
  const tiff = header < 0 ? undefined : openTiffBlock(block.subarray(header));
  if (tiff === undefined) {
    // It is not EXIF that any reader could use.
    block.fill(0);
    return;
  }
  const orientation = orientationOf(tiff);
  try {
    erase(tiff);
    if (mentionsLocation(block)) throw new Unsafe();
  } catch (error) {
    if (!(error instanceof Unsafe)) throw error;
    tiff.bytes.fill(0);
    if (orientation !== undefined) writeOrientation(tiff.bytes, orientation);
  }
}

function erase(tiff: TiffBlock): void {
  const { kept, located } = readAll(tiff);
  const gps = located.flatMap((directory) => rangesOf(directory));
  requireApart(tiff, kept.flatMap(rangesOf), gps);
  for (const { start, end } of gps) tiff.bytes.fill(0, start, end);
  for (const directory of kept) removeEntries(tiff, directory);
  for (const { entries } of kept) eraseWithin(tiff, entries);
}

/** All directories; `located` are those of GPS. */
function readAll(tiff: TiffBlock): { kept: readonly Directory[]; located: readonly Directory[] } {
  const kept = new Map<number, Directory>();
  const located = new Map<number, Directory>();
  const read = (position: number, into: Map<number, Directory>): void => {
    const isOther = (into === kept ? located : kept).has(position);
    if (kept.size + located.size > MAX_DIRECTORIES || isOther) throw new Unsafe();
    if (position === 0 || into.has(position)) return;
    const directory = tiff.directory(position);
    // Outside the block there is nothing to hide, and a reader finds nothing either.
    if (directory === undefined) return;
    if (!directory.isWhole) throw new Unsafe();
    into.set(position, directory);
    if (into === located) {
      if (!directory.entries.every(hasKnownType)) throw new Unsafe();
      return;
    }
    for (const entry of directory.entries) {
      if (!LEADING.has(entry.tag)) continue;
      const pointers = pointersOf(tiff, entry);
      if (pointers === undefined) throw new Unsafe();
      for (const pointer of pointers) read(pointer, entry.tag === GPS_DIRECTORY ? located : kept);
    }
    read(directory.next, kept);
  };
  read(tiff.first, kept);
  return { kept: [...kept.values()], located: [...located.values()] };
}

const LEADING = new Set([SUB_DIRECTORIES, EXIF_DIRECTORY, GPS_DIRECTORY, INTEROPERABILITY_DIRECTORY]);

/** The directory itself, and what its entries keep elsewhere. */
const rangesOf = ({ position, end, entries }: Directory): readonly Range[] => [
  { start: position, end },
  ...entries.flatMap(({ values }) => values ?? []),
];

function requireApart({ bytes }: TiffBlock, kept: readonly Range[], erased: readonly Range[]): void {
  const total = [...kept, ...erased].reduce((sum, { start, end }) => sum + end - start, 0);
  if (total > MAX_OVERLAP * bytes.length) throw new Unsafe();
  const isKept = new Uint8Array(bytes.length);
  isKept.fill(1, 0, 8);
  for (const { start, end } of kept) isKept.fill(1, start, end);
  if (erased.some(({ start, end }) => isKept.subarray(start, end).includes(1))) throw new Unsafe();
}

/** The entries behind move up, and with them the pointer to the next directory. */
function removeEntries(tiff: TiffBlock, { position, end, entries }: Directory): void {
  const gone = entries.filter(({ tag }) => tag === GPS_DIRECTORY);
  for (const entry of gone.toReversed()) {
    tiff.bytes.copyWithin(entry.position, entry.position + ENTRY_BYTES, end);
    tiff.bytes.fill(0, end - ENTRY_BYTES, end);
  }
  if (gone.length > 0) tiff.writeUint16(entries.length - gone.length, position);
}

/** XMP and thumbnails may contain a location of their own. */
function eraseWithin(tiff: TiffBlock, entries: readonly Entry[]): void {
  for (const { tag, values } of entries) {
    if (tag !== XMP || values === undefined) continue;
    const packet = tiff.bytes.subarray(values.start, values.end);
    if (!eraseFromXmp(packet)) packet.fill(0x20);
  }
  const [start, length] = [THUMBNAIL, THUMBNAIL_LENGTH].map((wanted) => {
    const entry = entries.find(({ tag }) => tag === wanted);
    return (entry && pointersOf(tiff, entry)?.[0]) ?? 0;
  });
  if (holdsMetadata(tiff.bytes.subarray(start, (start ?? 0) + (length ?? 0)))) throw new Unsafe();
}

/** Undefined for an entry that does not conform to the standard. */
function orientationOf(tiff: TiffBlock): { entry: Buffer; littleEndian: boolean } | undefined {
  const entry = entryOf(tiff.directory(tiff.first), ORIENTATION);
  if (entry?.type !== 3 || entry.count !== 1) return undefined;
  return {
    entry: Buffer.from(tiff.bytes.subarray(entry.position, entry.position + ENTRY_BYTES)),
    littleEndian: tiff.bytes[0] === 0x49,
  };
}

/** A whole block with that one entry; the caller's block has held a directory with it, so that there is room. */
function writeOrientation(bytes: Buffer, { entry, littleEndian }: { entry: Buffer; littleEndian: boolean }): void {
  const header = littleEndian ? "II*\0\x08\0\0\0\x01\0" : "MM\0*\0\0\0\x08\0\x01";
  bytes.write(header, "latin1");
  entry.copy(bytes, header.length);
}
