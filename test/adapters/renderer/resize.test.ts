import { expect, test } from "bun:test";
import type { Metadata } from "sharp";
import { shrinkWhileDecoding } from "../../../src/adapters/renderer/resize.ts";
import { FITS } from "../../../src/domain/variant.ts";
import { PICTURE } from "../../pictures.ts";

const jpeg = (width: number, height: number) =>
  ({ format: "jpeg", width, height, autoOrient: { width, height } }) as Metadata;

test("a JPEG is opened at a fraction of its size only where sharp takes no fraction of the rest", () => {
  for (let width = 10; width <= 4000; width += 13)
    for (const height of [10, 75, 400, 1000, 3000])
      for (const fit of FITS) {
        if (fit === "inside") continue;
        const shrink = shrinkWhileDecoding(jpeg(4000, 3000), { ...PICTURE, width, height, fit });
        const sides = [4000 / shrink / width, 3000 / shrink / height];
        const rest = fit === "contain" ? Math.max(...sides) : Math.min(...sides);
        if (shrink === 1) continue;
        expect(rest).toBeGreaterThanOrEqual(1);
        // From 4 on, sharp opens the file once more, and by a name that is none.
        expect(rest).toBeLessThan(4);
      }
});

test.each([
  [4000, 3000, 1],
  [2001, 1501, 1],
  [2000, 1500, 2],
  [1600, 1200, 2],
  [900, 675, 1],
  [800, 600, 4],
  [500, 375, 1],
  [400, 300, 8],
  [240, 180, 1],
])("a JPEG of 4000 × 3000 is opened for %i × %i at one part of %i", (width, height, shrink) => {
  expect(shrinkWhileDecoding(jpeg(4000, 3000), { ...PICTURE, width, height, fit: "fill" })).toBe(shrink);
});

test("a JPEG with sides that are no multiples is opened whole, and so is every other format", () => {
  const plan = { ...PICTURE, width: 1600, height: 1200, fit: "fill" } as const;
  expect(shrinkWhileDecoding(jpeg(4001, 3000), plan)).toBe(1);
  expect(shrinkWhileDecoding(jpeg(4000, 3001), plan)).toBe(1);
  expect(shrinkWhileDecoding({ ...jpeg(4000, 3000), format: "png" }, plan)).toBe(1);
});
