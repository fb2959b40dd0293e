import fc from "fast-check";
import { DEFAULT_PRESETS, parsePresets } from "../../../src/config/presets.ts";
import { CONTENT_TYPES, VARIANT_FORMATS, type VariantFormat } from "../../../src/domain/formats.ts";
import type { FocalPoint } from "../../../src/domain/image.ts";
import { planKey, planRender, type SourceInfo } from "../../../src/domain/render-plan.ts";
import {
  FITS,
  type RenderPlan,
  type ResizedPlan,
  type ResizedSpec,
  type VariantSpec,
} from "../../../src/domain/variant.ts";
import { LADDER } from "../../../src/domain/variant-presets.ts";
import { formatSpec, parseVariantQuery, type VariantParameters } from "../../../src/domain/variant-query.ts";

export const presets = parsePresets(DEFAULT_PRESETS);
export const parse = (query: string) => parseVariantQuery(Object.fromEntries(new URLSearchParams(query)), presets);
export const specOf = (query: string): VariantSpec => {
  const { spec } = parse(query);
  if (spec === undefined) throw new Error(`"${query}" asks for the original.`);
  return spec;
};
export const canonicalOf = (query: string): string => formatSpec(parse(query).spec);

export const PHOTO: SourceInfo = { contentType: "image/jpeg", width: 4000, height: 3000, frames: 1, hasAlpha: false };
export const LOGO: SourceInfo = { contentType: "image/png", width: 1000, height: 500, frames: 1, hasAlpha: true };
export const CLIP: SourceInfo = { contentType: "image/gif", width: 400, height: 300, frames: 20, hasAlpha: true };

export function resize(query: string, original = PHOTO, accepted: readonly VariantFormat[] = []): ResizedPlan {
  const plan = planRender(specOf(query), original, accepted);
  if (plan.kind !== "resized") throw new Error(`"${query}" resizes nothing.`);
  return plan;
}
export const keyOf = (query: string, original = PHOTO, accepted: readonly VariantFormat[] = []): string =>
  planKey("5a", planRender(specOf(query), original, accepted), "1");

const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const decimals = fc.integer({ min: 0, max: 10_000 }).map((number) => String(number / 10_000));
const hundredths = (minimum: number, maximum: number) =>
  fc.integer({ min: minimum * 100, max: maximum * 100 }).map((number) => String(number / 100));
const sideText = fc.oneof(fc.constantFrom(...LADDER), fc.integer({ min: 1, max: 4096 })).map(String);

/** What a client may ask for with sizes. */
export const parameters: fc.Arbitrary<VariantParameters> = fc
  .record({
    w: optional(sideText),
    h: optional(sideText),
    dpr: optional(hundredths(1, 3)),
    fit: optional(fc.constantFrom(...FITS)),
    crop: optional(
      fc.oneof(
        fc.constantFrom("centre", "attention", "entropy", "0.5,0.5", "0.50,0.5000"),
        fc.tuple(decimals, decimals).map(([x, y]) => `${x},${y}`),
      ),
    ),
    background: optional(fc.oneof(fc.constantFrom("fff", "ffffff", "FC0"), fc.stringMatching(/^[\da-fA-F]{6}$/))),
    format: optional(fc.constantFrom(...VARIANT_FORMATS, "auto")),
    q: optional(fc.oneof(fc.constantFrom("50", "80", "100"), fc.integer({ min: 1, max: 100 }).map(String))),
    blur: optional(fc.oneof(fc.constant("0"), hundredths(0.3, 50))),
    frame: optional(fc.constant("0")),
  })
  .filter(({ w, h, dpr = "1" }) => Math.max(Number(w ?? 0), Number(h ?? 0)) * Number(dpr) <= 4096);

export const specs = parameters
  .map((given) => parseVariantQuery(given, presets).spec)
  .filter((parsed): parsed is ResizedSpec => parsed?.kind === "resized");

const coordinate = fc.double({ min: 0, max: 1, noNaN: true });
export const focalPoint: fc.Arbitrary<FocalPoint | null> = fc.option(fc.record({ x: coordinate, y: coordinate }));
export const originals: fc.Arbitrary<SourceInfo> = fc.record({
  contentType: fc.constantFrom(...Object.values(CONTENT_TYPES)),
  width: fc.integer({ min: 1, max: 12_000 }),
  height: fc.integer({ min: 1, max: 12_000 }),
  frames: fc.constantFrom(1, 1, 2, 30),
  hasAlpha: fc.boolean(),
  focalPoint,
});
export const accepted = fc.shuffledSubarray([...VARIANT_FORMATS]);

export const resizedOf = (plan: RenderPlan): ResizedPlan => {
  if (plan.kind !== "resized") throw new Error("It is not resized.");
  return plan;
};
