import { StoreError } from "./errors.ts";
import { VARIANT_FORMATS } from "./formats.ts";
import type { ResizedSpec, VariantSpec } from "./variant.ts";

/** Named specs that the operator chose. */
export type Presets = ReadonlyMap<string, ResizedSpec>;

/** Widths that every caller with the right `read` gets, in any format and without other parameters. */
export const LADDER = [160, 240, 320, 480, 640, 960, 1280, 1920, 2560, 3840] as const;

/** All that a variant can be without `transform`: as the members of the problem that says so. */
const allowedVariants = (presets: Presets) => ({
  presets: [...presets.keys()],
  widths: LADDER,
  formats: [...VARIANT_FORMATS, "auto"],
});

/** The error for a caller that may only read and asks for another variant. */
export const variantNotAllowed = (presets: Presets): StoreError =>
  new StoreError(
    "variant_not_allowed",
    'Without a signed link, or a key with the right "transform", a variant is one of the presets, or one of the widths ' +
      "(w × dpr), in any of the formats and with nothing else.",
    { members: { missing: ["transform"], allowed: allowedVariants(presets) } },
  );

/** Whether it is a width of the ladder in any format, and nothing else. */
export const isOnLadder = (spec: VariantSpec): boolean =>
  spec.kind === "resized" &&
  (LADDER as readonly (number | null)[]).includes(spec.width) &&
  spec.height === null &&
  spec.background === null &&
  spec.quality === null &&
  spec.blur === 0 &&
  !spec.still;
