/** CICP (ITU-T H.273). */
export interface CodePoints {
  readonly primaries: number;
  readonly transfer: number;
}

/** CIE 1931 coordinates of red, green, blue and white. */
export type Chromaticities = readonly [red: Point, green: Point, blue: Point, white: Point];
export type Point = readonly [x: number, y: number];

/** The colours of a file that has no profile. */
export type EncodedColour =
  | CodePoints
  | { readonly gamma: number; readonly chromaticities: Chromaticities | undefined };

/** How encoded values become light, and what light their primaries are. */
export interface ColourSpace {
  /** From 0–1 to light, where 1 is the white of a page; of high dynamic range more. */
  readonly toLight: (value: number) => number;
  readonly chromaticities: Chromaticities;
  /** `pq` and `hlg` have more light than a page, which has to be mapped. */
  readonly range: "standard" | "pq" | "hlg";
}

const D65 = [0.3127, 0.329] as const;
export const SRGB: Chromaticities = [[0.64, 0.33], [0.3, 0.6], [0.15, 0.06], D65];
/** ITU-T H.273, table 2: the primaries that pictures have; others count as those of sRGB. */
const PRIMARIES: Readonly<Record<number, Chromaticities>> = {
  4: [
    [0.67, 0.33],
    [0.21, 0.71],
    [0.14, 0.08],
    [0.31, 0.316],
  ],
  5: [[0.64, 0.33], [0.29, 0.6], [0.15, 0.06], D65],
  6: [[0.63, 0.34], [0.31, 0.595], [0.155, 0.07], D65],
  7: [[0.63, 0.34], [0.31, 0.595], [0.155, 0.07], D65],
  9: [[0.708, 0.292], [0.17, 0.797], [0.131, 0.046], D65],
  11: [
    [0.68, 0.32],
    [0.265, 0.69],
    [0.15, 0.06],
    [0.314, 0.351],
  ],
  12: [[0.68, 0.32], [0.265, 0.69], [0.15, 0.06], D65],
  22: [[0.63, 0.34], [0.295, 0.605], [0.155, 0.077], D65],
};

const srgbToLight = (value: number): number => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
const bt709ToLight = (value: number): number => (value < 0.081 ? value / 4.5 : ((value + 0.099) / 1.099) ** (1 / 0.45));
const power = (exponent: number) => (value: number) => value ** exponent;

/** Of the white of a page, in candela a square metre (ITU-R BT.2408). */
const PAGE_WHITE = 203;
/** Of an HLG display, as BT.2100 has it. */
const HLG_PEAK = 1000;

function pqToLight(value: number): number {
  const root = value ** (32 / 2523);
  const light = (Math.max(root - 0.8359375, 0) / (18.8515625 - 18.6875 * root)) ** (16_384 / 2610);
  return (light * 10_000) / PAGE_WHITE;
}

/** The light of the scene; the display's is 1.2 times as steep, by its luminance. */
function hlgToLight(value: number): number {
  const [a, b, c] = [0.17883277, 0.28466892, 0.55991073];
  return value <= 0.5 ? value ** 2 / 3 : (Math.exp((value - c) / a) + b) / 12;
}

const TRANSFERS: Readonly<Record<number, (value: number) => number>> = {
  1: bt709ToLight,
  4: power(2.2),
  5: power(2.8),
  6: bt709ToLight,
  7: (value) => (value < 0.0913 ? value / 4 : ((value + 0.1115) / 1.1115) ** (1 / 0.45)),
  8: (value) => value,
  11: bt709ToLight,
  14: bt709ToLight,
  15: bt709ToLight,
  16: pqToLight,
  17: power(2.6),
  18: hlgToLight,
};

/** Undefined where the pixels are those of sRGB already. */
export function colourSpaceOf(colour: EncodedColour | undefined): ColourSpace | undefined {
  if (colour === undefined) return undefined;
  if ("gamma" in colour) {
    // What browsers take for sRGB: its curve is near to that of 1/2.2.
    const isUsual = Math.abs(colour.gamma - 0.45455) < 0.005;
    const chromaticities = colour.chromaticities ?? SRGB;
    if (isUsual && isNearSrgb(chromaticities)) return undefined;
    return { toLight: isUsual ? power(2.2) : power(1 / colour.gamma), chromaticities, range: "standard" };
  }
  const { primaries, transfer } = colour;
  const chromaticities = PRIMARIES[primaries];
  const toLight = TRANSFERS[transfer];
  if (chromaticities === undefined && toLight === undefined) return undefined;
  const range = transfer === 16 ? "pq" : transfer === 18 ? "hlg" : "standard";
  return { toLight: toLight ?? srgbToLight, chromaticities: chromaticities ?? SRGB, range };
}

const isNearSrgb = (chromaticities: Chromaticities): boolean =>
  chromaticities.flat().every((value, index) => Math.abs(value - (SRGB.flat()[index] ?? 0)) < 0.002);

export { HLG_PEAK, PAGE_WHITE };
