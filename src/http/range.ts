import type { ByteRange } from "../ports.ts";

const ONE_RANGE = /^bytes=[ \t]*(\d*)-(\d*)[ \t]*$/i;

/**
 * What a Range field asks of `size` bytes (RFC 9110, 14.2). Another unit, a malformed field and more than one range are
 * answered with the whole, as a server may.
 */
export function parseRange(field: string | null, size: number): ByteRange | "whole" | "unsatisfiable" {
  const match = field === null ? null : ONE_RANGE.exec(field);
  if (match === null) return "whole";
  const [, first, last] = match as unknown as [string, string, string];
  if (first === "") {
    if (last === "") return "whole";
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return "whole";
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size : Math.min(Number(last) + 1, size) };
}

/** The Content-Range of a 206. */
export const formatContentRange = (range: ByteRange, size: number): string =>
  `bytes ${range.start}-${range.end - 1}/${size}`;
