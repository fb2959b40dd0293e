import sharp, { type Metadata, type Sharp, type SharpOptions } from "sharp";
import { rgbaToThumbHash } from "thumbhash";
import { type Description, notSound } from "../../domain/image.ts";
import type { BlobSource } from "../../ports.ts";
import { dominantColour } from "./description/dominant-colour.ts";
import { readExif } from "./description/exif.ts";
import { hasAllBlocks } from "./description/gif-blocks.ts";
import { openOriginal } from "./original.ts";

export interface DescribeOptions {
  /** Summed over frames. */
  readonly maxPixels: number;
  /** Whether to say where the picture was taken. */
  readonly exposeLocation: boolean;
}

/** Of a ThumbHash, which gains nothing from more. */
const THUMBNAIL_SIDE = 100;

/**
 * Decodes every pixel, so that it is only for a process that may come to harm. What is wrong with the bytes is part of
 * the answer; of broken pixels the metadata is still told.
 * @throws StoreError `unavailable` when the bytes cannot be read
 */
export async function describeWithSharp(
  source: BlobSource,
  { maxPixels, exposeLocation }: DescribeOptions,
): Promise<Description> {
  const open = (options: SharpOptions = {}): Sharp =>
    sharp("path" in source ? source.path : source.bytes, {
      limitInputPixels: maxPixels,
      sequentialRead: true,
      // What decoders only warn of is damage all the same: a JPEG with a hole goes on behind it.
      failOn: "warning",
      ...options,
    });
  let exif: Description["exif"] = null;
  try {
    // A warning about the metadata says nothing about the pixels.
    const metadata = await open({ failOn: "none" }).metadata();
    if (metadata.exif !== undefined) exif = readExif(metadata.exif, { exposeLocation });
    const { data, info } = await thumbnail(open()).toBuffer({ resolveWithObject: true });
    await decodeOtherFrames(open, metadata);
    if (metadata.format === "gif" && !isGifWhole(source))
      return notSound("The file ends before the picture does.", exif);
    const hash = rgbaToThumbHash(info.width, info.height, data);
    const placeholder = Buffer.from(hash).toString("base64");
    return { placeholder, dominantColour: dominantColour(data), exif, sound: true, unsoundReason: null };
  } catch (error) {
    requireReadable(source);
    return notSound(reasonOf(error), exif);
  }
}

/** The first frame as displayed, in RGBA. Where a decoder shrinks as it goes, it still reads everything. */
const thumbnail = (image: Sharp): Sharp =>
  image
    .autoOrient()
    .resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: "inside", withoutEnlargement: true })
    .toColourspace("srgb")
    .ensureAlpha()
    .raw({ depth: "uchar" });

/** Frames of an animation are made of those before them; pages of the others may differ in size. */
async function decodeOtherFrames(
  open: (options: SharpOptions) => Sharp,
  { format, pages = 1 }: Metadata,
): Promise<void> {
  if (pages === 1) return;
  if (format === "gif" || format === "webp") await toOnePixel(open({ animated: true, ignoreIcc: true }));
  else for (let page = 1; page < pages; page++) await toOnePixel(open({ page, ignoreIcc: true }));
}

const toOnePixel = (image: Sharp): Promise<Buffer> => image.resize(1, 1, { fit: "fill" }).raw().toBuffer();

/** libvips makes up what is missing at the end of a GIF. */
function isGifWhole(source: BlobSource): boolean {
  using original = openOriginal(source);
  return hasAllBlocks(original);
}

/** A decoder says of a disk that does not give them what it says of broken bytes. */
function requireReadable(source: BlobSource): void {
  using original = openOriginal(source);
  original.each(0, original.size, () => {});
}

/** Its own text is neither stable nor meant for everyone: there are paths in it. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  if (message.includes("exceeds pixel limit")) return "The picture has more pixels than this store decodes.";
  if (/premature end of JPEG|unexpected end|bad seek|end of file/i.test(message))
    return "The file ends before the picture does.";
  return "The data of the pixels is damaged.";
}
