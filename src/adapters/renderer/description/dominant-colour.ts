/** Bits of each channel that tell colours apart: 16 × 16 × 16 of them. */
const BITS = 4;

/** The mean of the colour that most pixels are near to, as `#rrggbb`; a pixel counts by how much of it can be seen. */
export function dominantColour(rgba: Uint8Array): string {
  const weights = new Float64Array(1 << (3 * BITS));
  const binOf = (at: number): number => {
    const [red = 0, green = 0, blue = 0] = rgba.subarray(at, at + 3);
    const shift = 8 - BITS;
    return ((red >> shift) << (2 * BITS)) | ((green >> shift) << BITS) | (blue >> shift);
  };
  for (let at = 0; at < rgba.length; at += 4) {
    const bin = binOf(at);
    weights[bin] = (weights[bin] ?? 0) + (rgba[at + 3] ?? 0);
  }
  const fullest = weights.reduce((best, weight, bin) => (weight > (weights[best] ?? 0) ? bin : best), 0);

  const sums = [0, 0, 0];
  let total = 0;
  for (let at = 0; at < rgba.length; at += 4) {
    if (binOf(at) !== fullest) continue;
    const alpha = rgba[at + 3] ?? 0;
    total += alpha;
    for (let channel = 0; channel < 3; channel++)
      sums[channel] = (sums[channel] ?? 0) + alpha * (rgba[at + channel] ?? 0);
  }
  const hex = (sum: number) =>
    Math.round(total === 0 ? 0 : sum / total)
      .toString(16)
      .padStart(2, "0");
  return `#${sums.map(hex).join("")}`;
}
