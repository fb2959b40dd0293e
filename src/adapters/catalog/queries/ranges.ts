import type { PagePosition } from "../../../domain/page.ts";
import type { SqlValue } from "../driver.ts";

/**
 * Rows that one page may read. Rows that a filter leaves out cost time too, so a page ends with the window, even if it is short,
 * and returns the position at which the next page goes on.
 */
export const WINDOW = 2000;

/** Rows that may pass a filter that is read by its own index. Each page reads and sorts all of them. */
export const MAX_ENTRIES = 5000;

/** A range of the order's key: `low` is inclusive, `high` exclusive. */
export interface KeyRange {
  readonly low: SqlValue;
  readonly high: SqlValue;
  readonly includes: (key: PagePosition["key"]) => boolean;
}

export const prefixRange = (prefix: string): KeyRange => ({
  low: prefix,
  high: afterPrefix(prefix),
  includes: (key) => String(key).startsWith(prefix),
});

/** The smallest text greater than all texts with the prefix, in code point order; null if there is none. */
export function afterPrefix(prefix: string): string | null {
  const points = Array.from(prefix, (character) => character.codePointAt(0) as number);
  while (points.at(-1) === 0x10ffff) points.pop();
  const last = points.pop();
  if (last === undefined) return null;
  // U+E000 follows U+D7FF: surrogates are not characters.
  return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
}
