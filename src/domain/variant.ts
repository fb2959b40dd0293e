import type { FocalPoint } from "./image.ts";

export const FITS = ["cover", "contain", "fill", "inside"] as const;
export type Fit = (typeof FITS)[number];

export const VARIANT_FORMATS = ["jpeg", "png", "webp", "avif"] as const;
export type VariantFormat = (typeof VARIANT_FORMATS)[number];

/** Of a side of what is asked for, in pixels, `dpr` multiplied in. */
export const MAX_SIDE = 4096;

/** PNG is lossless: what it says is that no quality has an effect on it. */
export const DEFAULT_QUALITY: Readonly<Record<VariantFormat, number>> = { jpeg: 80, png: 100, webp: 80, avif: 50 };

/**
 * What a request asks for, whatever the original is: presets expanded, `dpr` multiplied in, what is the default or has no
 * effect left out, so that no two spellings of one wish differ.
 */
export type VariantSpec = ResizedSpec | { readonly kind: "without-location" };

export interface ResizedSpec {
  readonly kind: "resized";
  /** In pixels; null: whatever follows from the other and the original. */
  readonly width: number | null;
  readonly height: number | null;
  /** `cover`, the default, where one side alone is asked for: then it has no effect. */
  readonly fit: Fit;
  /** Where `cover` cuts. `record`: the focal point of the record, the centre without one. */
  readonly crop: "centre" | "attention" | "entropy" | "record" | FocalPoint;
  /** `rrggbb`; under `contain` and transparent pixels of a format without them. null: see {@link ResizedPicture}. */
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

/** One picture to be made: a spec brought together with an original, and the only thing that a renderer needs to know. */
export type Picture = ResizedPicture | { readonly kind: "without-location" };

export interface ResizedPicture {
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
