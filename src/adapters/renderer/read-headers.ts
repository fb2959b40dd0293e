import { CONTENT_TYPES, type ImageFormat } from "../../domain/formats.ts";
import type { ImageInfo } from "../../domain/image.ts";
import type { BlobSource } from "../../ports.ts";
import { type BoundedReader, Unusual, withBoundedReader } from "./bounded-reader.ts";
import { CODECS, recognise, START_BYTES } from "./formats/codecs.ts";
import { nameOfUnaccepted } from "./formats/unaccepted.ts";

export interface Headers {
  /** The format by its first bytes; undefined where it is none of the accepted ones. */
  readonly format: ImageFormat | undefined;
  /** The name of a format that is not accepted, where its first bytes tell it. */
  readonly otherFormat?: string | undefined;
  /** Undefined where the decoder must read the headers. */
  readonly info: ImageInfo | undefined;
}

/** Reads the headers in this process, as far as they are plain. */
export function readHeaders(source: BlobSource): Headers {
  return withBoundedReader(source, (file) => {
    const start = file.ascii(0, Math.min(file.size, START_BYTES));
    const format = recognise(start);
    if (format === undefined) return { format, info: undefined, otherFormat: nameOfUnaccepted(start) };
    return { format, info: readInfo(file, format) };
  });
}

function readInfo(file: BoundedReader, format: ImageFormat): ImageInfo | undefined {
  try {
    const header = CODECS[format].readHeader?.(file);
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
