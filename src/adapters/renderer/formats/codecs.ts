import { IMAGE_FORMATS, type ImageFormat, type VariantFormat } from "../../../domain/formats.ts";
import { avif } from "./avif.ts";
import type { Codec, EncodingCodec } from "./codec.ts";
import { gif } from "./gif.ts";
import { jpeg } from "./jpeg.ts";
import { png } from "./png.ts";
import { tiff } from "./tiff.ts";
import { webp } from "./webp.ts";

/** One for each row of src/domain/formats.ts: it does not compile without one, nor without an encoder for an output. */
export const CODECS: {
  readonly [Format in ImageFormat]: Format extends VariantFormat ? EncodingCodec : Codec;
} = { jpeg, png, webp, gif, avif, tiff };

/** What {@link recognise} looks at, in bytes. */
export const START_BYTES = 64;

/** @param start the first {@link START_BYTES} of a file, one character each */
export const recognise = (start: string): ImageFormat | undefined =>
  IMAGE_FORMATS.find((format) => CODECS[format].recognises(start));
