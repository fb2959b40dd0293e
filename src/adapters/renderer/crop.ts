import type { FocalPoint } from "../../domain/image.ts";

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** A part of an image that was scaled to `scaled` before. */
export interface Crop {
  readonly scaled: Size;
  readonly left: number;
  readonly top: number;
}

/** The smallest size of the same shape that covers another, as libvips rounds it. */
function covering(original: Size, target: Size): Size {
  const scale = Math.max(target.width / original.width, target.height / original.height);
  return {
    width: Math.max(target.width, Math.round(original.width * scale)),
    height: Math.max(target.height, Math.round(original.height * scale)),
  };
}

/** The part with the point in its middle, or as near to it as the edges allow. */
export function centredAt(point: FocalPoint, original: Size, target: Size): Crop {
  const scaled = covering(original, target);
  return {
    scaled,
    left: startOf(point.x, scaled.width, target.width),
    top: startOf(point.y, scaled.height, target.height),
  };
}

const startOf = (middle: number, whole: number, part: number): number =>
  Math.min(Math.max(Math.round(middle * whole - part / 2), 0), whole - part);
