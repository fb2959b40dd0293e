import { parseAccept } from "hono/utils/accept";
import { createMemo } from "../concurrency/memo.ts";
import { StoreError } from "../domain/errors.ts";
import { CONTENT_TYPES, OUTPUTS, VARIANT_FORMATS, type VariantFormat } from "../domain/formats.ts";

const ANYTHING = parseAccept("*/*");
const ERRORS = "application/problem+json";

/**
 * The media type that the client likes best (RFC 9110, 12.5.1); the first one offered where it has no preference. That it
 * takes error answers says nothing: generated clients name those alone where no other answer is JSON.
 * @throws StoreError `not_acceptable`
 */
export function negotiate<Type extends string>(accept: string | null, offered: readonly Type[]): Type {
  const named = parseAccept(accept?.trim() || "*/*").filter(({ type }) => type.toLowerCase() !== ERRORS);
  const ranges = named.length === 0 ? ANYTHING : named;
  let best: { type: Type; quality: number } | undefined;
  for (const type of offered) {
    const patterns: readonly string[] = [type, `${type.slice(0, type.indexOf("/"))}/*`, "*/*"];
    // The most specific range that matches has the say, not the one with the highest weight.
    const range = patterns.map((pattern) => ranges.find((one) => one.type.toLowerCase() === pattern)).find(Boolean);
    const quality = range?.q ?? 0;
    if (quality > (best?.quality ?? 0)) best = { type, quality };
  }
  if (best === undefined)
    throw new StoreError("not_acceptable", `The response is available as ${offered.join(" or ")}.`);
  return best.type;
}

/** The first of the codings that the client takes; undefined: none, so the bytes go as they are (RFC 9110, 12.5.3). */
export function acceptedCoding<Coding extends string>(
  accept: string | null,
  offered: readonly Coding[],
): Coding | undefined {
  const named = parseAccept(accept?.trim() || "identity");
  return offered.find((coding) => {
    const range = [coding, "*"].map((name) => named.find(({ type }) => type.toLowerCase() === name)).find(Boolean);
    return (range?.q ?? 0) > 0;
  });
}

/** The smallest first, for a client that likes them alike. */
const BY_SIZE = VARIANT_FORMATS.toSorted((one, other) => OUTPUTS[one].sizeRank - OUTPUTS[other].sizeRank);

/** Each browser says the same with every picture. */
const recent = createMemo<readonly VariantFormat[]>(256);

/** The formats that the client takes, those that it likes best first. */
export const acceptedFormats = (accept: string | null): readonly VariantFormat[] =>
  recent.get(accept ?? "", () => rankFormats(accept));

function rankFormats(accept: string | null): readonly VariantFormat[] {
  const ranges = parseAccept(accept?.trim() || "*/*");
  const qualityOf = (format: VariantFormat): number => {
    const named = CONTENT_TYPES[format];
    const patterns = OUTPUTS[format].mustBeNamed ? [named] : [named, "image/*", "*/*"];
    const range = patterns.map((pattern) => ranges.find((one) => one.type.toLowerCase() === pattern)).find(Boolean);
    return range?.q ?? 0;
  };
  return BY_SIZE.map((format) => ({ format, quality: qualityOf(format) }))
    .filter(({ quality }) => quality > 0)
    .sort((one, other) => other.quality - one.quality)
    .map(({ format }) => format);
}
