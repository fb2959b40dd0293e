import { expect } from "bun:test";
import { type ErrorCode, StoreError } from "../src/domain/errors.ts";

export async function expectCode(promise: Promise<unknown>, code: ErrorCode): Promise<StoreError> {
  const error = await promise.then(
    (value) => new Error(`It resolved, with ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof StoreError)) throw error;
  expect(error.code).toBe(code);
  return error;
}
