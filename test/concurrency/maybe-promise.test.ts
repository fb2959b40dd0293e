import { describe, expect, test } from "bun:test";
import { whenKnown } from "../../src/concurrency/maybe-promise.ts";

const next = (value: string) => `${value}, then this`;

describe("whenKnown", () => {
  test("returns the result at once for a value that is there", () => {
    expect(whenKnown("that", next)).toBe("that, then this");
  });

  test("returns the result at once for a promise that is fulfilled", () => {
    expect(whenKnown(Promise.resolve("that"), next)).toBe("that, then this");
  });

  test("returns a promise of the result for a promise that is pending", async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const result = whenKnown(promise, next);
    expect(result).toBeInstanceOf(Promise);
    resolve("that");
    expect(await result).toBe("that, then this");
  });

  test("returns a promise with the reason of a promise that is rejected, and does not call the function", async () => {
    const calls: unknown[] = [];
    const result = whenKnown(Promise.reject(new Error("no value")), (value) => calls.push(value));
    expect(result).toBeInstanceOf(Promise);
    expect(await Promise.resolve(result).catch(String)).toBe("Error: no value");
    expect(calls).toEqual([]);
  });

  test("throws what the function throws for a value that is there", () => {
    expect(() => whenKnown(Promise.resolve("{"), JSON.parse)).toThrow("JSON");
  });
});
