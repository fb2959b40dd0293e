import { expect, test } from "bun:test";
import fc from "fast-check";
import { Histogram, Registry } from "prom-client";
import { createDurations, DURATION_BUCKETS } from "../../src/observe/durations.ts";

const observation = fc.record({
  operation: fc.constantFrom("getImage", "putImageContent"),
  status: fc.constantFrom(200, 404),
  seconds: fc.oneof(fc.constantFrom(0, ...DURATION_BUCKETS, 61), fc.double({ min: 0, max: 100, noNaN: true })),
});

const lines = async (registry: Registry) => (await registry.metrics()).split("\n").toSorted();

test("durations are scraped as a histogram of prom-client would be", () =>
  fc.assert(
    fc.asyncProperty(fc.array(observation), async (observations) => {
      const definition = { name: "d_seconds", help: "How long.", labelNames: ["operation", "status"] as const };
      const ours = new Registry();
      const durations = createDurations(ours, definition);
      const theirs = new Registry();
      const histogram = new Histogram({ ...definition, buckets: DURATION_BUCKETS, registers: [theirs] });
      for (const { operation, status, seconds } of observations) {
        durations.observe(operation, status, seconds);
        histogram.observe({ operation, status }, seconds);
      }
      expect(await lines(ours)).toEqual(await lines(theirs));
    }),
  ));
