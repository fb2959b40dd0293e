import sharp, { type Metadata, type Sharp, type SharpOptions } from "sharp";
import { rgbaToThumbHash } from "thumbhash";
import type { Description } from "../../domain/image.ts";
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
    const { data, info } = await thumbnail(open(), metadata).toBuffer({ resolveWithObject: true });
    await decodeOtherFrames(open, metadata);
    if (metadata.format === "gif" && !isGifWhole(source))
      return unsound("The file ends before the picture does.", exif);
    const hash = rgbaToThumbHash(info.width, info.height, data);
    const placeholder = Buffer.from(hash).toString("base64");
    return { placeholder, dominantColour: dominantColour(data), exif, sound: true, unsoundReason: null };
  } catch (error) {
    return unsound(reasonOf(error), exif);
  }
}

const unsound = (unsoundReason: string, exif: Description["exif"]): Description => ({
  placeholder: null,
  dominantColour: null,
  exif,
  sound: false,
  unsoundReason,
});

/** The first frame as displayed, in RGBA. The extraction of everything keeps a JPEG from being read at a fraction of its size. */
const thumbnail = (image: Sharp, { width, height }: Metadata): Sharp =>
  image
    .extract({ left: 0, top: 0, width, height })
    .resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: "inside", withoutEnlargement: true })
    // After the extraction, so that it turns the small picture: the large one would have to be held in memory.
    .autoOrient()
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

const toOnePixel = (image: Sharp): Promise<Buffer> =>
  image.resize(1, 1, { fit: "fill", fastShrinkOnLoad: false }).raw().toBuffer();

/** libvips makes up what is missing at the end of a GIF. */
function isGifWhole(source: BlobSource): boolean {
  using original = openOriginal(source);
  return hasAllBlocks(original);
}

/** Its own text is neither stable nor meant for everyone: there are paths in it. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : "";
  if (message.includes("exceeds pixel limit")) return "The picture has more pixels than this store decodes.";
  if (/premature end of JPEG|unexpected end|bad seek|end of file/i.test(message))
    return "The file ends before the picture does.";
  return "The data of the pixels is damaged.";
}
