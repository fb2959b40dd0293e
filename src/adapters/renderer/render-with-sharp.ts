import sharp, { type Metadata, type Sharp, type SharpOptions } from "sharp";
import { StoreError } from "../../domain/errors.ts";
import type { ResizedPicture } from "../../domain/variant.ts";
import type { BlobSource } from "../../ports.ts";
import { encode } from "./encode.ts";
import { eachFrame, orientFrame } from "./frames.ts";
import { openingOptions } from "./prepare-sharp.ts";
import { resize } from "./resize.ts";

/**
 * The encoded picture, in sRGB with eight bits and without metadata.
 * @throws StoreError `invalid_image` with the member `reason: "undecodable"`; `image_too_large` past `maxPixels`, summed
 * over the frames that are needed, and past what the format can hold
 */
export async function renderWithSharp(source: BlobSource, picture: ResizedPicture, maxPixels: number): Promise<Buffer> {
  try {
    const open = (options: SharpOptions = {}) =>
      sharp("path" in source ? source.path : source.bytes, { ...openingOptions(maxPixels), ...options });
    const metadata = await open().metadata();
    const pipeline = isAnimation(metadata) && picture.animated && picture.format === "webp" ? animated : still;
    return await pipeline(open, metadata, picture);
  } catch (cause) {
    throw translate(cause);
  }
}

type Open = (options?: SharpOptions) => Sharp;

/** Other formats have pages too, which are no frames. */
const isAnimation = ({ format, pages = 1 }: Metadata): boolean => pages > 1 && (format === "gif" || format === "webp");

function still(open: Open, metadata: Metadata, picture: ResizedPicture): Promise<Buffer> {
  const resized = resize(open({ autoOrient: true }), metadata, picture);
  return encode(picture.blur > 0 ? resized.blur(picture.blur) : resized, picture).toBuffer();
}

/** All frames are one below the other in one image, so whatever looks beyond a frame's edge takes them one by one. */
async function animated(open: Open, metadata: Metadata, picture: ResizedPicture): Promise<Buffer> {
  const { orientation = 1, delay = [], loop = 0 } = metadata;
  const frames = open({ pages: -1 });
  const upright = orientation > 1 ? await eachFrame(frames, (frame) => orientFrame(frame, orientation)) : frames;
  const { crop } = picture;
  // What draws attention is only ever searched for in a single frame.
  const resized = resize(upright, metadata, { ...picture, crop: typeof crop === "string" ? "centre" : crop });
  const blurred = picture.blur > 0 ? await eachFrame(resized, (frame) => frame.blur(picture.blur)) : resized;
  return encode(blurred, picture, { delay: delay.map((time) => Math.min(time, LONGEST_DELAY)), loop }).toBuffer();
}

/** Milliseconds; more than a minute, which is all that the encoder takes. */
const LONGEST_DELAY = 65_535;

function translate(cause: unknown): StoreError {
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/exceeds pixel limit|too large for the/.test(message)) {
    return new StoreError("image_too_large", "The image, or the picture to be made of it, has too many pixels.", {
      cause,
    });
  }
  if (message.startsWith("Input file is missing")) {
    return new StoreError("unavailable", "The bytes could not be read. Try again later.", { cause });
  }
  return new StoreError("invalid_image", "The image is broken: its pixels could not be decoded.", {
    members: { reason: "undecodable" },
    cause,
  });
}
