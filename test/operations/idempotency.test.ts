import { expect, test } from "bun:test";
import { StoreError } from "../../src/domain/errors.ts";
import { createRunningKeys } from "../../src/operations/idempotency.ts";

const key = { scope: "one", key: "k", fingerprint: "f" };
const codeOf = (error: unknown): string => (error instanceof StoreError ? error.code : String(error));

test("a key is taken, whatever its fingerprint, until it is disposed of", () => {
  const keys = createRunningKeys();
  {
    using first = keys.take(key);
    for (const same of [key, { ...key, fingerprint: "another" }])
      expect(codeOf(rejectionOf(() => keys.take(same)))).toBe("request_in_progress");
    for (const other of [{ ...key, scope: "two" }, { ...key, key: "l" }, undefined])
      expect(() => keys.take(other)?.[Symbol.dispose]()).not.toThrow();
  }
  expect(() => keys.take(key)).not.toThrow();
});

test("a failure frees the idempotency key", () => {
  const keys = createRunningKeys();
  const fail = () => {
    using taken = keys.take(key);
    throw new StoreError("busy", "");
  };
  expect(codeOf(rejectionOf(fail))).toBe("busy");
  expect(codeOf(rejectionOf(fail))).toBe("busy");
});

function rejectionOf(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  return undefined;
}
