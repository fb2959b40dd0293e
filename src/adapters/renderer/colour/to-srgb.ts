import { type Chromaticities, type ColourSpace, HLG_PEAK, PAGE_WHITE, SRGB } from "./code-points.ts";

/** Pixels of three or four channels, the fourth being how opaque they are. */
export interface Pixels {
  readonly data: Uint8Array | Uint16Array;
  readonly channels: 3 | 4;
}

/** The same pixels in sRGB with eight bits. What another space has beyond it is cut off, as browsers do. */
export function toSrgb({ data, channels }: Pixels, space: ColourSpace): Buffer {
  const most = data instanceof Uint16Array ? 65_535 : 255;
  const light = Float32Array.from({ length: most + 1 }, (_, value) => space.toLight(value / most));
  const [rr, rg, rb, gr, gg, gb, br, bg, bb] = conversion(space.chromaticities);
  const map = space.range === "standard" ? undefined : toneMapping(space);
  const result = Buffer.alloc(data.length);
  for (let at = 0; at < data.length; at += channels) {
    let red = light[data[at] as number] as number;
    let green = light[data[at + 1] as number] as number;
    let blue = light[data[at + 2] as number] as number;
    if (map !== undefined) {
      const scale = map(red, green, blue);
      red *= scale;
      green *= scale;
      blue *= scale;
    }
    result[at] = encoded(rr * red + rg * green + rb * blue);
    result[at + 1] = encoded(gr * red + gg * green + gb * blue);
    result[at + 2] = encoded(br * red + bg * green + bb * blue);
    if (channels === 4) result[at + 3] = Math.round(((data[at + 3] as number) * 255) / most);
  }
  return result;
}

/** Steps of light that are told apart: enough for the steepest part of the curve. */
const STEPS = 16_384;
const ENCODED = Uint8Array.from({ length: STEPS + 1 }, (_, step) => {
  const value = step / STEPS;
  return Math.round(255 * (value <= 0.0031308 ? value * 12.92 : 1.055 * value ** (1 / 2.4) - 0.055));
});
const encoded = (light: number): number =>
  ENCODED[light <= 0 ? 0 : light >= 1 ? STEPS : Math.round(light * STEPS)] as number;

/**
 * How a browser without a display of high dynamic range shows one (measured with Chromium): the white of a page has half
 * of the light, so that there is room above it; what is five times as bright is white. Logarithms to the base of two, of
 * the light and of the factor for it.
 */
const CURVE: readonly (readonly [light: number, factor: number])[] = [
  [0, -1],
  [0.21, -1.036],
  [0.43, -1.122],
  [0.85, -1.334],
  [1.27, -1.596],
  [1.69, -1.863],
  [2.1, -2.159],
  [2.315, -2.315],
];

function factorOf(strongest: number): number {
  const light = Math.log2(Math.max(strongest, 1e-6));
  const index = CURVE.findIndex(([to]) => light <= to);
  if (index === 0) return 0.5;
  if (index < 0) return 1 / strongest;
  const [[from, before], [to, after]] = [CURVE[index - 1] ?? [0, 0], CURVE[index] ?? [0, 0]];
  return 2 ** (before + ((after - before) * (light - from)) / (to - from));
}

/** By the strongest of the three, so that a colour keeps its hue. */
function toneMapping({ range }: ColourSpace): (red: number, green: number, blue: number) => number {
  if (range === "pq") return (red, green, blue) => factorOf(Math.max(red, green, blue));
  const peak = HLG_PEAK / PAGE_WHITE;
  return (red, green, blue) => {
    const scene = 0.2627 * red + 0.678 * green + 0.0593 * blue;
    const display = peak * Math.max(scene, 1e-6) ** 0.2;
    return display * factorOf(display * Math.max(red, green, blue));
  };
}

type Matrix = readonly [number, number, number, number, number, number, number, number, number];

/** From light of these primaries to that of sRGB. */
const conversion = (chromaticities: Chromaticities): Matrix =>
  multiply(inverse(toXyz(SRGB)), multiply(adaptation(chromaticities[3]), toXyz(chromaticities)));

/** Of a point, with as much light as one. */
const xyzOf = ([x, y]: readonly [number, number]): Vector => [x / y, 1, (1 - x - y) / y];

function toXyz([red, green, blue, white]: Chromaticities): Matrix {
  const [r, g, b, w] = [xyzOf(red), xyzOf(green), xyzOf(blue), xyzOf(white)];
  const unscaled: Matrix = [r[0], g[0], b[0], r[1], g[1], b[1], r[2], g[2], b[2]];
  const [sr, sg, sb] = apply(inverse(unscaled), w);
  return [r[0] * sr, g[0] * sg, b[0] * sb, r[1] * sr, g[1] * sg, b[1] * sb, r[2] * sr, g[2] * sg, b[2] * sb];
}

const BRADFORD: Matrix = [0.8951, 0.2664, -0.1614, -0.7502, 1.7135, 0.0367, 0.0389, -0.0685, 1.0296];

/** From one white to that of sRGB. */
function adaptation(white: readonly [number, number]): Matrix {
  const from = apply(BRADFORD, xyzOf(white));
  const to = apply(BRADFORD, xyzOf(SRGB[3]));
  const scale: Matrix = [to[0] / from[0], 0, 0, 0, to[1] / from[1], 0, 0, 0, to[2] / from[2]];
  return multiply(inverse(BRADFORD), multiply(scale, BRADFORD));
}

type Vector = readonly [number, number, number];

const apply = (m: Matrix, v: Vector): Vector => [
  m[0] * v[0] + m[1] * v[1] + m[2] * v[2],
  m[3] * v[0] + m[4] * v[1] + m[5] * v[2],
  m[6] * v[0] + m[7] * v[1] + m[8] * v[2],
];

function multiply(a: Matrix, b: Matrix): Matrix {
  const column = (index: 0 | 1 | 2): Vector =>
    apply(a, [b[index], b[(index + 3) as 3 | 4 | 5], b[(index + 6) as 6 | 7 | 8]]);
  const [x, y, z] = [column(0), column(1), column(2)];
  return [x[0], y[0], z[0], x[1], y[1], z[1], x[2], y[2], z[2]];
}

function inverse(m: Matrix): Matrix {
  const [a, b, c, d, e, f, g, h, i] = m;
  const determinant = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  const adjugate: Matrix = [
    e * i - f * h,
    c * h - b * i,
    b * f - c * e,
    f * g - d * i,
    a * i - c * g,
    c * d - a * f,
    d * h - e * g,
    b * g - a * h,
    a * e - b * d,
  ];
  return adjugate.map((value) => value / determinant) as unknown as Matrix;
}
