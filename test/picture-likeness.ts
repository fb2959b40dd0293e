/** Pixels of eight bits and at least three channels, row by row. */
export interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: number;
}

/** In decibels, over all channels; infinite for equal pixels. */
export function psnr(one: Pixels, other: Pixels): number {
  requireSameShape(one, other);
  let squares = 0;
  for (let at = 0; at < one.data.length; at++) squares += ((one.data[at] as number) - (other.data[at] as number)) ** 2;
  return 10 * Math.log10((255 ** 2 * one.data.length) / squares);
}

const WINDOW = 8;
const STEP = 4;
const [C1, C2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2];

/** Structural similarity of the luminance (Wang et al., 2004), 1 for equal pixels: the mean over windows of 8 × 8 pixels. */
export function ssim(one: Pixels, other: Pixels): number {
  requireSameShape(one, other);
  const { width, height } = one;
  const [x, y] = [luminance(one), luminance(other)];
  let [sum, windows] = [0, 0];
  for (let top = 0; top + WINDOW <= height; top += STEP)
    for (let left = 0; left + WINDOW <= width; left += STEP) {
      sum += ofWindow(x, y, top * width + left, width);
      windows++;
    }
  return sum / windows;
}

function ofWindow(x: Float32Array, y: Float32Array, start: number, width: number): number {
  let [sx, sy, sxx, syy, sxy] = [0, 0, 0, 0, 0];
  for (let row = 0; row < WINDOW; row++)
    for (let at = start + row * width; at < start + row * width + WINDOW; at++) {
      const [a, b] = [x[at] as number, y[at] as number];
      sx += a;
      sy += b;
      sxx += a * a;
      syy += b * b;
      sxy += a * b;
    }
  const count = WINDOW ** 2;
  const [mx, my] = [sx / count, sy / count];
  const [vx, vy, covariance] = [sxx / count - mx * mx, syy / count - my * my, sxy / count - mx * my];
  return ((2 * mx * my + C1) * (2 * covariance + C2)) / ((mx * mx + my * my + C1) * (vx + vy + C2));
}

function luminance({ data, channels }: Pixels): Float32Array {
  const light = new Float32Array(data.length / channels);
  for (let at = 0; at < light.length; at++) {
    const start = at * channels;
    const [red, green, blue] = [data[start] as number, data[start + 1] as number, data[start + 2] as number];
    light[at] = 0.299 * red + 0.587 * green + 0.114 * blue;
  }
  return light;
}

function requireSameShape(one: Pixels, other: Pixels): void {
  const shape = ({ width, height, channels }: Pixels) => `${width} × ${height} × ${channels}`;
  if (shape(one) !== shape(other)) throw new Error(`One picture is ${shape(one)}, the other ${shape(other)}.`);
}
