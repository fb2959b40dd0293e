import sharp from "sharp";
import { StoreError } from "../../domain/errors.ts";
import { CONTENT_TYPES, type ImageFormat, type ImageInfo } from "../../domain/image.ts";
import type { BlobSource } from "../../ports.ts";

export type ProbeJob = BlobSource & {
  /** What the first bytes say. */
  readonly format: ImageFormat;
  readonly maxPixels: number;
};

/**
 * What libvips reads from the headers.
 * @throws StoreError `invalid_image`, `image_too_large`; `unsupported_image` when it is another format after all
 */
export async function probeWithSharp({ format, maxPixels, ...source }: ProbeJob): Promise<ImageInfo> {
  const metadata = await readMetadata(source, maxPixels);
  // An AVIF is a HEIF file whose pictures are AV1.
  const found = metadata.format === "heif" && metadata.compression === "av1" ? "avif" : metadata.format;
  if (found !== format) throw new StoreError("unsupported_image", `The bytes are ${metadata.format}, not ${format}.`);
  const { orientation = 1, autoOrient, pages = 1, hasAlpha } = metadata;
  return {
    contentType: CONTENT_TYPES[format],
    width: autoOrient.width,
    height: autoOrient.height,
    frames: pages,
    hasAlpha,
    orientation: orientation >= 1 && orientation <= 8 ? orientation : 1,
  };
}

async function readMetadata(source: BlobSource, maxPixels: number) {
  try {
    return await sharp("path" in source ? source.path : source.bytes, {
      limitInputPixels: maxPixels,
      sequentialRead: true,
    }).metadata();
  } catch (cause) {
    if (cause instanceof Error && cause.message.includes("exceeds pixel limit")) {
      throw new StoreError("image_too_large", `The image has more than ${maxPixels} pixels.`, { cause });
    }
    throw new StoreError("invalid_image", "The image is broken: its headers could not be read.", { cause });
  }
}
