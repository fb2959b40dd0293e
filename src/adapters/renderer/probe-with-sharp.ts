import sharp, { type Metadata } from "sharp";
import { StoreError } from "../../domain/errors.ts";
import { CONTENT_TYPES, type ImageFormat } from "../../domain/formats.ts";
import type { ImageInfo } from "../../domain/image.ts";
import type { BlobSource } from "../../ports.ts";
import { opener, prepareInput } from "./decoder.ts";
import { CODECS } from "./formats/codecs.ts";

export type ProbeJob = BlobSource & {
  /** What the first bytes say. */
  readonly format: ImageFormat;
  readonly maxPixels: number;
};

/**
 * What libvips reads from the headers. Damage of the pixels is for the description to tell.
 * @throws StoreError `invalid_image`, `image_too_large`; `unsupported_image` when it is another format after all, or one
 * whose pixels the decoder does not know
 */
export async function probeWithSharp({ format, maxPixels, ...source }: ProbeJob): Promise<ImageInfo> {
  const prepared = prepareInput(source);
  const { followsExif, frames } = prepared;
  const metadata = await opener(prepared, maxPixels, "none")()
    .metadata()
    .catch(() => sharp(prepared.mend(), { limitInputPixels: maxPixels, failOn: "none" }).metadata())
    .catch((cause: unknown) => {
      throw translate(cause, maxPixels);
    });
  requireFormat(metadata, format);
  await prepared.requireDecodable(opener(prepared, maxPixels, "error"), maxPixels);
  const { orientation = 1, autoOrient, width, height, hasAlpha, pages = 1 } = metadata;
  return {
    contentType: CONTENT_TYPES[format],
    width: followsExif ? autoOrient.width : width,
    height: followsExif ? autoOrient.height : height,
    frames: frames ?? pages,
    hasAlpha,
    orientation: followsExif && orientation >= 1 && orientation <= 8 ? orientation : 1,
  };
}

function requireFormat(metadata: Metadata, format: ImageFormat): void {
  if (CODECS[format].isDecodedAs(metadata)) return;
  throw new StoreError("unsupported_image", `The bytes are ${metadata.format}, not ${format}.`);
}

function translate(cause: unknown, maxPixels: number): StoreError {
  if (cause instanceof Error && cause.message.includes("exceeds pixel limit"))
    return new StoreError("image_too_large", `The image has more than ${maxPixels} pixels, counted over its pages.`, {
      cause,
    });
  return new StoreError("invalid_image", "The image is broken: its headers could not be read.", { cause });
}
