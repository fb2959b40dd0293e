import sharp, { type Sharp, type SharpOptions } from "sharp";
import { FORMATS } from "../../domain/formats.ts";
import type { BlobSource } from "../../ports.ts";
import { openByteReader } from "./byte-reader.ts";
import type { Codec, Preparation } from "./formats/codec.ts";
import { CODECS, recognise, START_BYTES } from "./formats/codecs.ts";

/** Everything that is not listed stays shut, whatever the library was built with. */
const LOADERS = Object.values(CODECS).flatMap(({ loader }) => [
  `VipsForeignLoad${loader}File`,
  `VipsForeignLoad${loader}Buffer`,
]);

/** For a process that does nothing else: these settings are global. */
export function prepareSharp(): void {
  sharp.block({ operation: ["VipsForeignLoad"] });
  sharp.unblock({ operation: LOADERS });
  sharp.cache(false);
  sharp.concurrency(1);
}

/** An image as the decoder must be given it, and how to read what it returns. */
export interface DecoderInput extends Preparation, Pick<Codec, "followsExif" | "warnsOfDamage"> {
  /** Whether its pages are the frames of an animation. */
  readonly animates: boolean;
}

/**
 * Prepares an image for the decoder, as its format requires.
 * @throws StoreError `unavailable` when the bytes cannot be read; `unsupported_image` for what no decoder reads
 */
export function prepareInput(source: BlobSource): DecoderInput {
  using original = openByteReader(source);
  const whole = "path" in source ? source.path : source.bytes;
  const plain: DecoderInput = {
    input: whole,
    options: {},
    colour: undefined,
    frames: undefined,
    isWhole: true,
    repair: undefined,
    mend: () => whole,
    requireDecodable: async () => {},
    followsExif: true,
    warnsOfDamage: true,
    animates: false,
  };
  const format = recognise(original.read(0, START_BYTES).toString("latin1"));
  if (format === undefined) return plain;
  const { followsExif, warnsOfDamage, prepare } = CODECS[format];
  const { animates } = FORMATS[format];
  return { ...plain, followsExif, warnsOfDamage, animates, ...prepare(original, source) };
}

export interface OpenOptions extends SharpOptions {
  /** The side of the squares of which libjpeg makes one pixel while it decodes: 1, 2, 4 or 8. Of a JPEG in a file only. */
  readonly shrink?: number;
}

/** Opens an image for another pipeline. */
export type Open = (options?: OpenOptions) => Sharp;

/** Decoders fail on what `failOn` says; `maxPixels` is summed over frames. */
export const opener =
  (
    { input, options: selected }: Pick<DecoderInput, "input" | "options">,
    maxPixels: number,
    failOn: "error" | "warning" | "none",
  ): Open =>
  ({ shrink = 1, ...options } = {}) => {
    // What libvips lets follow the name of a file; sharp has no option for it.
    const from = shrink > 1 && typeof input === "string" ? `${input}[shrink=${shrink}]` : input;
    return sharp(from, { limitInputPixels: maxPixels, sequentialRead: true, failOn, ...selected, ...options });
  };
