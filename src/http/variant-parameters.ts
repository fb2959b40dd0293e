import { z } from "@hono/zod-openapi";
import { FITS, MAX_SIDE, VARIANT_FORMATS } from "../domain/variant.ts";
import { LADDER } from "../domain/variant-presets.ts";
import { MAX_BLUR, MAX_DPR, MIN_BLUR, type VariantParameter } from "../domain/variant-query.ts";

/** Text here: `parseVariant` says what is wrong with a value, as it does wherever a variant is asked for. */
const text = () => z.string().optional();

const side = (description: string) =>
  text().openapi({ type: "integer", minimum: 1, maximum: MAX_SIDE, description, example: "640" });

/** What asks for a variant instead of the original. */
export const variantQuery = z.strictObject({
  preset: text().openapi({
    description: "A spec that the operator named: `thumb`, `small`, `medium` and `large` unless configured otherwise.",
  }),
  w: side(
    `Width in pixels, at most that of the original. In any format and alone: ${LADDER.join(", ")} are for anyone.`,
  ),
  h: side("Height in pixels, at most that of the original."),
  dpr: text().openapi({
    type: "number",
    minimum: 1,
    maximum: MAX_DPR,
    description: `Pixels of the screen for each of \`w\` and \`h\`, which come to at most ${MAX_SIDE}.`,
  }),
  fit: text().openapi({
    type: "string",
    enum: [...FITS],
    default: "cover",
    description: "Where both `w` and `h` are given: cut what is over, fill what is left, bend, or stay within.",
  }),
  crop: text().openapi({
    description:
      "What `cover` keeps: `centre`, `attention`, `entropy`, or a point `x,y` from 0 to 1. Default: `focalPoint` of the record.",
    example: "0.3,0.65",
  }),
  background: text().openapi({
    pattern: "^([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$",
    description: "Colour beside the picture under `contain`, and under transparent pixels of a JPEG.",
    example: "ffcc00",
  }),
  format: text().openapi({
    type: "string",
    enum: [...VARIANT_FORMATS, "auto"],
    description: "`auto`: by `Accept`. Default: that of the original, or the nearest.",
  }),
  q: text().openapi({ type: "integer", minimum: 1, maximum: 100, description: "Quality. Default: 80, for AVIF 50." }),
  blur: text().openapi({
    type: "number",
    minimum: 0,
    maximum: MAX_BLUR,
    description: `Sigma in pixels: 0 for none, or from ${MIN_BLUR}.`,
  }),
  frame: text().openapi({ type: "integer", enum: [0], description: "0: the first frame of an animation, as a still." }),
  strip: text().openapi({
    type: "string",
    enum: ["location"],
    description: "The original (JPEG, PNG or WebP) without the place where it was taken, its pixels untouched.",
  }),
  v: text().openapi({
    description:
      "The version of the renderer. Beside id and digest, and where the rest is neither `preset`, `auto` nor up to the record, the answer may be kept for ever; 404 once it is another.",
  }),
} satisfies Record<VariantParameter, z.ZodType>);
