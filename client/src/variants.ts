import type { Image, Variant } from "./records.ts";

/** The widths that every caller may ask for, unless the store is configured otherwise. */
export const WIDTHS: readonly number[] = [160, 240, 320, 480, 640, 960, 1280, 1920, 2560, 3840];

/** What an URL needs of a record. */
export type Pictured = Pick<Image, "links">;

/**
 * The path of a variant of the image as it is now; of the original without a variant. It changes with the bytes, so it may be
 * cached for ever.
 * @param base where the store is; empty in a page of the store itself
 */
export function variantUrl(image: Pictured, variant: Variant = {}, base = ""): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(variant)) if (value !== undefined) query.set(name, String(value));
  query.sort();
  const text = query.toString();
  return base + image.links.content + (text === "" ? "" : `?${text}`);
}

/**
 * For `<img srcset>`: the widths up to the original's, each with its `w`. Give `sizes` with it.
 */
export function srcset(
  image: Pictured & Pick<Image, "width">,
  variant: Omit<Variant, "w" | "h" | "dpr"> = {},
  { base = "", widths = WIDTHS }: { readonly base?: string; readonly widths?: readonly number[] } = {},
): string {
  const smaller = widths.filter((width) => width < image.width);
  const fitting = widths.find((width) => width >= image.width);
  const used = fitting === undefined ? smaller : [...smaller, fitting];
  return used.map((w) => `${variantUrl(image, { ...variant, w }, base)} ${Math.min(w, image.width)}w`).join(", ");
}
