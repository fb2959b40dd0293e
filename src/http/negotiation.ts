import { parseAccept } from "hono/utils/accept";
import { StoreError } from "../domain/errors.ts";

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
