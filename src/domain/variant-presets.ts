import { type ResizedSpec, VARIANT_FORMATS, type VariantSpec } from "./variant.ts";

/** Named specs that the operator chose. */
export type Presets = ReadonlyMap<string, ResizedSpec>;

/** Widths that anyone who may read may ask for, in any format and with nothing else. */
export const LADDER = [160, 240, 320, 480, 640, 960, 1280, 1920, 2560, 3840] as const;

/** All that a variant can be without `transform`: as the members of the problem that says so. */
export const allowedVariants = (presets: Presets) => ({
  presets: [...presets.keys()],
  widths: LADDER,
  formats: [...VARIANT_FORMATS, "auto"],
});

/** Whether it is a width of the ladder in any format, and nothing else. */
export const isOnLadder = (spec: VariantSpec): boolean =>
  spec.kind === "resized" &&
  (LADDER as readonly (number | null)[]).includes(spec.width) &&
  spec.height === null &&
  spec.background === null &&
  spec.quality === null &&
  spec.blur === 0 &&
  !spec.still;
