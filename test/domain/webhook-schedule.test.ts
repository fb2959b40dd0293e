import { expect, test } from "bun:test";
import { honouredDelay, parseRetryAfter } from "../../src/domain/webhook-schedule.ts";

const now = Date.UTC(2026, 0, 1, 12);

test.each([
  ["0", 0],
  ["120", 120_000],
  [" 5 ", 5000],
  ["Thu, 01 Jan 2026 12:00:30 GMT", 30_000],
  ["Thu, 01 Jan 2026 11:00:00 GMT", 0],
  ["-1", null],
  ["1.5", null],
  ["1e3", null],
  ["soon", null],
  ["9999999999", null],
  ["2026-01-01", null],
  ["", null],
  [null, null],
])("Retry-After %p is %p milliseconds", (text, milliseconds) => {
  expect(parseRetryAfter(text, now)).toBe(milliseconds);
});

test("a receiver is honoured for a second at least and ten hours at most", () => {
  expect([0, 5000, 1e12].map(honouredDelay)).toEqual([1000, 5000, 36_000_000]);
});
