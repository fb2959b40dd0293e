import type { Exif } from "../../../domain/image.ts";
import {
  ASCII,
  type Directory,
  EXIF_DIRECTORY,
  entryOf,
  findTiffHeader,
  GPS_DIRECTORY,
  openTiffBlock,
  pointersOf,
  type TiffBlock,
  UTF8,
} from "../exif/directories.ts";
import { cleanText } from "./clean-text.ts";

/** Bytes as JSON; together with the numbers they stay below the 2 KiB of a record's `exif`. */
const MAX_NAME = 160;
const MAX_ARTIST = 400;
const MAX_COPYRIGHT = 800;
/** Of a text that is looked at; more of it would be cut off anyway. */
const MAX_TEXT = 2048;

const COPYRIGHT = 0x8298;
const [SHORT, LONG, RATIONAL, SIGNED_LONG, SIGNED_RATIONAL] = [3, 4, 5, 9, 10];

/**
 * What a block of EXIF tells, as far as it can be read: it never throws, and takes a bounded time. The packages for it
 * do not: 64 KiB of entries that each claim all of the block cost exif-reader 14 seconds and 4 GB.
 */
export function readExif(block: Buffer, { exposeLocation }: { exposeLocation: boolean }): Exif | null {
  const header = findTiffHeader(block);
  const tiff = header < 0 ? undefined : openTiffBlock(block.subarray(header));
  if (tiff === undefined) return null;
  const image = tiff.directory(tiff.first);
  const photo = subDirectory(tiff, image, EXIF_DIRECTORY);
  const gps = exposeLocation ? subDirectory(tiff, image, GPS_DIRECTORY) : undefined;
  const found = {
    camera: cameraOf(textOf(tiff, image, 0x010f, MAX_NAME), textOf(tiff, image, 0x0110, MAX_NAME)),
    lens: textOf(tiff, photo, 0xa434, MAX_NAME),
    exposureTime: numberOf(tiff, photo, 0x829a, 86_400),
    fNumber: numberOf(tiff, photo, 0x829d, 1000),
    focalLength: numberOf(tiff, photo, 0x920a, 100_000),
    iso: isoOf(tiff, photo),
    takenAt: takenAtOf(tiff, photo),
    artist: textOf(tiff, image, 0x013b, MAX_ARTIST),
    copyright: textOf(tiff, image, COPYRIGHT, MAX_COPYRIGHT),
    location: locationOf(tiff, gps),
  };
  const known = Object.entries(found).filter(([, value]) => value !== undefined);
  return known.length === 0 ? null : (Object.fromEntries(known) as Exif);
}

/** When the picture was taken, or, as of a scan, when it became digital. */
const takenAtOf = (tiff: TiffBlock, photo: Directory | undefined): string | undefined =>
  [
    [0x9003, 0x9011, 0x9291],
    [0x9004, 0x9012, 0x9292],
  ]
    .map((tags) => tags.map((tag) => textOf(tiff, photo, tag, MAX_NAME)))
    .map(([time, offset, subSeconds]) => formatTakenAt({ time, offset, subSeconds }))
    .find((time) => time !== undefined);

/** A time as cameras write it: `2026:07:14 09:30:00`, `+02:00`, `123`. */
interface CameraTime {
  readonly time: string | undefined;
  readonly offset: string | undefined;
  readonly subSeconds: string | undefined;
}

/**
 * The time in RFC 3339, with milliseconds and offset where the camera wrote them; undefined for what is not a date, such
 * as the time of a camera whose clock was never set.
 */
export function formatTakenAt({ time, offset, subSeconds }: CameraTime): string | undefined {
  const match = /^(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d:\d\d:\d\d)$/.exec(time ?? "");
  if (match === null) return undefined;
  const local = `${match[1]}-${match[2]}-${match[3]}T${match[4]}`;
  // A day that the month does not have moves into the next one.
  const parsed = new Date(`${local}Z`);
  if (Number.isNaN(parsed.getTime()) || parsed.toISOString().slice(0, 19) !== local || parsed.getUTCFullYear() < 1800) {
    return undefined;
  }
  // Digits of a decimal fraction, some with blanks behind them.
  const digits = /^(\d+)\s*$/.exec(subSeconds ?? "")?.[1]?.slice(0, 3) ?? "";
  const precise = /[1-9]/.test(digits) ? `${local}.${digits.padEnd(3, "0")}` : local;
  return /^[+-](0\d|1[0-3]):[0-5]\d$|^[+-]14:00$/.test(offset ?? "") ? `${precise}${offset}` : precise;
}

function subDirectory(tiff: TiffBlock, parent: Directory | undefined, tag: number): Directory | undefined {
  const entry = entryOf(parent, tag);
  const [position] = (entry && pointersOf(tiff, entry)) ?? [];
  return position === undefined ? undefined : tiff.directory(position);
}

function textOf(tiff: TiffBlock, directory: Directory | undefined, tag: number, maxBytes: number): string | undefined {
  const entry = entryOf(directory, tag);
  if (entry?.values === undefined || (entry.type !== ASCII && entry.type !== UTF8)) return undefined;
  const { start, end } = entry.values;
  const bytes = tiff.bytes.subarray(start, Math.min(end, start + MAX_TEXT));
  // A zero parts the photographer's copyright from the editor's; elsewhere what follows it is left from something else.
  const length = tag === COPYRIGHT ? -1 : bytes.indexOf(0);
  return cleanText(length < 0 ? bytes : bytes.subarray(0, length), maxBytes);
}

/** The values of the first `count` of them; NaN where one says nothing. */
function numbersOf(tiff: TiffBlock, directory: Directory | undefined, tag: number, count: number): readonly number[] {
  const entry = entryOf(directory, tag);
  if (entry?.values === undefined || entry.count < count) return [];
  const { start } = entry.values;
  const read = (index: number): number => {
    if (entry.type === SHORT) return tiff.uint16(start + 2 * index);
    if (entry.type === LONG) return tiff.uint32(start + 4 * index);
    if (entry.type === SIGNED_LONG) return tiff.int32(start + 4 * index);
    const at = start + 8 * index;
    if (entry.type === RATIONAL) return tiff.uint32(at) / tiff.uint32(at + 4);
    if (entry.type === SIGNED_RATIONAL) return tiff.int32(at) / tiff.int32(at + 4);
    return Number.NaN;
  };
  return Array.from({ length: count }, (_, index) => read(index));
}

/** Above 0 and up to `most`: anything else is how writers say that they do not know. */
function numberOf(
  tiff: TiffBlock,
  directory: Directory | undefined,
  tag: number,
  most: number,
  digits = 6,
): number | undefined {
  const [value = Number.NaN] = numbersOf(tiff, directory, tag, 1);
  return value > 0 && value <= most ? Number(value.toPrecision(digits)) : undefined;
}

/** The old tag has 16 bits; where they do not suffice, the sensitivity is in others. */
function isoOf(tiff: TiffBlock, photo: Directory | undefined): number | undefined {
  const [plain, ...others] = [0x8827, 0x8832, 0x8831, 0x8833].map((tag) => numberOf(tiff, photo, tag, 100_000_000, 9));
  return plain === undefined || plain === 0xffff ? (others.find((value) => value !== undefined) ?? plain) : plain;
}

/** Most models say who made them: "NIKON CORPORATION" "NIKON D70", "Canon" "Canon EOS 5D". */
function cameraOf(make: string | undefined, model: string | undefined): string | undefined {
  if (make === undefined || model === undefined) return make ?? model;
  const brand = make.split(" ", 1)[0] ?? make;
  return model.toLowerCase().startsWith(brand.toLowerCase()) ? model : `${make} ${model}`;
}

const [LATITUDE_REFERENCE, LATITUDE, LONGITUDE_REFERENCE, LONGITUDE] = [1, 2, 3, 4];

function locationOf(tiff: TiffBlock, gps: Directory | undefined): Exif["location"] {
  const read = (tag: number, reference: number, [positive, negative]: readonly [string, string], most: number) => {
    const [degrees = Number.NaN, minutes = 0, seconds = 0] = numbersOf(tiff, gps, tag, 3);
    const sign = { [positive]: 1, [negative]: -1 }[textOf(tiff, gps, reference, MAX_NAME) ?? ""];
    const value = (sign ?? Number.NaN) * (degrees + minutes / 60 + (Number.isNaN(seconds) ? 0 : seconds) / 3600);
    return Math.abs(value) <= most ? Math.round(value * 1e7) / 1e7 : undefined;
  };
  const latitude = read(LATITUDE, LATITUDE_REFERENCE, ["N", "S"], 90);
  const longitude = read(LONGITUDE, LONGITUDE_REFERENCE, ["E", "W"], 180);
  return latitude === undefined || longitude === undefined ? undefined : { latitude, longitude };
}
