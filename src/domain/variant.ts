import type { VariantFormat } from "./formats.ts";
import type { FocalPoint } from "./image.ts";

export const FITS = ["cover", "contain", "fill", "inside"] as const;
export type Fit = (typeof FITS)[number];

/** Of a side of what is asked for, in pixels, `dpr` multiplied in. */
export const MAX_SIDE = 4096;

/**
 * What a request asks for, whatever the original is: presets expanded, `dpr` multiplied in, what is the default or has no
 * effect left out, so two spellings of the same spec are equal.
 */
export type VariantSpec = ResizedSpec | { readonly kind: "without-location" };

/** What of an original is given to clients without a key, and by links. */
export type PublicOriginals = "whole" | "without-location";

export interface ResizedSpec {
  readonly kind: "resized";
  /** In pixels; null: whatever follows from the other and the original. */
  readonly width: number | null;
  readonly height: number | null;
  /** `cover`, the default, where one side alone is asked for: then it has no effect. */
  readonly fit: Fit;
  /** Where `cover` cuts. `record`: the focal point of the record, the centre without one. */
  readonly crop: "centre" | "attention" | "entropy" | "record" | FocalPoint;
  /** `rrggbb`; under `contain` and transparent pixels of a format without them. null: see {@link ResizedPlan}. */
  readonly background: string | null;
  /** `auto`: the best that `Accept` takes. null: that of the original, or the nearest to it. */
  readonly format: VariantFormat | "auto" | null;
  /** 1–100; null: the default of the format. */
  readonly quality: number | null;
  /** Sigma in pixels; 0: none. */
  readonly blur: number;
  /** The first frame only. */
  readonly still: boolean;
}

/** What will be rendered: a spec applied to one original. It is all that a renderer needs to know. */
export type RenderPlan = ResizedPlan | { readonly kind: "without-location" };

export interface ResizedPlan {
  readonly kind: "resized";
  /** Of one frame of the result, exactly; never more than the original has, but for what `contain` adds. */
  readonly width: number;
  readonly height: number;
  /** `contain` never enlarges what it puts in the middle. `fill` also where nothing is cut, added or bent. */
  readonly fit: "cover" | "contain" | "fill";
  readonly crop: "centre" | "attention" | "entropy" | FocalPoint;
  /** `rrggbb`: beside what `contain` puts in the middle, and under transparent pixels of a JPEG; null: transparent. */
  readonly background: string | null;
  readonly format: VariantFormat;
  readonly quality: number;
  readonly blur: number;
  /** More than one frame in, more than one out. */
  readonly animated: boolean;
}
