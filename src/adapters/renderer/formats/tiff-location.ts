import { StoreError } from "../../../domain/errors.ts";
import type { ByteReader } from "../byte-reader.ts";
import { hasForeignResources, inOrder, mentionsLocation, type Patch, patchOf } from "../without-location/patch.ts";
import { eraseFromXmp } from "../without-location/xmp.ts";
import { openTiff, type TiffEntry, type TiffReader } from "./tiff-file.ts";

const [SUB_DIRECTORIES, EXIF_DIRECTORY, GPS_DIRECTORY, INTEROPERABILITY] = [0x014a, 0x8769, 0x8825, 0xa005];
const [XMP, PHOTOSHOP, MAKER_NOTE] = [0x02bc, 0x8649, 0x927c];
/** Where on the earth a picture lies: scale, tie points, transformation and keys of GeoTIFF. */
const GEO_TAGS = new Set([0x830e, 0x8482, 0x85d8, 0x87af, 0x87b0, 0x87b1]);
const STRIPS: readonly (readonly [offsets: number, counts: number])[] = [
  [0x0111, 0x0117],
  [0x0144, 0x0145],
];
const [BYTE, ASCII, UNDEFINED, UTF8] = [1, 2, 7, 129];
const MAX_DIRECTORIES = 1024;
const MAX_STRIPS = 1_000_000;

const isErased = ({ tag }: TiffEntry): boolean => tag === GPS_DIRECTORY || GEO_TAGS.has(tag);

interface Directory {
  readonly position: number;
  readonly entries: readonly TiffEntry[];
  readonly next: number;
}

interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * All directories of the file (TIFF 6.0; BigTIFF), edited in place: the directory of GPS is zeroed, and the entries that
 * point to it, and those of GeoTIFF, are gone. Pixels stay where they are.
 * @throws StoreError `invalid_image` where data to erase overlaps data to keep
 */
export function patchDirectories(original: ByteReader): readonly Patch[] {
  const reader = openTiff(original);
  if (reader === undefined) throw unsafe();
  const { kept, located } = readAll(reader);
  const erased = [
    ...located.flatMap((directory) => [tableOf(reader, directory), ...valuesOf(reader, directory.entries)]),
    ...kept.flatMap(({ entries }) => valuesOf(reader, entries.filter(isErased))),
  ];
  const others = kept.flatMap((directory) => [
    tableOf(reader, directory),
    ...valuesOf(
      reader,
      directory.entries.filter((entry) => !isErased(entry)),
    ),
    ...stripsOf(reader, directory),
  ]);
  requireApart(others, erased);
  return inOrder([
    ...merge(erased).map(({ start, end }) => ({ start, end, bytes: new Uint8Array(end - start) })),
    ...kept.flatMap((directory) => removeEntries(original, reader, directory)),
    ...kept.flatMap(({ entries }) => entries.flatMap((entry) => patchText(original, reader, entry))),
  ]);
}

function readAll(reader: TiffReader): { kept: readonly Directory[]; located: readonly Directory[] } {
  const seen = new Set<number>();
  const kept: Directory[] = [];
  const located: Directory[] = [];
  const waiting: { position: number; into: Directory[] }[] = [{ position: reader.first, into: kept }];
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    const { position, into } = one;
    if (position === 0 || seen.has(position)) continue;
    seen.add(position);
    if (seen.size > MAX_DIRECTORIES) throw unsafe();
    const found = reader.directory(position);
    if (found === undefined) continue;
    into.push({ position, ...found });
    if (into === located) continue;
    waiting.push({ position: found.next, into: kept });
    for (const entry of found.entries) {
      const isGps = entry.tag === GPS_DIRECTORY;
      if (![SUB_DIRECTORIES, EXIF_DIRECTORY, INTEROPERABILITY].includes(entry.tag) && !isGps) continue;
      for (const pointer of reader.integers(entry, 64))
        waiting.push({ position: pointer, into: isGps ? located : kept });
    }
  }
  return { kept, located };
}

const tableOf = (reader: TiffReader, { position, entries }: Directory): Range => ({
  start: position,
  end: position + (reader.isBig ? 16 : 6) + entries.length * (reader.isBig ? 20 : 12),
});

const valuesOf = (reader: TiffReader, entries: readonly TiffEntry[]): readonly Range[] =>
  entries.flatMap((entry) => {
    const range = reader.valuesOf(entry);
    // Values within the entry are part of the table.
    return range === undefined || range.start === entry.valuePosition ? [] : [range];
  });

function stripsOf(reader: TiffReader, { entries }: Directory): readonly Range[] {
  const read = (tag: number): readonly number[] => {
    const entry = entries.find((one) => one.tag === tag);
    return entry === undefined ? [] : reader.integers(entry, MAX_STRIPS);
  };
  return STRIPS.flatMap(([offsets, counts]) => {
    const lengths = read(counts);
    return read(offsets).map((start, index) => ({ start, end: start + (lengths[index] ?? 0) }));
  });
}

function merge(ranges: readonly Range[]): readonly Range[] {
  const merged: { start: number; end: number }[] = [];
  for (const { start, end } of ranges.toSorted((one, other) => one.start - other.start)) {
    const last = merged.at(-1);
    if (last !== undefined && start <= last.end) last.end = Math.max(last.end, end);
    else if (end > start) merged.push({ start, end });
  }
  return merged;
}

function requireApart(kept: readonly Range[], erased: readonly Range[]): void {
  const [others, gone] = [merge(kept), merge(erased)];
  let at = 0;
  for (const { start, end } of gone) {
    while (at < others.length && (others[at]?.end ?? 0) <= start) at++;
    if ((others[at]?.start ?? Number.POSITIVE_INFINITY) < end) throw unsafe();
  }
}

/** Entries behind a removed one move up, and so does the pointer to the next directory. */
function removeEntries(original: ByteReader, reader: TiffReader, directory: Directory): readonly Patch[] {
  const gone = directory.entries.filter(isErased);
  if (gone.length === 0) return [];
  const { start, end } = tableOf(reader, directory);
  const before = original.read(start, end);
  const [countBytes, entryBytes] = reader.isBig ? [8, 20] : [2, 12];
  const left = directory.entries.filter((entry) => !isErased(entry));
  const parts = left.map(({ position }) => before.subarray(position - start, position - start + entryBytes));
  const next = before.subarray(countBytes + directory.entries.length * entryBytes);
  const after = Buffer.concat([reader.bytesOf(left.length, countBytes), ...parts, next], before.length);
  return [patchOf(start, before, after) ?? []].flat();
}

/** Text that a person wrote stays; fields that programs write lose the location. */
function patchText(original: ByteReader, reader: TiffReader, entry: TiffEntry): readonly Patch[] {
  const { tag, type } = entry;
  const range = reader.valuesOf(entry);
  const isText = [BYTE, ASCII, UNDEFINED, UTF8].includes(type);
  if (range === undefined || !isText || tag === MAKER_NOTE) return [];
  if (range.start === entry.valuePosition) return [];
  const before = original.read(range.start, range.end);
  const after = Buffer.from(before);
  if (tag === XMP) {
    if (!eraseFromXmp(after)) after.fill(0x20);
  } else if (mentionsLocation(after) || (tag === PHOTOSHOP && hasForeignResources(after))) after.fill(0);
  return [patchOf(range.start, before, after) ?? []].flat();
}

const unsafe = () => new StoreError("invalid_image", "The metadata of the image cannot be edited safely.");
