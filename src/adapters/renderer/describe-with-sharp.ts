import type { Metadata, Sharp } from "sharp";
import { rgbaToThumbHash } from "thumbhash";
import { type Description, undecodable } from "../../domain/image.ts";
import type { BlobSource } from "../../ports.ts";
import { openByteReader } from "./byte-reader.ts";
import { convert, withGreyProfile } from "./colour/in-srgb.ts";
import { type DecoderInput, type Open, opener, prepareInput } from "./decoder.ts";
import { dominantColour } from "./description/dominant-colour.ts";
import { readExif } from "./description/exif.ts";

export interface DescribeJob {
  readonly source: BlobSource;
  /** Summed over frames. */
  readonly maxPixels: number;
  /** Whether the description includes the location. */
  readonly exposeLocation: boolean;
}

const TOO_SHORT = "The file ends before the picture does.";
/** Of a ThumbHash, which gains nothing from more. */
const THUMBNAIL_SIDE = 100;

/**
 * Decodes every pixel, so it must run in a process that may crash. Damage of the bytes is part of the result, which has
 * everything that a damaged image still tells.
 * @throws StoreError `unavailable` when the bytes cannot be read
 */
export async function describeWithSharp({ source, maxPixels, exposeLocation }: DescribeJob): Promise<Description> {
  const open = (input: Pick<DecoderInput, "input" | "options">): Open => opener(input, maxPixels, "none");
  let exif: Description["exif"] = null;
  let input: DecoderInput | undefined;
  try {
    const prepared = prepareInput(source);
    input = prepared;
    // A warning about the metadata says nothing about the pixels.
    const metadata = await open(prepared)().metadata();
    if (metadata.exif !== undefined) exif = readExif(metadata.exif, { exposeLocation });
    const look = await decodeWhole(open(prepared), metadata, prepared).catch((error: unknown) => {
      const repaired = prepared.repair?.();
      if (repaired === undefined || repaired.isCut) throw error;
      return decodeRepaired(open({ ...prepared, input: repaired.input }), metadata, prepared, error);
    });
    if (!prepared.isWhole) return { ...undecodable(TOO_SHORT, exif), ...look };
    return { ...look, exif, decodable: true, decodeError: null };
  } catch (error) {
    requireReadable(source);
    const look =
      input &&
      ((await decodePart(open({ ...input, input: input.mend() }), input)) ?? (await decodeFirst(open(input), input)));
    const decoderMessage = error instanceof Error ? error.message : String(error);
    const reason = input?.isWhole === false ? TOO_SHORT : reasonOf(error);
    return { ...undecodable(reason, exif), ...look, decoderMessage };
  }
}

type Look = Pick<Description, "placeholder" | "dominantColour">;

/** @throws Error what the decoder finds */
async function decodeWhole(open: Open, metadata: Metadata, input: DecoderInput): Promise<Look> {
  // Behind a hole, a JPEG goes on, and the decoder only warns of it.
  const failOn = input.warnsOfDamage ? "warning" : "error";
  const strictly: Open = (options) => open({ failOn, ...options });
  const look = await lookOf(strictly, metadata, input);
  await decodeOtherFrames(strictly, metadata, input);
  return look;
}

/** The decoder does not stop at a warning about the last rows, and reports it when it has read them all. */
async function decodeRepaired(open: Open, metadata: Metadata, input: DecoderInput, found: unknown): Promise<Look> {
  const look = await decodeWhole(open, metadata, input).catch(() => {
    throw found;
  });
  const warnings: string[] = [];
  const image = open({ failOn: "none" }).on("warning", (warning: string) => warnings.push(warning));
  await image.raw().toBuffer();
  if (warnings.length > 0) throw found;
  return look;
}

/** What can be seen of a damaged image; undefined where that is nothing. */
async function decodePart(open: Open, input: DecoderInput): Promise<Look | undefined> {
  try {
    const leniently: Open = (options) => open({ failOn: "none", ...options });
    const { channels } = await leniently().resize(64, 64, { fit: "inside" }).stats();
    if (channels.every(({ min, max }) => min === max)) return undefined;
    return await lookOf(leniently, await leniently().metadata(), input);
  } catch {
    return undefined;
  }
}

/** The first frame of an animation may be whole, and of one colour; undefined where it is not whole. */
async function decodeFirst(open: Open, input: DecoderInput): Promise<Look | undefined> {
  const strictly: Open = (options) => open({ failOn: "error", ...options });
  try {
    return await lookOf(strictly, await strictly().metadata(), input);
  } catch {
    return undefined;
  }
}

async function lookOf(open: Open, metadata: Metadata, input: DecoderInput): Promise<Look> {
  const { data, info } = await (await thumbnail(open, metadata, input)).toBuffer({ resolveWithObject: true });
  const hash = rgbaToThumbHash(info.width, info.height, data);
  return { placeholder: Buffer.from(hash).toString("base64"), dominantColour: dominantColour(data) };
}

const small = (image: Sharp): Sharp =>
  image.resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: "inside", withoutEnlargement: true });
const inRgba = (image: Sharp): Sharp => image.toColourspace("srgb").ensureAlpha().raw({ depth: "uchar" });

/** The first frame as displayed, in RGBA. Where a decoder shrinks as it goes, it still reads everything. */
async function thumbnail(open: Open, metadata: Metadata, input: DecoderInput): Promise<Sharp> {
  const upright: Open = (options) => open({ autoOrient: input.followsExif, ...options });
  if (input.colour !== undefined)
    return inRgba(await convert(small(upright({ ignoreIcc: true })), metadata, input.colour));
  if (metadata.space === "grey16" && metadata.icc !== undefined) return inRgba(small(await withGreyProfile(upright)));
  return inRgba(small(upright()));
}

/** Frames of an animation are made of those before them; pages of the others may differ in size. */
async function decodeOtherFrames(open: Open, { pages = 1 }: Metadata, input: DecoderInput): Promise<void> {
  if (pages === 1) return;
  if (input.animates) {
    await toOnePixel(open({ pages: input.frames ?? -1, ignoreIcc: true }));
  } else for (let page = 0; page < pages; page++) await toOnePixel(open({ page, ignoreIcc: true }));
}

const toOnePixel = (image: Sharp): Promise<Buffer> => image.resize(1, 1, { fit: "fill" }).raw().toBuffer();

/** A decoder reports bytes that the disk does not return as broken bytes. */
function requireReadable(source: BlobSource): void {
  using original = openByteReader(source);
  original.each(0, original.size, () => {});
}

/** The text of the decoder is not stable, and contains paths, so clients do not get it. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  if (message.includes("exceeds pixel limit")) return "The picture has more pixels than this store decodes.";
  if (/premature end of JPEG|unexpected end|bad seek|end of file/i.test(message)) return TOO_SHORT;
  return "The data of the pixels is damaged.";
}
