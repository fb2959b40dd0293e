import { expect, test } from "bun:test";
import fc from "fast-check";
import { backoff } from "../../src/concurrency/retry.ts";

const options = fc.record({
  minBackoff: fc.integer({ min: 1, max: 1000 }),
  maxBackoff: fc.integer({ min: 1000, max: 100_000 }),
});

test("without jitter a delay doubles with each attempt, from minBackoff up to maxBackoff", () => {
  fc.assert(
    fc.property(options, fc.nat(40), ({ minBackoff, maxBackoff }, attempt) => {
      const delay = (at: number) => backoff({ minBackoff, maxBackoff, jitter: 0 }, at);
      expect(delay(0)).toBe(minBackoff);
      expect(delay(attempt + 1)).toBe(Math.min(maxBackoff, 2 * delay(attempt)));
    }),
  );
});

test("jitter shortens a delay by at most its share", () => {
  fc.assert(
    fc.property(options, fc.nat(2000), fc.double({ min: 0, max: 1, noNaN: true }), (bounds, attempt, jitter) => {
      const whole = backoff({ ...bounds, jitter: 0 }, attempt);
      const delay = backoff({ ...bounds, jitter }, attempt);
      expect(delay).toBeLessThanOrEqual(whole);
      expect(delay).toBeGreaterThanOrEqual(whole * (1 - jitter) - 1e-9);
    }),
  );
  const delays = Array.from({ length: 50 }, () => backoff({}, 3));
  expect(new Set(delays).size).toBeGreaterThan(1);
});
