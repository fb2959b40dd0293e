import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { StoreError } from "../../../src/domain/errors.ts";
import { OUTPUTS, type VariantFormat } from "../../../src/domain/formats.ts";
import { LADDER } from "../../../src/domain/variant-presets.ts";
import {
  formatSpec,
  parseVariantQuery,
  VARIANT_PARAMETERS,
  type VariantParameters,
} from "../../../src/domain/variant-query.ts";
import { canonicalOf, parameters, parse, presets } from "./random-variants.ts";

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
