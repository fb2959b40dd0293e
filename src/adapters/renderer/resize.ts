import type { Metadata, Sharp } from "sharp";
import type { ResizedPicture } from "../../domain/variant.ts";
import { centredAt } from "./crop.ts";

/**
 * Right after the opening, so that libjpeg and libwebp decode no more pixels than are needed. Colours come out as sRGB
 * with eight bits where nothing else is asked for.
 */
export function resize(
  image: Sharp,
  original: Metadata,
  { width, height, fit, crop, format, background }: ResizedPicture,
): Sharp {
  const opaque = `#${background ?? "ffffff"}`;
  const behind = format === "jpeg" || background !== null ? opaque : TRANSPARENT;
  const prepared = inWorkingColours(
    format === "jpeg" ? image.flatten({ background: opaque }) : image,
    original,
    behind,
  );
  if (fit !== "cover") return prepared.resize(width, height, { fit, background: behind, withoutEnlargement: true });
  if (typeof crop === "string") return prepared.resize(width, height, { fit, position: crop });
  const { scaled, left, top } = centredAt(crop, original.autoOrient, { width, height });
  return prepared.resize(scaled.width, scaled.height, { fit: "fill" }).extract({ left, top, width, height });
}

const TRANSPARENT = { r: 0, g: 0, b: 0, alpha: 0 };

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
