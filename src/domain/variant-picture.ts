import { StoreError } from "./errors.ts";
import type { ContentType, FocalPoint, ImageInfo } from "./image.ts";
import {
  DEFAULT_QUALITY,
  type Picture,
  type ResizedPicture,
  type ResizedSpec,
  type VariantFormat,
  type VariantSpec,
} from "./variant.ts";

/** What of an original matters to a picture of it. */
export type Original = Pick<ImageInfo, "contentType" | "width" | "height" | "frames" | "hasAlpha"> & {
  readonly focalPoint?: FocalPoint | null;
};

/** The longest side that every format can hold: WebP's. */
const MAX_RESULT_SIDE = 16_383;
/** Summed over frames. What would have more is still, since its encoding would take longer than a renderer may. */
const MAX_ANIMATED_PIXELS = 25_000_000;

const WITHOUT_LOCATION: ReadonlySet<ContentType> = new Set(["image/jpeg", "image/png", "image/webp"]);

/**
 * Exactly what is to be made of this original.
 * @param accepted what the client takes, the best first; only for `format=auto`
 * @throws StoreError `invalid_variant` where `strip=location` is asked of another original than JPEG, PNG or WebP
 */
export function resolvePicture(spec: VariantSpec, original: Original, accepted: readonly VariantFormat[]): Picture {
  if (spec.kind === "without-location") {
    if (WITHOUT_LOCATION.has(original.contentType)) return spec;
    const detail = "is for JPEG, PNG and WebP originals";
    throw new StoreError("invalid_variant", `The parameter "strip" ${detail}.`, {
      errors: [{ parameter: "strip", detail }],
    });
  }
  const layout = layOut(spec, original);
  const { width, height } = layout;
  const moves =
    (original.contentType === "image/gif" || original.contentType === "image/webp") &&
    original.frames > 1 &&
    !spec.still &&
    original.frames * width * height <= MAX_ANIMATED_PIXELS;
  const format = chooseFormat(spec.format, original, accepted, moves);
  return {
    kind: "resized",
    ...layout,
    background: backgroundOf(spec, original, layout.fit, format),
    format,
    quality: format === "png" ? DEFAULT_QUALITY.png : (spec.quality ?? DEFAULT_QUALITY[format]),
    blur: spec.blur,
    animated: moves && format === "webp",
  };
}

/** One text for one picture of these bytes, made by this version of the renderer. */
export function pictureKey(sha256: string, picture: Picture, rendererVersion: string): string {
  const what = picture.kind === "resized" ? describe(picture) : picture.kind;
  return `${sha256}/${rendererVersion}/${what}`;
}

function describe(picture: ResizedPicture): string {
  const { width, height, fit, crop, background, format, quality, blur, animated } = picture;
  const where = typeof crop === "string" ? crop : `${crop.x},${crop.y}`;
  const frames = animated ? "animated" : "still";
  return [`${width}x${height}`, fit, where, background ?? "transparent", format, quality, blur, frames].join(";");
}

type Layout = Pick<ResizedPicture, "width" | "height" | "fit" | "crop">;

/** Size and place, without enlarging. */
function layOut(spec: ResizedSpec, original: Original): Layout {
  const { width, height } = original;
  const asked = { width: spec.width ?? Number.POSITIVE_INFINITY, height: spec.height ?? Number.POSITIVE_INFINITY };
  const whole = { fit: "fill", crop: "centre" } as const;
  const inside = scaled(
    original,
    Math.min(1, asked.width / width, asked.height / height, MAX_RESULT_SIDE / width, MAX_RESULT_SIDE / height),
  );
  if (spec.width === null || spec.height === null || spec.fit === "inside") return { ...inside, ...whole };
  if (spec.fit === "fill") {
    return { width: Math.min(spec.width, width), height: Math.min(spec.height, height), ...whole };
  }
  if (spec.fit === "contain") {
    const box = { width: spec.width, height: spec.height };
    return isSameSize(inside, box) ? { ...box, ...whole } : { ...box, fit: "contain", crop: "centre" };
  }
  const scale = Math.max(asked.width / width, asked.height / height);
  // Where it would have to be enlarged, the same shape is cut from it as it is.
  const box = scaled({ width: spec.width, height: spec.height }, 1 / Math.max(1, scale));
  const covering = scaled(original, Math.min(1, scale));
  if (isSameSize(covering, box)) return { ...box, ...whole };
  return {
    ...box,
    fit: "cover",
    crop: cropOf(spec, original, { x: box.width / covering.width, y: box.height / covering.height }),
  };
}

interface Size {
  readonly width: number;
  readonly height: number;
}

const scaled = ({ width, height }: Size, scale: number): Size => ({
  width: Math.max(1, Math.round(width * scale)),
  height: Math.max(1, Math.round(height * scale)),
});

const isSameSize = (one: Size, other: Size): boolean => one.width === other.width && one.height === other.height;

/** `visible` is the part of each side that is left. */
function cropOf({ crop }: ResizedSpec, { focalPoint }: Original, visible: FocalPoint): ResizedPicture["crop"] {
  const wanted = crop === "record" ? (focalPoint ?? "centre") : crop;
  if (typeof wanted === "string") return wanted;
  const point = { x: withinReach(wanted.x, visible.x), y: withinReach(wanted.y, visible.y) };
  return point.x === 0.5 && point.y === 0.5 ? "centre" : point;
}

/** The middle of the cut can't come nearer to an edge than half of what is left: all points beyond are one. */
const withinReach = (place: number, visible: number): number => Math.min(Math.max(place, visible / 2), 1 - visible / 2);

function chooseFormat(
  asked: ResizedSpec["format"],
  original: Original,
  accepted: readonly VariantFormat[],
  moves: boolean,
): VariantFormat {
  if (asked === null) return moves ? "webp" : nearestFormat(original);
  if (asked !== "auto") return asked;
  const fallback = original.hasAlpha ? "png" : "jpeg";
  const offered: readonly VariantFormat[] = moves ? ["webp", fallback] : ["avif", "webp", fallback];
  return accepted.find((format) => offered.includes(format)) ?? fallback;
}

function nearestFormat({ contentType, hasAlpha }: Original): VariantFormat {
  switch (contentType) {
    case "image/gif":
      return "png";
    case "image/tiff":
      return hasAlpha ? "png" : "jpeg";
    default:
      return contentType.slice("image/".length) as VariantFormat;
  }
}

function backgroundOf(spec: ResizedSpec, { hasAlpha }: Original, fit: ResizedPicture["fit"], format: VariantFormat) {
  const staysTransparent = hasAlpha && format !== "jpeg";
  if (fit === "contain") return spec.background ?? (staysTransparent ? null : "ffffff");
  return hasAlpha && format === "jpeg" ? (spec.background ?? "ffffff") : null;
}
