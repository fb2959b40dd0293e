import { StoreError } from "./errors.ts";
import { FORMATS, OUTPUTS, VARIANT_FORMATS, type VariantFormat } from "./formats.ts";
import type { FocalPoint } from "./image.ts";
import { FITS, MAX_SIDE, type RenderPlan, type ResizedSpec, type VariantSpec } from "./variant.ts";
import { isOnLadder, type Presets } from "./variant-presets.ts";
import { listChoices, quote } from "./wording.ts";

/** What makes a {@link ResizedSpec}, in the order in which it is written. */
export const RESIZING_PARAMETERS = [
  "w",
  "h",
  "dpr",
  "fit",
  "crop",
  "background",
  "format",
  "q",
  "blur",
  "frame",
] as const;
export const VARIANT_PARAMETERS = ["preset", ...RESIZING_PARAMETERS, "strip", "v"] as const;
export type VariantParameter = (typeof VARIANT_PARAMETERS)[number];
export type VariantParameters = Readonly<Partial<Record<VariantParameter, string | undefined>>>;

/** The query of a content URL, parsed. */
export interface VariantQuery {
  /** undefined: the original, since nothing was asked that has an effect. */
  readonly spec: VariantSpec | undefined;
  /** {@link formatSpec} of it. */
  readonly text: string;
  /** For anyone who may read: a preset, a width of the ladder, `strip=location`, the original. */
  readonly free: boolean;
  readonly preset: boolean;
  /** With id, digest and version, the URL alone says which bytes: neither configuration, record nor headers have a say. */
  readonly explicit: boolean;
  /** Of the renderer that it is to be made by. */
  readonly version: string | undefined;
}

export const MIN_BLUR = 0.3;
export const MAX_BLUR = 50;
export const MAX_DPR = 3;

/** @throws StoreError `invalid_variant` that names the parameter */
export function parseVariantQuery(parameters: VariantParameters, presets: Presets): VariantQuery {
  const version = parameters.v;
  if (parameters.strip !== undefined) {
    if (parameters.strip !== "location") throw invalid("strip", `must be location, not ${quote(parameters.strip)}`);
    forbidOthers(parameters, "strip", ["strip", "v"]);
    const spec = { kind: "without-location" } as const;
    return { spec, text: formatSpec(spec), free: true, preset: false, explicit: true, version };
  }
  if (parameters.preset !== undefined) {
    forbidOthers(parameters, "preset", ["preset", "format", "v"]);
    const preset = presets.get(parameters.preset);
    if (preset === undefined) throw invalid("preset", unknownPreset(parameters.preset, presets));
    const spec = canonical({ ...preset, format: parseFormat(parameters.format) ?? preset.format });
    return { spec, text: formatSpec(spec), free: true, preset: true, explicit: false, version };
  }
  const spec = parseResized(parameters);
  const text = formatSpec(spec);
  if (text === "") return { spec: undefined, text, free: true, preset: false, explicit: true, version };
  const explicit = spec.format !== "auto" && !(spec.crop === "record" && cuts(spec));
  return { spec, text, free: isOnLadder(spec), preset: false, explicit, version };
}

/** What the parameters but `preset`, `strip` and `v` say. @throws StoreError `invalid_variant` */
export function parseResized(parameters: VariantParameters): ResizedSpec {
  const dpr = decimal("dpr", parameters.dpr, 1, MAX_DPR) ?? 1;
  return canonical({
    kind: "resized",
    width: side("w", parameters.w, dpr),
    height: side("h", parameters.h, dpr),
    fit: choice("fit", parameters.fit, FITS) ?? "cover",
    crop: parseCrop(parameters.crop),
    background: parseBackground(parameters.background),
    format: parseFormat(parameters.format),
    quality: integer("q", parameters.q, 1, 100),
    blur: parseBlur(parameters.blur),
    still: choice("frame", parameters.frame, ["0"]) !== null,
  });
}

/** The one query that stands for a spec, without `?`; empty for the original. Parsed, it is that spec again. */
export function formatSpec(spec: VariantSpec | undefined): string {
  if (spec === undefined) return "";
  if (spec.kind === "without-location") return "strip=location";
  const { width, height, fit, crop, background, format, quality, blur, still } = spec;
  const parameters: readonly (readonly [VariantParameter, string | number | null])[] = [
    ["w", width],
    ["h", height],
    ["fit", fit === "cover" ? null : fit],
    ["crop", crop === "record" ? null : typeof crop === "string" ? crop : `${crop.x},${crop.y}`],
    ["background", background],
    ["format", format],
    ["q", quality],
    ["blur", blur === 0 ? null : blur],
    ["frame", still ? 0 : null],
  ];
  return parameters.flatMap(([name, value]) => (value === null ? [] : [`${name}=${value}`])).join("&");
}

/** A spec that has the same plan for the same bytes, whatever the record and the headers of the request say. */
export function explicitSpec(spec: VariantSpec, plan: RenderPlan, focalPoint: FocalPoint | null): VariantSpec {
  if (spec.kind === "without-location" || plan.kind === "without-location") return spec;
  return canonical({
    ...spec,
    crop: spec.crop === "record" ? (focalPoint ?? "centre") : spec.crop,
    format: spec.format === "auto" ? plan.format : spec.format,
  });
}

const CROPS = ["centre", "attention", "entropy"] as const;
const POINT = /^(0(?:\.\d{1,4})?|1(?:\.0{1,4})?),(0(?:\.\d{1,4})?|1(?:\.0{1,4})?)$/;

/** Without what has no effect, and without what is the default anyway. */
function canonical(spec: ResizedSpec): ResizedSpec {
  const { background, crop, format, quality, still } = spec;
  const fit = spec.width === null || spec.height === null ? "cover" : spec.fit;
  const isCentre = typeof crop === "object" && crop.x === 0.5 && crop.y === 0.5;
  // An image with transparent pixels becomes a format without them only when the spec names that format.
  const flattens = isRendered(format) && !OUTPUTS[format].transparency;
  const hasNoEffect = flattens ? background === "ffffff" : fit !== "contain";
  const isDefaultQuality = isRendered(format) && (OUTPUTS[format].lossless || OUTPUTS[format].quality === quality);
  return {
    ...spec,
    fit,
    crop: !cuts({ ...spec, fit }) ? "record" : isCentre ? "centre" : crop,
    background: hasNoEffect ? null : background,
    quality: isDefaultQuality ? null : quality,
    still: still && canAnimate(format),
  };
}

const cuts = ({ width, height, fit }: ResizedSpec): boolean => width !== null && height !== null && fit === "cover";

const canAnimate = (format: ResizedSpec["format"]): boolean => !isRendered(format) || FORMATS[format].animates;

const isRendered = (format: ResizedSpec["format"]): format is VariantFormat => format !== null && format !== "auto";

const parseFormat = (text: string | undefined): VariantFormat | "auto" | null =>
  choice("format", text, [...VARIANT_FORMATS, "auto"]);

function parseCrop(text: string | undefined): ResizedSpec["crop"] {
  const [x, y] = POINT.exec(text ?? "")?.slice(1) ?? [];
  if (x !== undefined && y !== undefined) return { x: Number(x), y: Number(y) };
  return choice("crop", text, CROPS, ", or a point such as 0.3,0.65 with at most four decimals") ?? "record";
}

function parseBackground(text: string | undefined): string | null {
  if (text === undefined) return null;
  const hex = text.toLowerCase();
  if (/^[\da-f]{3}$/.test(hex)) return hex.replaceAll(/./g, "$&$&");
  if (!/^[\da-f]{6}$/.test(hex)) throw invalid("background", "must be a colour such as ffcc00 or fc0");
  return hex;
}

function parseBlur(text: string | undefined): number {
  return text === undefined || text === "0" ? 0 : (decimal("blur", text, MIN_BLUR, MAX_BLUR) ?? 0);
}

function side(parameter: "w" | "h", text: string | undefined, dpr: number): number | null {
  const length = integer(parameter, text, 1, MAX_SIDE);
  if (length === null) return null;
  const pixels = Math.round(length * dpr);
  if (pixels > MAX_SIDE) throw invalid("dpr", `times ${parameter} is ${pixels}, and must be at most ${MAX_SIDE}`);
  return pixels;
}

function integer(parameter: VariantParameter, text: string | undefined, minimum: number, maximum: number) {
  if (text === undefined) return null;
  const value = /^\d{1,6}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= minimum && value <= maximum) return value;
  throw invalid(parameter, `must be a whole number from ${minimum} to ${maximum}`);
}

function decimal(parameter: VariantParameter, text: string | undefined, minimum: number, maximum: number) {
  if (text === undefined) return null;
  const value = /^\d{1,3}(?:\.\d{1,2})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= minimum && value <= maximum) return value;
  throw invalid(parameter, `must be a number from ${minimum} to ${maximum} with at most two decimals`);
}

function choice<Choice extends string>(
  parameter: VariantParameter,
  text: string | undefined,
  choices: readonly Choice[],
  orElse = "",
): Choice | null {
  if (text === undefined) return null;
  const found = choices.find((one) => one === text);
  if (found === undefined) throw invalid(parameter, `must be ${listChoices(choices)}${orElse}, not ${quote(text)}`);
  return found;
}

const unknownPreset = (name: string, presets: Presets): string =>
  presets.size === 0
    ? "is not known: this store has no presets"
    : `must be ${listChoices([...presets.keys()])}, not ${quote(name)}`;

function forbidOthers(parameters: VariantParameters, beside: VariantParameter, allowed: readonly VariantParameter[]) {
  const other = VARIANT_PARAMETERS.find((name) => parameters[name] !== undefined && !allowed.includes(name));
  if (other !== undefined) throw invalid(other, `cannot be given with ${beside}`);
}

const invalid = (parameter: VariantParameter, detail: string) =>
  new StoreError("invalid_variant", `The parameter "${parameter}" ${detail}.`, { errors: [{ parameter, detail }] });
