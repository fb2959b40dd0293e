import { StoreError } from "../../../domain/errors.ts";
import type { ByteReader } from "../byte-reader.ts";
import { type CodePoints, colourSpaceOf } from "../colour/code-points.ts";
import { eraseFromExif } from "../without-location/exif.ts";
import { inOrder, mentionsLocation, type Patch, patchOf } from "../without-location/patch.ts";
import { eraseFromXmp } from "../without-location/xmp.ts";
import { readAv1Colour } from "./av1.ts";
import { type Box, boxOf, readBoxes } from "./boxes.ts";
import type { EncodingCodec, Preparation } from "./codec.ts";
import { unsupported } from "./unaccepted.ts";

export const avif: EncodingCodec = {
  recognises,
  loader: "Heif",
  isDecodedAs: ({ format, compression }) => format === "heif" && compression === "av1",
  followsExif: true,
  warnsOfDamage: true,
  prepare,
  withoutLocation: patchItems,
  // Effort 4 saves a tenth of the bytes, and costs 16 times the time: 6.7 s and 131 KiB instead of 408 ms and 144 KiB for
  // a photo of 2 megapixels; 2 takes 1,063 ms and saves nothing.
  encode: (image, quality) => image.avif({ quality, effort: 1, chromaSubsampling: "4:2:0" }),
};

/** AVIF 1.0, 6: one of its brands among the first ones; HEIC and others share the container. */
function recognises(start: string): boolean {
  if (!start.startsWith("ftyp", 4)) return false;
  const brands = start.slice(0, Buffer.from(start.slice(0, 4), "latin1").readUInt32BE());
  for (let offset = 8; offset + 4 <= brands.length; offset += 4) {
    // The version of the first brand is at 12.
    if (offset !== 12 && (brands.startsWith("avif", offset) || brands.startsWith("avis", offset))) return true;
  }
  return false;
}

/**
 * The decoder refuses a sequence by its first brand; its primary image is one like any other. Without one, all pictures are
 * in a video track.
 * @throws StoreError `unsupported_image` for such a sequence
 */
function prepare(original: ByteReader): Partial<Preparation> {
  const boxes = readBoxes(original, 0, original.size);
  if (boxOf(boxes, "meta") === undefined && boxOf(boxes, "moov") !== undefined)
    throw unsupported("The file is an AVIF sequence without a still picture");
  const colour = colourSpaceOf(readColour(original));
  if (original.read(8, 12).toString("latin1") === "avif") return { colour };
  const input = original.copy(0, original.size);
  input.write("avif", 8, "latin1");
  return { input, colour, mend: () => input };
}

/** What the file's `meta` box says (HEIF, ISO/IEC 23008-12). */
interface AvifMeta {
  readonly boxes: readonly Box[];
  readonly primaryItem: number | undefined;
  readonly items: readonly AvifItem[];
}

interface AvifItem {
  readonly id: number;
  readonly type: string;
  readonly contentType: string;
  /** Where its bytes are in the file. */
  readonly extents: readonly { readonly start: number; readonly end: number }[];
}

/** A large `meta` box is read as a whole, which {@link ByteReader.read} bounds. */
function readMeta(file: ByteReader): AvifMeta | undefined {
  const top = readBoxes(file, 0, file.size);
  const meta = boxOf(top, "meta");
  if (meta === undefined) return undefined;
  const boxes = readBoxes(file, meta.body + 4, meta.end);
  const body = (type: string): Buffer | undefined => {
    const box = boxOf(boxes, type);
    return box === undefined ? undefined : file.read(box.body, box.end);
  };
  const idat = boxOf(boxes, "idat");
  try {
    const kinds = readItemKinds(file, boxOf(boxes, "iinf"));
    const places = readLocations(body("iloc") ?? Buffer.alloc(0), idat?.body ?? 0);
    const items = [...kinds].map(([id, kind]) => ({ id, ...kind, extents: places.get(id) ?? [] }));
    const pitm = body("pitm");
    const primaryItem = pitm === undefined ? undefined : pitm[0] === 0 ? pitm.readUInt16BE(4) : pitm.readUInt32BE(4);
    return { boxes, primaryItem, items };
  } catch (error) {
    if (error instanceof RangeError) return { boxes, primaryItem: undefined, items: [] };
    throw error;
  }
}

type ItemKind = Pick<AvifItem, "type" | "contentType">;

function readItemKinds(file: ByteReader, iinf: Box | undefined): ReadonlyMap<number, ItemKind> {
  const kinds = new Map<number, ItemKind>();
  if (iinf === undefined) return kinds;
  const version = file.uint8(iinf.body);
  for (const box of readBoxes(file, iinf.body + (version === 0 ? 6 : 8), iinf.end)) {
    if (box.type !== "infe") continue;
    const entry = file.read(box.body, box.end);
    const isLong = entry[0] === 3;
    const id = isLong ? entry.readUInt32BE(4) : entry.readUInt16BE(4);
    const at = (isLong ? 8 : 6) + 2;
    const [, contentType = ""] = entry.toString("latin1", at + 4).split("\0");
    kinds.set(id, { type: entry.toString("latin1", at, at + 4), contentType });
  }
  return kinds;
}

/** ISO/IEC 14496-12, 8.11.3; `idat` is where offsets of the construction method 1 begin. */
function readLocations(iloc: Buffer, idat: number) {
  const places = new Map<number, { start: number; end: number }[]>();
  if (iloc.length < 8) return places;
  const version = iloc[0] ?? 0;
  const [offsetSize, lengthSize] = [(iloc[4] ?? 0) >> 4, (iloc[4] ?? 0) & 15];
  const [baseSize, indexSize] = [(iloc[5] ?? 0) >> 4, version === 0 ? 0 : (iloc[5] ?? 0) & 15];
  let at = 6;
  const next = (bytes: number): number => {
    let value = 0;
    for (let end = at + bytes; at < end; at++) value = value * 256 + iloc.readUInt8(at);
    return value;
  };
  for (let items = next(version < 2 ? 2 : 4); items > 0; items--) {
    const id = next(version < 2 ? 2 : 4);
    const method = version === 0 ? 0 : next(2) & 15;
    next(2);
    const base = next(baseSize) + (method === 1 ? idat : 0);
    const extents = Array.from({ length: next(2) }, () => {
      next(indexSize);
      const start = base + next(offsetSize);
      return { start, end: start + next(lengthSize) };
    });
    // Others are made of other items.
    places.set(id, method > 1 ? [] : extents);
  }
  return places;
}

/** Transfer functions of video, which browsers take for that of sRGB in a picture. */
const OF_VIDEO = new Set([1, 6, 11, 14, 15]);
const SRGB_TRANSFER = 13;
/** Where a picture begins with its sequence header. */
const HEADER_BYTES = 256;

/** The colours of the primary picture as browsers take them; undefined where an ICC profile says them. */
function readColour(file: ByteReader): CodePoints | undefined {
  const colour = readCodePoints(file);
  return colour && OF_VIDEO.has(colour.transfer) ? { ...colour, transfer: SRGB_TRANSFER } : colour;
}

/** From its `colr` box, else from the picture itself. */
function readCodePoints(file: ByteReader): CodePoints | undefined {
  const meta = readMeta(file);
  const iprp = meta && boxOf(meta.boxes, "iprp");
  if (meta === undefined || iprp === undefined) return undefined;
  const inside = readBoxes(file, iprp.body, iprp.end);
  const ipco = boxOf(inside, "ipco");
  if (ipco === undefined) return undefined;
  const properties = readBoxes(file, ipco.body, ipco.end);
  const mine = propertiesOf(file, boxOf(inside, "ipma"), meta.primaryItem);
  const colours = properties
    .filter(({ type }, index) => type === "colr" && (mine === undefined || mine.includes(index + 1)))
    .map((box) => file.read(box.body, Math.min(box.end, box.body + 11)));
  const kinds = colours.map((colour) => colour.toString("latin1", 0, 4));
  const nclx = colours[kinds.indexOf("nclx")];
  if (kinds.includes("prof") || kinds.includes("rICC")) return undefined;
  if (nclx === undefined || nclx.length < 8) {
    const picture = meta.items.find(({ id }) => id === meta.primaryItem)?.extents[0];
    return picture && readAv1Colour(file.read(picture.start, Math.min(picture.end, picture.start + HEADER_BYTES)));
  }
  return { primaries: nclx.readUInt16BE(4), transfer: nclx.readUInt16BE(6) };
}

function propertiesOf(
  file: ByteReader,
  ipma: Box | undefined,
  item: number | undefined,
): readonly number[] | undefined {
  if (ipma === undefined || item === undefined) return undefined;
  const bytes = file.read(ipma.body, ipma.end);
  const version = bytes[0] ?? 0;
  const isWide = ((bytes[3] ?? 0) & 1) === 1;
  let at = 4;
  const next = (length: number): number => {
    let value = 0;
    for (let end = at + length; at < end; at++) value = value * 256 + (bytes[at] ?? 0);
    return value;
  };
  for (let entries = next(4); entries > 0 && at < bytes.length; entries--) {
    const id = next(version < 1 ? 2 : 4);
    const found = Array.from({ length: next(1) }, () => next(isWide ? 2 : 1) & (isWide ? 0x7fff : 0x7f));
    if (id === item) return found;
  }
  return undefined;
}

/** Boxes of the file itself that belong to its pictures (ISO/IEC 14496-12, HEIF). */
const KNOWN = new Set("ftyp styp meta mdat idat moov moof mfra sidx free skip wide pdin".split(" "));
/** Boxes that hold the tracks of a sequence. */
const CONTAINERS = new Set(["moov", "trak", "mdia", "minf"]);
/** What a sequence says about itself: its place too. */
const REMARKS = new Set(["udta", "meta", "uuid"]);
const XMP_UUID = "be7acfcb97a942e89c71999491e3afac";

/** Items and boxes of metadata, each edited in place, so that all offsets hold. What is no part of a picture is left out. */
function patchItems(original: ByteReader): readonly Patch[] {
  const meta = readMeta(original);
  if (meta === undefined || meta.items.length === 0) throw unsafe();
  const patches = meta.items.flatMap((item) => patchItem(original, item));
  const boxes = readBoxes(original, 0, original.size);
  const last = boxes.at(-1);
  for (const box of boxes) {
    if (CONTAINERS.has(box.type)) patches.push(...blankRemarks(original, box));
    if (KNOWN.has(box.type)) continue;
    patches.push(...(isXmp(original, box) ? patchXmp(original, box) : [blank(box, box === last)]));
  }
  if (last !== undefined && last.end < original.size)
    patches.push({ start: last.end, end: original.size, bytes: new Uint8Array() });
  return inOrder(patches);
}

function patchItem(original: ByteReader, { type, contentType, extents }: AvifItem): readonly Patch[] {
  const isExif = type === "Exif";
  const isXmpItem = type === "mime" && /xml/i.test(contentType);
  const isText = type === "mime" || type === "uri ";
  if (!isExif && !isText) return [];
  if (extents.length === 0) throw unsafe();
  const before = Buffer.concat(extents.map(({ start, end }) => original.read(start, end)));
  const after = Buffer.from(before);
  if (isExif) {
    const offset = after.length < 4 ? 0 : after.readUInt32BE();
    eraseFromExif(after.subarray(4 + (offset < after.length ? offset : 0)));
  } else if (isXmpItem) {
    if (!eraseFromXmp(after)) after.fill(0x20);
  } else if (mentionsLocation(after)) after.fill(0);
  let at = 0;
  return extents.flatMap(({ start, end }) => {
    const length = Math.min(end, original.size) - start;
    const part = (bytes: Buffer) => bytes.subarray(at, at + length);
    const patch = patchOf(start, part(before), part(after));
    at += length;
    return patch ?? [];
  });
}

function isXmp(original: ByteReader, { type, body }: Box): boolean {
  return type === "uuid" && original.read(body, body + 16).toString("hex") === XMP_UUID;
}

function patchXmp(original: ByteReader, { body, end }: Box): readonly Patch[] {
  const before = original.read(body + 16, end);
  const after = Buffer.from(before);
  if (!eraseFromXmp(after)) after.fill(0x20);
  return [patchOf(body + 16, before, after) ?? []].flat();
}

const blankRemarks = (original: ByteReader, box: Box): readonly Patch[] =>
  readBoxes(original, box.body, box.end).flatMap((inner) => {
    if (CONTAINERS.has(inner.type)) return blankRemarks(original, inner);
    return REMARKS.has(inner.type) ? [blank(inner, false)] : [];
  });

/** At the end it goes, elsewhere free space of the same length takes its place. */
function blank({ start, body, end }: Box, isLast: boolean): Patch {
  if (isLast) return { start, end, bytes: new Uint8Array() };
  const bytes = Buffer.alloc(end - start);
  const isLarge = body - start === 16;
  bytes.writeUInt32BE(isLarge ? 1 : end - start);
  bytes.write("free", 4, "latin1");
  if (isLarge) bytes.writeBigUInt64BE(BigInt(end - start), 8);
  return { start, end, bytes };
}

const unsafe = () => new StoreError("invalid_image", "The metadata of the image cannot be edited safely.");
