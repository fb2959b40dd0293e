import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { planKey, planRender } from "../../../src/domain/render-plan.ts";
import { explicitSpec, formatSpec } from "../../../src/domain/variant-query.ts";
import { accepted, CLIP, keyOf, originals, PHOTO, parse, specs } from "./random-variants.ts";

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
