/** A value that is there already, or a promise of it. */
export type MaybePromise<Value> = Value | Promise<Value>;

/**
 * Calls `proceed` with the value: at once where it is there already, also in a promise that is fulfilled. So a request whose
 * answer is remembered creates no promise at all, each of which costs as much as looking the answer up. Unlike `then`, it
 * throws what `proceed` throws.
 */
export function whenKnown<Value, Result>(
  value: MaybePromise<Value>,
  proceed: (value: Value) => MaybePromise<Result>,
): MaybePromise<Result> {
  if (!(value instanceof Promise)) return proceed(value);
  return Bun.peek.status(value) === "fulfilled" ? proceed(Bun.peek(value) as Value) : value.then(proceed);
}
