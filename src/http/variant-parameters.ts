import { z } from "@hono/zod-openapi";
import { VARIANT_FORMATS } from "../domain/formats.ts";
import { FITS, MAX_SIDE } from "../domain/variant.ts";
import { LADDER } from "../domain/variant-presets.ts";
import { MAX_BLUR, MAX_DPR, MIN_BLUR, VARIANT_PARAMETERS, type VariantParameter } from "../domain/variant-query.ts";

const side = (description: string) => ({ type: "integer", minimum: 1, maximum: MAX_SIDE, description }) as const;

/**
 * What openapi.json says of each parameter. None has an example: pages that let people try the API out send every example
 * that they find, and the plain request is the one for the original.
 */
export const VARIANT_DOCUMENTATION = {
  preset: {
    type: "string" as const,
    pattern: "^[A-Za-z0-9_-]{1,32}$",
    description: "Name of a variant that the operator defined. By default: `thumb`, `small`, `medium` and `large`.",
  },
  w: side(
    `Width in pixels, at most that of the original. Every client that may read may ask for the widths ${LADDER.join(", ")}, with no other parameter than \`format\`.`,
  ),
  h: side("Height in pixels, at most that of the original."),
  dpr: {
    type: "number" as const,
    minimum: 1,
    maximum: MAX_DPR,
    description: `Device pixels per pixel of \`w\` and \`h\`. The product is at most ${MAX_SIDE}.`,
  },
  fit: {
    type: "string" as const,
    enum: [...FITS],
    description:
      "How the image fits `w` and `h` when both are given: `cover` crops it, `contain` adds a background, `fill` distorts it, `inside` " +
      "scales it to stay within them. Default: `cover`.",
  },
  crop: {
    type: "string" as const,
    pattern: "^(centre|attention|entropy|[01](\\.[0-9]{1,4})?,[01](\\.[0-9]{1,4})?)$",
    description:
      "What `cover` keeps: `centre`, `attention`, `entropy`, or a point such as `0.3,0.65`. Default: the `focalPoint` of the record.",
  },
  background: {
    type: "string" as const,
    pattern: "^([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})$",
    description: "Background colour, such as `ffcc00`, for `contain` and for transparent pixels of a JPEG.",
  },
  format: {
    type: "string" as const,
    enum: [...VARIANT_FORMATS, "auto"],
    description: "`auto` chooses by `Accept`. Default: the format of the original, or the nearest to it.",
  },
  q: { type: "integer" as const, minimum: 1, maximum: 100, description: "Quality. Default: 80; for AVIF 50." },
  blur: {
    type: "number" as const,
    minimum: 0,
    maximum: MAX_BLUR,
    description: `Sigma of a Gaussian blur in pixels: 0, or at least ${MIN_BLUR}.`,
  },
  frame: { type: "integer" as const, enum: [0], description: "0: only the first frame of an animation." },
  strip: {
    type: "string" as const,
    enum: ["location"],
    description: "`location`: the original without the location where it was taken. Its pixels do not change.",
  },
  v: {
    type: "string" as const,
    description:
      "Version of the renderer; 404 when the store uses another. With `v`, a URL with id and digest may be cached forever, unless `preset`, `format=auto` or the focal point of the record decides on the variant.",
  },
} satisfies Record<VariantParameter, object>;

/**
 * What asks for a variant instead of the original. Text here: `parseVariantQuery` says what is wrong with a value, as it does
 * wherever a variant is asked for.
 */
export const variantQuery = z.strictObject(
  Object.fromEntries(
    VARIANT_PARAMETERS.map((name) => [name, z.string().optional().openapi(VARIANT_DOCUMENTATION[name])]),
  ) as Record<VariantParameter, z.ZodOptional<z.ZodString>>,
);
