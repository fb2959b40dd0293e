import sharp, { type Metadata, type Sharp } from "sharp";
import type { ResizedPlan } from "../../../domain/variant.ts";
import type { Open } from "../decoder.ts";
import { resize } from "../resize.ts";
import type { ColourSpace } from "./code-points.ts";
import { toSrgb } from "./to-srgb.ts";

/** An image that a pipeline may go on with, and what is still to be done to it. */
export interface Converted {
  readonly image: Sharp;
  readonly metadata: Metadata;
  readonly plan: ResizedPlan;
}

/**
 * The image in sRGB, where the decoder's own pipeline would take it for that; undefined where that pipeline is right. It
 * is scaled first, so that fewer pixels are converted; what has a colour of its own, such as a background, comes later.
 */
export async function inSrgb(
  open: Open,
  metadata: Metadata,
  plan: ResizedPlan,
  space: ColourSpace | undefined,
): Promise<Converted | undefined> {
  if (space !== undefined) {
    const plain = { ...metadata, icc: undefined } as Metadata;
    const scaled = resize(open({ ignoreIcc: true }), plain, {
      ...plan,
      fit: plan.fit === "contain" ? "inside" : plan.fit,
      background: null,
      format: "png",
    });
    const image = await convert(scaled, metadata, space);
    const fit = plan.fit === "contain" ? plan.fit : "fill";
    return { image, metadata: await rawMetadata(image), plan: { ...plan, crop: "centre", fit } };
  }
  if (metadata.space !== "grey16" || metadata.icc === undefined) return undefined;
  const image = await withGreyProfile(open);
  return { image, metadata: await image.metadata(), plan };
}

/** Pixels of this space, whatever their profile says, as an image in sRGB. */
export async function convert(image: Sharp, { depth }: Metadata, space: ColourSpace): Promise<Sharp> {
  const isDeep = depth === "ushort";
  const { data, info } = await image
    .toColourspace(isDeep ? "rgb16" : "srgb")
    .raw({ depth: isDeep ? "ushort" : "uchar" })
    .toBuffer({ resolveWithObject: true });
  const { width, height } = info;
  const channels = info.channels === 4 ? 4 : 3;
  const pixels = isDeep ? new Uint16Array(data.buffer, data.byteOffset, data.byteLength / 2) : data;
  return sharp(toSrgb({ data: pixels, channels }, space), {
    raw: { width, height, channels },
    limitInputPixels: false,
  });
}

/** sharp converts grey by its profile only with eight bits, which is as much as any variant has. */
export async function withGreyProfile(open: Open): Promise<Sharp> {
  const grey = open().keepIccProfile().toColourspace("b-w").png({ compressionLevel: 0 });
  return sharp(await grey.toBuffer(), { limitInputPixels: false });
}

async function rawMetadata(image: Sharp): Promise<Metadata> {
  const metadata = await image.clone().metadata();
  return { ...metadata, space: "srgb", autoOrient: { width: metadata.width, height: metadata.height } };
}
