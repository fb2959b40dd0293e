import type { Metadata, ResizeOptions, Sharp } from "sharp";
import { OUTPUTS } from "../../domain/formats.ts";
import type { FocalPoint } from "../../domain/image.ts";
import type { ResizedPlan } from "../../domain/variant.ts";

type Scaling = Omit<ResizedPlan, "fit"> & { readonly fit: ResizedPlan["fit"] | "inside" };

/**
 * Right after the opening, so that libjpeg decodes no more pixels than are needed. Colours come out as sRGB with eight
 * bits where nothing else is asked for.
 */
export function resize(image: Sharp, original: Metadata, plan: Scaling): Sharp {
  const { width, height, fit, crop, format, background } = plan;
  const opaque = `#${background ?? "ffffff"}`;
  const { transparency } = OUTPUTS[format];
  const behind = transparency && background === null ? TRANSPARENT : opaque;
  const flat = transparency ? image : image.flatten({ background: opaque });
  const prepared = isConvertedLast(original, plan)
    ? flat.withIccProfile("srgb", { attach: false })
    : inWorkingColours(flat, original, behind);
  if (fit !== "cover") {
    return prepared.resize(width, height, { ...CAREFULLY, fit, background: behind, withoutEnlargement: true });
  }
  if (typeof crop === "string") return prepared.resize(width, height, { ...CAREFULLY, fit, position: crop });
  const { scaled, left, top } = centredAt(crop, original.autoOrient, { width, height });
  return prepared
    .resize(scaled.width, scaled.height, { ...CAREFULLY, fit: "fill" })
    .extract({ left, top, width, height });
}

/**
 * What sharp decides by itself: of a JPEG, libjpeg leaves a factor of two to the better filter. libwebp's own scaling is not
 * used at all: 31–45 dB from a picture made of all pixels.
 */
const CAREFULLY: ResizeOptions = { fastShrinkOnLoad: false };

/**
 * The `shrink` with which a JPEG is opened: twice what sharp would take, where a variant of the default quality comes out as
 * near to a picture made of all pixels, or within 0.2 dB (docs/performance.md has the figures). Halves cost nothing at any
 * size; quarters and eighths need something left for the better filter. Where it would lose a part of a pixel at the edge, 1.
 */
export function shrinkWhileDecoding({ format, width, height, autoOrient }: Metadata, plan: ResizedPlan): number {
  if (format !== "jpeg") return 1;
  const smaller = plan.fit === "contain" ? Math.max : Math.min;
  const whole = smaller(autoOrient.width / plan.width, autoOrient.height / plan.height);
  const shrink = [8, 4, 2].find((side) => whole >= side * (side === 2 ? 1 : LEFT_TO_FILTER)) ?? 1;
  const isSharps = whole >= 2 * shrink;
  return isSharps || width % shrink !== 0 || height % shrink !== 0 ? 1 : shrink;
}

const LEFT_TO_FILTER = 1.25;
const TRANSPARENT = { r: 0, g: 0, b: 0, alpha: 0 };

/**
 * Whether the colours of the profile are converted to sRGB after the scaling, and so of fewer pixels; the image is opened
 * with `ignoreIcc` then. Not where sRGB is mixed in before, or the profile is not one of RGB with eight bits.
 */
export const isConvertedLast = ({ icc, space, channels, depth }: Metadata, { fit }: Pick<Scaling, "fit">): boolean =>
  icc !== undefined && space === "srgb" && channels === 3 && depth === "uchar" && fit !== "contain";

function inWorkingColours(image: Sharp, { space, channels, icc }: Metadata, behind: string | object): Sharp {
  // With 16 bits sharp brings a profile's colours to Display P3, and takes them for sRGB unless it is told to convert.
  if (space === "rgb16" && icc !== undefined) return image.withIccProfile("srgb", { attach: false });
  // On grey, a coloured background would be grey as well. Not always: in another space nothing is shrunk on load.
  if (channels !== undefined && channels < 3 && typeof behind === "string" && !isGrey(behind)) {
    return image.pipelineColourspace("srgb");
  }
  return image;
}

const isGrey = (colour: string): boolean => /^#(..)\1\1$/i.test(colour);

interface Dimensions {
  readonly width: number;
  readonly height: number;
}

/** A part of an image that was scaled to `scaled` before. */
interface Crop {
  readonly scaled: Dimensions;
  readonly left: number;
  readonly top: number;
}

/** The smallest size of the same shape that covers another, as libvips rounds it. */
function covering(original: Dimensions, target: Dimensions): Dimensions {
  const scale = Math.max(target.width / original.width, target.height / original.height);
  return {
    width: Math.max(target.width, Math.round(original.width * scale)),
    height: Math.max(target.height, Math.round(original.height * scale)),
  };
}

/** The part with the point in its middle, or as near to it as the edges allow. */
function centredAt(point: FocalPoint, original: Dimensions, target: Dimensions): Crop {
  const scaled = covering(original, target);
  return {
    scaled,
    left: startOf(point.x, scaled.width, target.width),
    top: startOf(point.y, scaled.height, target.height),
  };
}

const startOf = (middle: number, whole: number, part: number): number =>
  Math.min(Math.max(Math.round(middle * whole - part / 2), 0), whole - part);
