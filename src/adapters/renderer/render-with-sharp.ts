import sharp, { type Metadata, type Sharp } from "sharp";
import { StoreError } from "../../domain/errors.ts";
import type { ResizedPlan } from "../../domain/variant.ts";
import type { BlobSource } from "../../ports.ts";
import { inSrgb } from "./colour/in-srgb.ts";
import { type DecoderInput, type Open, opener, prepareInput } from "./decoder.ts";
import type { Animation } from "./formats/codec.ts";
import { CODECS } from "./formats/codecs.ts";
import { isConvertedLast, resize, shrinkWhileDecoding } from "./resize.ts";

/**
 * The encoded picture, in sRGB with eight bits and without metadata. Of a damaged image it shows what can be decoded, and the
 * first frame where an animation cannot be.
 * @throws StoreError `invalid_image` with the member `reason: "undecodable"` where nothing of it can be decoded;
 * `image_too_large` past `maxPixels`, summed over the frames that are needed, and past what the format can hold
 */
export async function renderWithSharp(source: BlobSource, plan: ResizedPlan, maxPixels: number): Promise<Buffer> {
  const input = prepareInput(source);
  const strictly = opener(input, maxPixels, "error");
  try {
    return await render(strictly, input, plan);
  } catch (cause) {
    const error = translate(cause);
    if (error.code !== "invalid_image") throw error;
    const leniently = opener({ ...input, input: input.mend() }, maxPixels, "none");
    return await renderDamaged(leniently, input, plan)
      .catch(() => render(strictly, input, asStill(plan)))
      .catch(() => {
        throw error;
      });
  }
}

/** Where all pixels have the one colour that a decoder fills in, nothing was decoded. */
async function renderDamaged(open: Open, input: DecoderInput, plan: ResizedPlan): Promise<Buffer> {
  const { channels } = await open().resize(64, 64, { fit: "inside" }).stats();
  if (channels.every(({ min, max }) => min === max)) throw new Error("nothing was decoded");
  return await render(open, input, plan).catch(() => render(open, input, asStill(plan)));
}

const asStill = (plan: ResizedPlan): ResizedPlan => ({ ...plan, animated: false });

async function render(open: Open, input: DecoderInput, plan: ResizedPlan): Promise<Buffer> {
  const metadata = asBrowsersOrient(await open().metadata(), input);
  if (plan.animated && input.animates && (metadata.pages ?? 1) > 1)
    return await animated(open, metadata, plan, input.frames ?? -1);
  const shrink = shrinkWhileDecoding(metadata, plan);
  const upright: Open = (options) => open({ autoOrient: input.followsExif, shrink, ...options });
  const converted = await inSrgb(upright, metadata, plan, input.colour);
  if (converted === undefined)
    return await still(upright({ ignoreIcc: isConvertedLast(metadata, plan) }), metadata, plan);
  return await still(converted.image, converted.metadata, converted.plan);
}

function asBrowsersOrient(metadata: Metadata, { followsExif }: DecoderInput): Metadata {
  if (followsExif) return metadata;
  return { ...metadata, orientation: 1, autoOrient: { width: metadata.width, height: metadata.height } };
}

function still(image: Sharp, metadata: Metadata, plan: ResizedPlan): Promise<Buffer> {
  const resized = resize(image, metadata, plan);
  return encode(plan.blur > 0 ? resized.blur(plan.blur) : resized, plan).toBuffer();
}

const encode = (image: Sharp, { format, quality }: ResizedPlan, animation: Animation = {}): Sharp =>
  CODECS[format].encode(image, quality, animation);

/** All frames are below one another in one image, so operations that look beyond the edge of a frame run on each frame. */
async function animated(open: Open, metadata: Metadata, plan: ResizedPlan, frames: number): Promise<Buffer> {
  const { delay = [], loop = 0 } = metadata;
  const { crop } = plan;
  // sharp finds the area of interest of a single frame only.
  const centred = { ...plan, crop: typeof crop === "string" ? "centre" : crop } as const;
  const resized = resize(open({ pages: frames }), metadata, centred);
  const blurred = plan.blur > 0 ? await eachFrame(resized, (frame) => frame.blur(plan.blur)) : resized;
  const delays = (frames < 0 ? delay : delay.slice(0, frames)).map((time) => Math.min(time, LONGEST_DELAY));
  return encode(blurred, plan, { delay: delays, loop }).toBuffer();
}

/** The longest delay that the encoder accepts, in milliseconds. */
const LONGEST_DELAY = 65_535;

/** Changes each frame by itself. The delays and the loop count are lost. */
async function eachFrame(animation: Sharp, change: (frame: Sharp) => Sharp): Promise<Sharp> {
  const { data, info } = await animation.raw().toBuffer({ resolveWithObject: true });
  const { width, channels, pages = 1, pageHeight = info.height } = info;
  const frameBytes = width * pageHeight * channels;
  const frames: Buffer[] = [];
  let size = { width, height: pageHeight };
  for (let page = 0; page < pages; page++) {
    const frame = sharp(data.subarray(page * frameBytes, (page + 1) * frameBytes), {
      raw: { width, height: pageHeight, channels },
    });
    const changed = await change(frame).raw().toBuffer({ resolveWithObject: true });
    frames.push(changed.data);
    size = changed.info;
  }
  const raw = { width: size.width, height: size.height * pages, channels, pageHeight: size.height };
  return sharp(Buffer.concat(frames), { raw, animated: true, limitInputPixels: false });
}

function translate(cause: unknown): StoreError {
  if (cause instanceof StoreError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  if (/exceeds pixel limit|too large for the/.test(message)) {
    return new StoreError("image_too_large", "The image, or the variant to be rendered from it, has too many pixels.", {
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
