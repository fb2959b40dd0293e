/** Parsers of plain values. Each throws an Error whose message completes the sentence "IMAGE_STORE_X …". */

const SIZE_UNITS = { "": 1, B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;
const DURATION_UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** Bytes: `100MiB`, `256 KiB`, `1.5GiB`, or plain bytes. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(B|KiB|MiB|GiB|TiB|)$/.exec(text);
  const bytes = match && Math.floor(Number(match[1]) * SIZE_UNITS[match[2] as keyof typeof SIZE_UNITS]);
  if (!Number.isSafeInteger(bytes)) throw new Error(`must be a size such as 100MiB, 256KiB or 1048576, not "${text}"`);
  return bytes as number;
}

/** Milliseconds: `500ms`, `30s`, `15m`, `1h`, `30d`. A number without a unit is refused: it would be ambiguous. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(ms|s|m|h|d)$/.exec(text);
  const milliseconds = match && Math.round(Number(match[1]) * DURATION_UNITS[match[2] as keyof typeof DURATION_UNITS]);
  if (!Number.isSafeInteger(milliseconds)) throw new Error(`must be a time such as 30s, 15m, 1h or 30d, not "${text}"`);
  return milliseconds as number;
}

/** `10%` is 0.1. */
export function parsePercent(text: string): number {
  const [, digits] = /^(\d{1,3}(?:\.\d+)?) ?%$/.exec(text) ?? [];
  if (digits === undefined || Number(digits) > 100) throw new Error(`must be from 0% to 100%, not "${text}"`);
  return Number(digits) / 100;
}

export const integer =
  (minimum: number, maximum: number) =>
  (text: string): number => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (!(value >= minimum && value <= maximum))
      throw new Error(`must be a whole number from ${minimum} to ${maximum}, not "${text}"`);
    return value;
  };

export function parseBoolean(text: string): boolean {
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw new Error(`must be true or false, not "${text}"`);
}

export const oneOf =
  <Choice extends string>(...choices: readonly Choice[]) =>
  (text: string): Choice => {
    const choice = choices.find((candidate) => candidate === text);
    if (choice === undefined) throw new Error(`must be one of ${choices.join(", ")}, not "${text}"`);
    return choice;
  };

/** Items separated by commas or line breaks, trimmed; empty items are dropped. */
export const splitList = (text: string): string[] =>
  text
    .split(/[,\n]/)
    .map((item) => item.trim())
    .filter((item) => item !== "");
