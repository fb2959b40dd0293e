import { expect, test } from "bun:test";
import { StoreError } from "../../src/domain/errors.ts";
import { createRunningKeys } from "../../src/operations/idempotency.ts";

const key = { scope: "one", key: "k", fingerprint: "f" };
const codeOf = (error: unknown): string => (error instanceof StoreError ? error.code : String(error));

test("a key that is being worked on is refused, whatever it is for, until that ends", async () => {
  const keys = createRunningKeys();
  const { promise: release, resolve: finish } = Promise.withResolvers<string>();
  const first = keys.run(key, () => release);
  for (const same of [key, { ...key, fingerprint: "another" }]) {
    const second = keys.run(same, () => expect.unreachable());
    expect(await second.catch(codeOf)).toBe("request_in_progress");
  }
  expect(await keys.run({ ...key, scope: "two" }, async () => "other scope")).toBe("other scope");
  expect(await keys.run({ ...key, key: "l" }, async () => "other key")).toBe("other key");
  expect(await keys.run(undefined, async () => "no key")).toBe("no key");
  finish("done");
  expect(await first).toBe("done");
  expect(await keys.run(key, async () => "again")).toBe("again");
});

test("a failure frees the key", async () => {
  const keys = createRunningKeys();
  const failing = keys.run(key, () => Promise.reject(new StoreError("busy", "")));
  expect(await failing.catch(codeOf)).toBe("busy");
  expect(await keys.run(key, async () => "again")).toBe("again");
});
