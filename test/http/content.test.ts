import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseRange } from "../../src/http/range.ts";

describe("a Range field", () => {
  const SIZE = 100;
  test.each([
    ["bytes=0-0", { start: 0, end: 1 }],
    ["bytes=0-99", { start: 0, end: 100 }],
    ["bytes=10-1000000000000000000000000", { start: 10, end: 100 }],
    ["bytes=10-", { start: 10, end: 100 }],
    ["bytes=-1", { start: 99, end: 100 }],
    ["bytes=-1000", { start: 0, end: 100 }],
    ["BYTES= 1-2 ", { start: 1, end: 3 }],
    ["bytes=100-", "unsatisfiable"],
    ["bytes=100-200", "unsatisfiable"],
    ["bytes=-0", "unsatisfiable"],
    [null, "whole"],
    ["", "whole"],
    ["bytes=", "whole"],
    ["bytes=-", "whole"],
    ["bytes=2-1", "whole"],
    ["bytes=0-1,3-4", "whole"],
    ["bytes=a-b", "whole"],
    ["bytes=0x1-2", "whole"],
    ["bytes=1.5-2", "whole"],
    ["bytes=--1", "whole"],
    ["items=0-1", "whole"],
  ] as const)("%p of 100 bytes", (field, expected) => {
    expect(parseRange(field, SIZE)).toEqual(expected);
  });

  test("names a part of the whole, or the whole, whatever it says", () => {
    const number = fc.option(fc.oneof(fc.nat(), fc.bigInt({ min: 0n, max: 10n ** 30n })), { nil: "" });
    const anything = fc.oneof(
      fc.string(),
      fc.tuple(number, number).map(([first, last]) => `bytes=${first}-${last}`),
    );
    fc.assert(
      fc.property(anything, fc.integer({ min: 1, max: 2 ** 50 }), (field, size) => {
        const range = parseRange(field, size);
        if (typeof range === "string") return;
        expect(range.start).toBeGreaterThanOrEqual(0);
        expect(range.start).toBeLessThan(range.end);
        expect(range.end).toBeLessThanOrEqual(size);
      }),
    );
  });

  test("gives back the range that was written", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1 }), fc.nat(), (start, length, rest) => {
        const range = { start, end: start + length };
        expect(parseRange(`bytes=${start}-${range.end - 1}`, range.end + rest)).toEqual(range);
      }),
    );
  });
});
