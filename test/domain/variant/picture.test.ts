import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import type { VariantFormat } from "../../../src/domain/formats.ts";
import { planRender } from "../../../src/domain/render-plan.ts";
import { accepted, CLIP, LOGO, originals, PHOTO, resize, resizedOf, specOf, specs } from "./random-variants.ts";

interface Size {
  readonly width: number;
  readonly height: number;
}

const isNear = (length: number, exact: number): boolean => Math.abs(length - Math.max(1, exact)) <= 0.500001;

/** To the pixel, of which there is one at least. */
function isScaled(size: Size, of: Size, scale: number): boolean {
  return isNear(size.width, of.width * scale) && isNear(size.height, of.height * scale);
}

describe("a picture", () => {
  test("is never larger than the original, except with fit=contain", () => {
    fc.assert(
      fc.property(specs, originals, accepted, (spec, original, formats) => {
        const plan = resizedOf(planRender(spec, original, formats));
        expect(Math.min(plan.width, plan.height)).toBeGreaterThanOrEqual(1);
        if (plan.fit === "contain") {
          expect([plan.width, plan.height]).toEqual([spec.width as number, spec.height as number]);
        } else {
          expect(plan.width).toBeLessThanOrEqual(original.width);
          expect(plan.height).toBeLessThanOrEqual(original.height);
        }
      }),
      { numRuns: 500 },
    );
  });

  test("inside a box keeps its shape and touches the box, or is as large as the original", () => {
    fc.assert(
      fc.property(specs, originals, (spec, original) => {
        fc.pre(spec.width === null || spec.height === null || spec.fit === "inside");
        const { width, height, fit } = resizedOf(planRender(spec, original, []));
        expect(fit).toBe("fill");
        expect(width).toBeLessThanOrEqual(spec.width ?? width);
        expect(height).toBeLessThanOrEqual(spec.height ?? height);
        const scales = [1, width / original.width, height / original.height];
        expect(scales.some((scale) => isScaled({ width, height }, original, scale))).toBe(true);
        const isLargest = width === original.width && height === original.height;
        expect(isLargest || width === spec.width || height === spec.height).toBe(true);
      }),
    );
  });

  test("with fit=cover has the requested shape, and the requested size when the original is large enough", () => {
    fc.assert(
      fc.property(specs, originals, (spec, original) => {
        const { width: boxWidth, height: boxHeight } = spec;
        fc.pre(boxWidth !== null && boxHeight !== null && spec.fit === "cover");
        const { width, height } = resizedOf(planRender(spec, original, []));
        if (boxWidth <= original.width && boxHeight <= original.height) {
          expect([width, height]).toEqual([boxWidth, boxHeight]);
        } else {
          const box = { width: boxWidth, height: boxHeight };
          const scales = [width / boxWidth, height / boxHeight];
          expect(scales.some((scale) => isScaled({ width, height }, box, scale))).toBe(true);
          expect(width === original.width || height === original.height).toBe(true);
        }
      }),
    );
  });

  test.each([
    ["w=400", "400x300 fill"],
    ["h=300", "400x300 fill"],
    ["w=4096", "4000x3000 fill"],
    ["w=1", "1x1 fill"],
    ["format=webp", "4000x3000 fill"],
    ["w=400&h=400", "400x400 cover"],
    ["w=400&h=300", "400x300 fill"],
    ["w=400&h=400&fit=inside", "400x300 fill"],
    ["w=400&h=400&fit=contain", "400x400 contain"],
    ["w=400&h=300&fit=contain", "400x300 fill"],
    ["w=400&h=400&fit=fill", "400x400 fill"],
    ["w=4000&h=4000", "3000x3000 cover"],
    ["w=4096&h=1024", "4000x1000 cover"],
    ["w=4096&h=3072", "4000x3000 fill"],
    ["w=4096&h=4096&fit=fill", "4000x3000 fill"],
    ["w=4096&h=4096&fit=contain", "4096x4096 contain"],
  ])("%s of 4000 × 3000 is %s", (query, expected) => {
    const { width, height, fit } = resize(query);
    expect(`${width}x${height} ${fit}`).toBe(expected);
  });

  test("is limited to the longest side of its format", () => {
    const strip = { ...PHOTO, width: 100, height: 80_000 };
    expect(resize("format=webp", strip)).toMatchObject({ width: 20, height: 16_383 });
    expect(resize("format=avif", strip)).toMatchObject({ width: 20, height: 16_384 });
    expect(resize("w=100&q=1", strip)).toMatchObject({ width: 82, height: 65_535 });
    expect(resize("format=png", strip)).toMatchObject({ width: 100, height: 80_000 });
  });

  test.each([
    ["image/jpeg", "jpeg"],
    ["image/png", "png"],
    ["image/webp", "webp"],
    ["image/gif", "png"],
    ["image/avif", "avif"],
    ["image/tiff", "jpeg"],
  ] as const)("of %s is %s by default", (contentType, format) => {
    expect(resize("w=10", { ...PHOTO, contentType }).format).toBe(format);
  });

  test.each([
    [PHOTO, "avif webp jpeg png", "avif"],
    [PHOTO, "webp avif jpeg png", "webp"],
    [PHOTO, "jpeg webp", "jpeg"],
    [PHOTO, "png", "jpeg"],
    [PHOTO, "", "jpeg"],
    [LOGO, "jpeg png", "png"],
    [LOGO, "webp", "webp"],
    [CLIP, "avif webp jpeg png", "webp"],
    [CLIP, "avif jpeg png", "png"],
  ])("of %p for Accept %s is %s", (original, formats, format) => {
    const list = formats.split(" ").filter((one) => one !== "") as VariantFormat[];
    expect(resize("w=10&format=auto", original, list).format).toBe(format as VariantFormat);
  });

  test("is animated when the original and the format are", () => {
    expect(resize("w=100", CLIP)).toMatchObject({ format: "webp", animated: true });
    expect(resize("w=100", { ...CLIP, contentType: "image/webp" })).toMatchObject({ format: "webp", animated: true });
    expect(resize("w=100&format=avif", CLIP)).toMatchObject({ format: "avif", animated: false });
    expect(resize("w=100&frame=0", CLIP)).toMatchObject({ format: "png", animated: false });
    expect(resize("w=100", { ...CLIP, frames: 1 })).toMatchObject({ format: "png", animated: false });
    expect(resize("w=100", { ...CLIP, contentType: "image/tiff" })).toMatchObject({ animated: false });
    // 20 frames of 4096 × 4096 are more than anyone should wait for.
    expect(resize("w=4096&h=4096&fit=contain", CLIP)).toMatchObject({ format: "png", animated: false });
  });

  test("has a background only where something transparent or empty is filled", () => {
    expect(resize("w=100&format=jpeg", LOGO).background).toBe("ffffff");
    expect(resize("w=100&format=jpeg&background=f00", LOGO).background).toBe("ff0000");
    expect(resize("w=100&format=jpeg&background=f00", PHOTO).background).toBeNull();
    expect(resize("w=100&h=100&fit=contain", LOGO).background).toBeNull();
    expect(resize("w=100&h=100&fit=contain", PHOTO).background).toBe("ffffff");
    expect(resize("w=100&h=100&fit=contain&background=012345", LOGO).background).toBe("012345");
    expect(resize("w=100&h=50&fit=contain&background=012345", LOGO).background).toBeNull();
  });

  test("is cropped at the focal point of the record by default", () => {
    const focused = { ...PHOTO, focalPoint: { x: 0.6, y: 0.1 } };
    expect(resize("w=300&h=300", focused).crop).toEqual({ x: 0.6, y: 0.5 });
    expect(resize("w=300&h=300&crop=centre", focused).crop).toBe("centre");
    expect(resize("w=300&h=300&crop=0.4,0.9", focused).crop).toEqual({ x: 0.4, y: 0.5 });
    expect(resize("w=300&h=300&crop=attention", focused).crop).toBe("attention");
    expect(resize("w=300&h=300", PHOTO).crop).toBe("centre");
    expect(resize("w=4096&h=4096&crop=0,0").crop).toEqual({ x: 0.375, y: 0.5 });
    // The cut can go no further than to the edge.
    expect(resize("w=300&h=300&crop=0,0").crop).toEqual(resize("w=300&h=300&crop=0.2,1").crop);
  });

  test("with strip=location has every format", () => {
    for (const original of [PHOTO, CLIP])
      expect(planRender(specOf("strip=location"), original, [])).toEqual({ kind: "without-location" });
  });
});
