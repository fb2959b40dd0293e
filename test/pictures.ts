import sharp, { type Sharp } from "sharp";
import type { ResizedPlan } from "../src/domain/variant.ts";

export const PICTURE: ResizedPlan = {
  kind: "resized",
  width: 60,
  height: 40,
  fit: "fill",
  crop: "centre",
  background: null,
  format: "png",
  quality: 90,
  blur: 0,
  animated: true,
};

export type Colour = readonly [red: number, green: number, blue: number];
export const RED: Colour = [220, 30, 40];
export const GREEN: Colour = [20, 190, 60];
export const BLUE: Colour = [30, 50, 210];
export const WHITE: Colour = [255, 255, 255];
export const GREY: Colour = [128, 128, 128];

/** A quarter of each colour: left to right, top to bottom. */
export function quarters(width = 120, height = 80): Sharp {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const colour = [RED, GREEN, BLUE, WHITE][(y < height / 2 ? 0 : 2) + (x < width / 2 ? 0 : 1)];
      pixels.set(colour ?? WHITE, (y * width + x) * 3);
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}
