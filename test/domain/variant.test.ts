import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { DEFAULT_PRESETS, parsePresets } from "../../src/config/presets.ts";
import { StoreError } from "../../src/domain/errors.ts";
import { CONTENT_TYPES, OUTPUTS, VARIANT_FORMATS, type VariantFormat } from "../../src/domain/formats.ts";
import type { FocalPoint } from "../../src/domain/image.ts";
import { planKey, planRender, type SourceInfo } from "../../src/domain/render-plan.ts";
import {
  FITS,
  type RenderPlan,
  type ResizedPlan,
  type ResizedSpec,
  type VariantSpec,
} from "../../src/domain/variant.ts";
import { LADDER } from "../../src/domain/variant-presets.ts";
import {
  explicitSpec,
  formatSpec,
  parseVariantQuery,
  VARIANT_PARAMETERS,
  type VariantParameters,
} from "../../src/domain/variant-query.ts";

const presets = parsePresets(DEFAULT_PRESETS);
const parse = (query: string) => parseVariantQuery(Object.fromEntries(new URLSearchParams(query)), presets);
const specOf = (query: string): VariantSpec => {
  const { spec } = parse(query);
  if (spec === undefined) throw new Error(`"${query}" asks for the original.`);
  return spec;
};
const canonicalOf = (query: string): string => formatSpec(parse(query).spec);

const PHOTO: SourceInfo = { contentType: "image/jpeg", width: 4000, height: 3000, frames: 1, hasAlpha: false };
const LOGO: SourceInfo = { contentType: "image/png", width: 1000, height: 500, frames: 1, hasAlpha: true };
const CLIP: SourceInfo = { contentType: "image/gif", width: 400, height: 300, frames: 20, hasAlpha: true };

function resize(query: string, original = PHOTO, accepted: readonly VariantFormat[] = []): ResizedPlan {
  const plan = planRender(specOf(query), original, accepted);
  if (plan.kind !== "resized") throw new Error(`"${query}" resizes nothing.`);
  return plan;
}
const keyOf = (query: string, original = PHOTO, accepted: readonly VariantFormat[] = []): string =>
  planKey("5a", planRender(specOf(query), original, accepted), "1");

const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: undefined });
const decimals = fc.integer({ min: 0, max: 10_000 }).map((number) => String(number / 10_000));
const hundredths = (minimum: number, maximum: number) =>
  fc.integer({ min: minimum * 100, max: maximum * 100 }).map((number) => String(number / 100));
const sideText = fc.oneof(fc.constantFrom(...LADDER), fc.integer({ min: 1, max: 4096 })).map(String);

/** What a client may ask for with sizes. */
const parameters: fc.Arbitrary<VariantParameters> = fc
  .record({
    w: optional(sideText),
    h: optional(sideText),
    dpr: optional(hundredths(1, 3)),
    fit: optional(fc.constantFrom(...FITS)),
    crop: optional(
      fc.oneof(
        fc.constantFrom("centre", "attention", "entropy", "0.5,0.5", "0.50,0.5000"),
        fc.tuple(decimals, decimals).map(([x, y]) => `${x},${y}`),
      ),
    ),
    background: optional(fc.oneof(fc.constantFrom("fff", "ffffff", "FC0"), fc.stringMatching(/^[\da-fA-F]{6}$/))),
    format: optional(fc.constantFrom(...VARIANT_FORMATS, "auto")),
    q: optional(fc.oneof(fc.constantFrom("50", "80", "100"), fc.integer({ min: 1, max: 100 }).map(String))),
    blur: optional(fc.oneof(fc.constant("0"), hundredths(0.3, 50))),
    frame: optional(fc.constant("0")),
  })
  .filter(({ w, h, dpr = "1" }) => Math.max(Number(w ?? 0), Number(h ?? 0)) * Number(dpr) <= 4096);

const specs = parameters
  .map((given) => parseVariantQuery(given, presets).spec)
  .filter((parsed): parsed is ResizedSpec => parsed?.kind === "resized");

const coordinate = fc.double({ min: 0, max: 1, noNaN: true });
const focalPoint: fc.Arbitrary<FocalPoint | null> = fc.option(fc.record({ x: coordinate, y: coordinate }));
const originals: fc.Arbitrary<SourceInfo> = fc.record({
  contentType: fc.constantFrom(...Object.values(CONTENT_TYPES)),
  width: fc.integer({ min: 1, max: 12_000 }),
  height: fc.integer({ min: 1, max: 12_000 }),
  frames: fc.constantFrom(1, 1, 2, 30),
  hasAlpha: fc.boolean(),
  focalPoint,
});
const accepted = fc.shuffledSubarray([...VARIANT_FORMATS]);

const resizedOf = (plan: RenderPlan): ResizedPlan => {
  if (plan.kind !== "resized") throw new Error("It is not resized.");
  return plan;
};

describe("a variant spec", () => {
  test("has one canonical query, which parses to the same spec", () => {
    fc.assert(
      fc.property(parameters, (given) => {
        const { spec: parsed } = parseVariantQuery(given, presets);
        const text = formatSpec(parsed);
        expect(parse(text).spec).toEqual(parsed);
        expect(canonicalOf(text)).toBe(text);
      }),
    );
  });

  test("is the same for every spelling", () => {
    fc.assert(
      fc.property(parameters, fc.infiniteStream(fc.boolean()), (given, choices) => {
        const respelled = respell(given, () => choices.next().value ?? false);
        expect(parseVariantQuery(respelled, presets).spec).toEqual(parseVariantQuery(given, presets).spec);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["w=400&dpr=2", "w=800"],
    ["w=0400", "w=400"],
    ["w=333&dpr=1.5", "w=500"],
    ["w=400&fit=contain", "w=400"],
    ["h=300&fit=fill&crop=attention", "h=300"],
    ["w=400&h=300&fit=cover", "w=400&h=300"],
    ["w=400&h=300&crop=0.5,0.50", "w=400&h=300&crop=centre"],
    ["w=400&h=300&fit=inside&crop=entropy", "w=400&h=300&fit=inside"],
    ["w=400&background=f00", "w=400"],
    ["w=400&background=F00&format=jpeg", "w=400&background=ff0000&format=jpeg"],
    ["w=400&background=fff&format=jpeg", "w=400&format=jpeg"],
    ["w=400&h=300&fit=contain&background=fff", "w=400&h=300&fit=contain&background=ffffff"],
    ["w=400&q=80&format=webp", "w=400&format=webp"],
    ["w=400&q=80&format=avif", "w=400&format=avif&q=80"],
    ["w=400&q=80", "w=400&q=80"],
    ["w=400&q=12&format=png", "w=400&format=png"],
    ["w=400&frame=0&format=avif", "w=400&format=avif"],
    ["w=400&frame=0", "w=400&frame=0"],
    ["blur=2.50", "blur=2.5"],
    ["preset=thumb", "w=240&h=240"],
    ["preset=small&format=webp", "w=480&format=webp"],
    ["strip=location", "strip=location"],
    ["dpr=2&fit=contain&crop=centre&background=000&blur=0", ""],
    ["v=1", ""],
    ["", ""],
  ])("%s is %s", (query, canonical) => {
    expect(canonicalOf(query)).toBe(canonical);
  });
});

/** The same wish, in other words. */
function respell(given: VariantParameters, chance: () => boolean): VariantParameters {
  const dpr = Number(given.dpr ?? 1);
  const times = (side: string | undefined) => side && String(Math.round(Number(side) * dpr)).padStart(4, "0");
  const both = given.w !== undefined && given.h !== undefined;
  const format = given.format as VariantFormat | "auto" | undefined;
  const other: Record<string, string | undefined> = { ...given };
  if (chance()) Object.assign(other, { w: times(given.w), h: times(given.h), dpr: undefined });
  if (chance() && given.background !== undefined) other.background = given.background.toUpperCase();
  if (chance() && given.background?.length === 3) other.background = given.background.replaceAll(/./g, "$&$&");
  if (chance() && given.blur === undefined) other.blur = "0";
  if (chance() && (given.fit === undefined || !both)) other.fit = both ? "cover" : "inside";
  if (chance() && (!both || (given.fit ?? "cover") !== "cover")) other.crop = "attention";
  if (chance() && format !== undefined && format !== "auto" && given.q === undefined)
    other.q = String(OUTPUTS[format].quality);
  if (chance() && format === "png") other.q = "7";
  if (chance() && format !== undefined && format !== "auto" && format !== "webp") other.frame = "0";
  if (chance() && format === "jpeg" && given.background === undefined) other.background = "FFF";
  return other;
}

describe("rights on variants", () => {
  test.each([
    ...LADDER.map((width) => `w=${width}`),
    "w=640&format=auto",
    "w=320&dpr=2&format=avif",
    "w=640&q=80&format=jpeg&fit=cover",
    "preset=thumb",
    "preset=large&format=auto",
    "strip=location",
    "blur=0",
  ])("anyone may request %s", (query) => {
    expect(parse(query).free).toBe(true);
  });

  test.each([
    "w=641",
    "w=320&dpr=1.1",
    "h=640",
    "w=640&h=480",
    "w=640&q=81&format=jpeg",
    "w=640&blur=1",
    "w=640&frame=0",
    "w=640&background=000&format=jpeg",
    "format=webp",
    "w=240&h=240",
  ])("a key is needed for %s", (query) => {
    expect(parse(query).free).toBe(false);
  });

  test.each([
    ["w=400&h=300&crop=centre", true],
    ["w=400&h=300&fit=inside", true],
    ["w=400", true],
    ["strip=location", true],
    ["w=400&h=300", false],
    ["w=400&format=auto", false],
    ["preset=small", false],
  ])("%s is canonical: %p", (query, explicit) => {
    expect(parse(query).explicit).toBe(explicit);
  });
});

describe("invalid variant queries", () => {
  test.each([
    ["w=0", "w"],
    ["w=4097", "w"],
    ["w=99999", "w"],
    ["w=-1", "w"],
    ["w=1.5", "w"],
    ["w=", "w"],
    ["w=0x10", "w"],
    ["h=abc", "h"],
    ["w=100&dpr=0.5", "dpr"],
    ["w=100&dpr=3.5", "dpr"],
    ["w=100&dpr=1.123", "dpr"],
    ["w=2000&dpr=3", "dpr"],
    ["w=1&h=3000&dpr=2", "dpr"],
    ["fit=outside", "fit"],
    ["crop=north", "crop"],
    ["crop=record", "crop"],
    ["crop=0.5", "crop"],
    ["crop=0.5,1.1", "crop"],
    ["crop=0.5,0.5,0.5", "crop"],
    ["crop=.5,.5", "crop"],
    ["background=red", "background"],
    ["background=ff00", "background"],
    ["background=%23ffffff", "background"],
    ["format=gif", "format"],
    ["format=JPEG", "format"],
    ["q=0", "q"],
    ["q=101", "q"],
    ["q=abc", "q"],
    ["blur=0.2", "blur"],
    ["blur=51", "blur"],
    ["blur=1e1", "blur"],
    ["frame=1", "frame"],
    ["preset=huge", "preset"],
    ["preset=", "preset"],
    ["preset=thumb&w=100", "w"],
    ["preset=thumb&dpr=2", "dpr"],
    ["preset=thumb&q=50", "q"],
    ["preset=thumb&strip=location", "preset"],
    ["strip=all", "strip"],
    ["strip=location&format=webp", "format"],
  ])("%s is refused for %s", (query, parameter) => {
    const refused = () => parse(query);
    expect(refused).toThrow(StoreError);
    expect(refused).toThrow(
      expect.objectContaining({ code: "invalid_variant", errors: [{ parameter, detail: expect.any(String) }] }),
    );
  });

  test("are the only error that any text causes", () => {
    const text = fc.oneof(fc.string(), fc.constantFrom("1", "0", "0.5", "0.5,0.5", "thumb", "cover", "jpeg", "fff"));
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...VARIANT_PARAMETERS), text), (given) => {
        try {
          parseVariantQuery(given, presets);
        } catch (error) {
          expect(error).toMatchObject({ name: "StoreError", code: "invalid_variant" });
        }
      }),
    );
  });
});

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

describe("the explicit form of a variant", () => {
  test("is the same picture without defaults of record or client", () => {
    const stepped = fc.integer({ min: 0, max: 10_000 }).map((number) => number / 10_000);
    const focus = fc.option(fc.record({ x: stepped, y: stepped }));
    fc.assert(
      fc.property(specs, originals, focus, accepted, (spec, original, point, formats) => {
        const plan = planRender(spec, { ...original, focalPoint: point }, formats);
        const { spec: parsed, explicit } = parse(formatSpec(explicitSpec(spec, plan, point)));
        if (parsed === undefined) throw new Error("It asks for the original.");
        expect(explicit).toBe(true);
        expect(planRender(parsed, { ...original, focalPoint: null }, [])).toEqual(plan);
      }),
    );
  });
});

describe("a variant key", () => {
  test("is the same exactly for equal pictures", () => {
    const plan = fc.tuple(specs, originals, accepted).map((all) => planRender(...all));
    fc.assert(
      fc.property(plan, plan, (one, other) => {
        const isSame = Bun.deepEquals(one, other);
        expect(planKey("5a", one, "1") === planKey("5a", other, "1")).toBe(isSame);
        expect(planKey("5a", one, "1")).toBe(planKey("5a", structuredClone(one), "1"));
        expect(planKey("5a", one, "1")).not.toBe(planKey("5b", one, "1"));
        expect(planKey("5a", one, "1")).not.toBe(planKey("5a", one, "2"));
      }),
    );
  });

  test("differs for every change to the picture", () => {
    const queries = [
      "w=400&h=400",
      "w=401&h=400",
      "w=400&h=401",
      "w=400",
      ...["contain", "fill"].map((fit) => `w=400&h=400&fit=${fit}`),
      "w=400&h=400&fit=contain&background=000",
      ...["attention", "entropy", "0.6,0.5", "0.6001,0.5"].map((crop) => `w=400&h=400&crop=${crop}`),
      ...["jpeg", "avif"].map((format) => `w=400&h=400&format=${format}`),
      "w=400&h=400&format=jpeg&background=000",
      "w=400&h=400&q=79",
      "w=400&h=400&blur=0.3",
      "w=400&h=400&blur=3",
      "w=400&h=400&frame=0",
      "format=jpeg",
    ];
    const moving = { ...CLIP, width: 1000, height: 600 };
    const keys = [...queries.map((query) => keyOf(query, moving)), keyOf("strip=location")];
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("is equal for different spellings", () => {
    const webp = keyOf("w=400&format=webp");
    expect(keyOf("w=400&format=auto", PHOTO, ["webp", "jpeg"])).toBe(webp);
    expect(keyOf("w=200&dpr=2&format=webp&q=80&fit=fill")).toBe(webp);
    expect(keyOf("w=400&h=300&format=webp")).toBe(webp);
    expect(keyOf("h=300&format=webp&frame=0")).toBe(webp);
    expect(keyOf("w=400&h=3000&fit=inside&format=webp&background=123456")).toBe(webp);
    expect(keyOf("w=4001")).toBe(keyOf("w=4002"));
  });
});
