import { FORMATS, fallbackFormat, formatOf, OUTPUTS, outputFormatFor, type VariantFormat } from "./formats.ts";
import type { FocalPoint, ImageInfo } from "./image.ts";
import type { RenderPlan, ResizedPlan, ResizedSpec, VariantSpec } from "./variant.ts";

/** What a plan depends on of an original. */
export type SourceInfo = Pick<ImageInfo, "contentType" | "width" | "height" | "frames" | "hasAlpha"> & {
  readonly focalPoint?: FocalPoint | null;
};

/** Summed over frames. What would have more is still, since its encoding would take longer than a renderer may. */
const MAX_ANIMATED_PIXELS = 25_000_000;

/**
 * The plan that renders this original as the spec asks.
 * @param accepted what the client takes, the best first; only for `format=auto`
 */
export function planRender(spec: VariantSpec, original: SourceInfo, accepted: readonly VariantFormat[]): RenderPlan {
  if (spec.kind === "without-location") return spec;
  const { width, height } = layOut(spec, original, Number.POSITIVE_INFINITY);
  const moves =
    FORMATS[formatOf(original.contentType)].animates &&
    original.frames > 1 &&
    !spec.still &&
    original.frames * width * height <= MAX_ANIMATED_PIXELS;
  const format = chooseFormat(spec.format, original, accepted, moves);
  const { quality, lossless } = OUTPUTS[format];
  const layout = layOut(spec, original, OUTPUTS[format].maxSide);
  return {
    kind: "resized",
    ...layout,
    background: backgroundOf(spec, original, layout.fit, format),
    format,
    quality: lossless ? quality : (spec.quality ?? quality),
    blur: spec.blur,
    animated: moves && FORMATS[format].animates,
  };
}

/** Equal for equal plans for the same bytes and version of the renderer, and for no others. */
export function planKey(sha256: string, plan: RenderPlan, rendererVersion: string): string {
  const what = plan.kind === "resized" ? textOf(plan) : plan.kind;
  return `${sha256}/${rendererVersion}/${what}`;
}

function textOf(plan: ResizedPlan): string {
  const { width, height, fit, crop, background, format, quality, blur, animated } = plan;
  const where = typeof crop === "string" ? crop : `${crop.x},${crop.y}`;
  const frames = animated ? "animated" : "still";
  return [`${width}x${height}`, fit, where, background ?? "transparent", format, quality, blur, frames].join(";");
}

type Layout = Pick<ResizedPlan, "width" | "height" | "fit" | "crop">;

/** Size and place, without enlarging. */
function layOut(spec: ResizedSpec, original: SourceInfo, maxSide: number): Layout {
  const { width, height } = original;
  const asked = { width: spec.width ?? Number.POSITIVE_INFINITY, height: spec.height ?? Number.POSITIVE_INFINITY };
  const whole = { fit: "fill", crop: "centre" } as const;
  const inside = scaled(
    original,
    Math.min(1, asked.width / width, asked.height / height, maxSide / width, maxSide / height),
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

interface Dimensions {
  readonly width: number;
  readonly height: number;
}

const scaled = ({ width, height }: Dimensions, scale: number): Dimensions => ({
  width: Math.max(1, Math.round(width * scale)),
  height: Math.max(1, Math.round(height * scale)),
});

const isSameSize = (one: Dimensions, other: Dimensions): boolean =>
  one.width === other.width && one.height === other.height;

/** `visible` is the part of each side that is left. */
function cropOf({ crop }: ResizedSpec, { focalPoint }: SourceInfo, visible: FocalPoint): ResizedPlan["crop"] {
  const wanted = crop === "record" ? (focalPoint ?? "centre") : crop;
  if (typeof wanted === "string") return wanted;
  const point = { x: withinReach(wanted.x, visible.x), y: withinReach(wanted.y, visible.y) };
  return point.x === 0.5 && point.y === 0.5 ? "centre" : point;
}

/** The middle of the cut can't come nearer to an edge than half of what is left: all points beyond are one. */
const withinReach = (place: number, visible: number): number => Math.min(Math.max(place, visible / 2), 1 - visible / 2);

function chooseFormat(
  asked: ResizedSpec["format"],
  original: SourceInfo,
  accepted: readonly VariantFormat[],
  moves: boolean,
): VariantFormat {
  const { contentType, hasAlpha } = original;
  const nearest = outputFormatFor(formatOf(contentType), hasAlpha);
  if (asked === null) return moves && !FORMATS[nearest].animates ? ANIMATED_FORMAT : nearest;
  if (asked !== "auto") return asked;
  const fallback = fallbackFormat(hasAlpha);
  const isOffered = (format: VariantFormat): boolean =>
    format === fallback || (OUTPUTS[format].mustBeNamed && (FORMATS[format].animates || !moves));
  return accepted.find(isOffered) ?? fallback;
}

/** What an animation becomes whose own format is not rendered. */
const ANIMATED_FORMAT: VariantFormat = "webp";

function backgroundOf(spec: ResizedSpec, { hasAlpha }: SourceInfo, fit: ResizedPlan["fit"], format: VariantFormat) {
  const staysTransparent = hasAlpha && OUTPUTS[format].transparency;
  if (fit === "contain") return spec.background ?? (staysTransparent ? null : "ffffff");
  return hasAlpha && !OUTPUTS[format].transparency ? (spec.background ?? "ffffff") : null;
}
