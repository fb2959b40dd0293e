/** How error messages list what is allowed and show what was given. */

/** More of a refused value tells a reader nothing. */
const MAX_QUOTED = 60;

/** `0`, `a or b`, `one of a, b, c`. */
export function listChoices(values: readonly unknown[]): string {
  return values.length > 2 ? `one of ${values.join(", ")}` : values.join(" or ");
}

/** Quoted and escaped, so that it can't pose as part of the message. */
export const quote = (text: string): string =>
  JSON.stringify(text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED)}…` : text);
