import { describe, expect, test } from "bun:test";
import { createColdDetector } from "../../../../src/adapters/catalog/sqlite/cold-detector.ts";

/** Takes longer than a read of memory does, as far as the detector knows. */
const slow = <Value>(value: Value): Value => {
  for (const end = performance.now() + 0.2; performance.now() < end; );
  return value;
};

/** A disk that is read by each statement of {@link read}. */
function disk() {
  let reads = 0;
  const read = () => slow(++reads);
  return { count: () => reads, read };
}

describe("a catalog counts as cold", () => {
  test("once a statement after a slow one reads the disk", () => {
    const { count, read } = disk();
    const detector = createColdDetector(count);
    let statements = 0;
    for (; statements < 100 && !detector.isCold(); statements++) expect(detector.watch(read)).toBe(statements + 1);
    // One of eight is timed.
    expect(statements).toBe(9);
  });

  test("not for statements that are slow in memory", () => {
    const detector = createColdDetector(() => 5);
    for (let n = 0; n < 100; n++) expect(detector.watch(() => slow(n))).toBe(n);
    expect(detector.isCold()).toBe(false);
  });

  test("until 1,000 statements in a row have found all in memory", () => {
    const detector = createColdDetector(() => 0);
    const inMemory = (times: number) => {
      for (let n = 0; n < times; n++) detector.note(false);
    };
    detector.note(true);
    inMemory(999);
    expect(detector.isCold()).toBe(true);
    detector.note(true);
    inMemory(999);
    expect(detector.isCold()).toBe(true);
    inMemory(1);
    expect(detector.isCold()).toBe(false);
    inMemory(1);
    expect(detector.isCold()).toBe(false);
  });

  test("never where the system does not count reads of the disk", () => {
    const detector = createColdDetector(null);
    for (let n = 0; n < 100; n++) detector.watch(() => slow(n));
    expect(detector.isCold()).toBe(false);
  });
});
