import { parseAccept } from "hono/utils/accept";
import { StoreError } from "../domain/errors.ts";
import { CONTENT_TYPES } from "../domain/image.ts";
import { createMemo } from "../domain/memo.ts";
import type { VariantFormat } from "../domain/variant.ts";

/**
 * The media type that the client likes best (RFC 9110, 12.5.1); the first one offered where it has no preference.
 * @throws StoreError `not_acceptable`
 */
export function negotiate<Type extends string>(accept: string | null, offered: readonly Type[]): Type {
  const ranges = parseAccept(accept?.trim() || "*/*");
  let best: { type: Type; quality: number } | undefined;
  for (const type of offered) {
    const patterns: readonly string[] = [type, `${type.slice(0, type.indexOf("/"))}/*`, "*/*"];
    // The most specific range that matches has the say, not the one with the highest weight.
    const range = patterns.map((pattern) => ranges.find((one) => one.type.toLowerCase() === pattern)).find(Boolean);
    const quality = range?.q ?? 0;
    if (quality > (best?.quality ?? 0)) best = { type, quality };
  }
  if (best === undefined) throw new StoreError("not_acceptable", `The answer is ${offered.join(" or ")}.`);
  return best.type;
}

/** The smaller first, for a client that likes them alike. */
const BY_SIZE: readonly VariantFormat[] = ["avif", "webp", "jpeg", "png"];
/** Clients that can show neither send a wildcard all the same: these two count only where they are named. */
const TO_BE_NAMED: ReadonlySet<VariantFormat> = new Set(["avif", "webp"]);

/** Each browser says the same with every picture. */
const recent = createMemo<readonly VariantFormat[]>(256);

/** The formats that the client takes, those that it likes best first. */
export const acceptedFormats = (accept: string | null): readonly VariantFormat[] =>
  recent.get(accept ?? "", () => rankFormats(accept));

function rankFormats(accept: string | null): readonly VariantFormat[] {
  const ranges = parseAccept(accept?.trim() || "*/*");
  const qualityOf = (format: VariantFormat): number => {
    const named = CONTENT_TYPES[format];
    const patterns = TO_BE_NAMED.has(format) ? [named] : [named, "image/*", "*/*"];
    const range = patterns.map((pattern) => ranges.find((one) => one.type.toLowerCase() === pattern)).find(Boolean);
    return range?.q ?? 0;
  };
  return BY_SIZE.map((format) => ({ format, quality: qualityOf(format) }))
    .filter(({ quality }) => quality > 0)
    .sort((one, other) => other.quality - one.quality)
    .map(({ format }) => format);
}
