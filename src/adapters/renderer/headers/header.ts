import { CONTENT_TYPES, type ImageFormat, type ImageInfo } from "../../../domain/image.ts";
import type { BlobSource } from "../../../ports.ts";
import { type FileBytes, Unusual, withFileBytes } from "./file-bytes.ts";
import { readGif } from "./gif.ts";
import { readJpeg } from "./jpeg.ts";
import { readPng } from "./png.ts";
import { readWebp } from "./webp.ts";

/** As the formats' readers give it: width and height as they are stored, the orientation not applied. */
export type Header = Omit<ImageInfo, "contentType">;

export interface Headers {
  /** What the first bytes say; undefined for what none of the formats begins with. */
  readonly format: ImageFormat | undefined;
  /** Undefined for whatever is better judged by the decoder. */
  readonly info: ImageInfo | undefined;
}

/** What the headers say, as far as that is plain. */
export function readHeaders(source: BlobSource): Headers {
  return withFileBytes(source, (file) => {
    const format = recognise(file);
    return { format, info: format === undefined ? undefined : readInfo(file, format) };
  });
}

function recognise(file: FileBytes): ImageFormat | undefined {
  const start = file.ascii(0, Math.min(file.size, 64));
  if (start.startsWith("\xff\xd8\xff")) return "jpeg";
  if (start.startsWith("\x89PNG\r\n\x1a\n")) return "png";
  if (start.startsWith("GIF87a") || start.startsWith("GIF89a")) return "gif";
  if (start.startsWith("RIFF") && start.startsWith("WEBP", 8)) return "webp";
  if (start.startsWith("ftyp", 4)) return isAvif(start.slice(0, file.uint32(0))) ? "avif" : undefined;
  return TIFF.some((signature) => start.startsWith(signature)) ? "tiff" : undefined;
}

const TIFF = ["II*\0", "MM\0*", "II+\0", "MM\0+"];

/** AVIF 1.0, 6: one of its brands among the first ones; HEIC and others share the container. */
function isAvif(start: string): boolean {
  for (let offset = 8; offset + 4 <= start.length; offset += 4) {
    // There stands the version of the first.
    if (offset !== 12 && (start.startsWith("avif", offset) || start.startsWith("avis", offset))) return true;
  }
  return false;
}

const READERS: Partial<Record<ImageFormat, (file: FileBytes) => Header>> = {
  jpeg: readJpeg,
  png: readPng,
  gif: readGif,
  webp: readWebp,
};

function readInfo(file: FileBytes, format: ImageFormat): ImageInfo | undefined {
  try {
    const header = READERS[format]?.(file);
    if (header === undefined) return undefined;
    const { width, height, orientation } = header;
    const isTurned = orientation >= 5;
    const displayed = isTurned ? { width: height, height: width } : { width, height };
    return { ...header, ...displayed, contentType: CONTENT_TYPES[format] };
  } catch (error) {
    if (error instanceof Unusual) return undefined;
    throw error;
  }
}
