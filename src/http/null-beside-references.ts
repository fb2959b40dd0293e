type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The document with `anyOf: [reference, null]` where a component may be null. The library writes `allOf` with the type
 * `[…, "null"]`, which null does not fit, since it does not fit the component.
 */
export const nullBesideReferences = <Document extends object>(document: Document): Document =>
  rewrite(document as unknown as Json) as unknown as Document;

function rewrite(value: Json): Json {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(rewrite);
  const { allOf, ...rest } = value as { readonly [key: string]: Json };
  const [reference, bounds] = (allOf ?? []) as readonly { readonly [key: string]: Json }[];
  const { type, ...metadata } = bounds ?? {};
  if (reference?.["$ref"] !== undefined && Array.isArray(type) && type.includes("null")) {
    return { ...rest, ...metadata, anyOf: [reference, { type: "null" }] };
  }
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, rewrite(part)]));
}
