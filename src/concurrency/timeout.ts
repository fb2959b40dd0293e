import { MONOTONIC } from "./clock.ts";

/**
 * The outcome of `work`, or what `onTimeout` returns or throws once `milliseconds` have passed: by default an Error that
 * names the limit. A late outcome is ignored, a rejection included.
 */
export function within<Value, Late = never>(
  milliseconds: number,
  work: Promise<Value>,
  onTimeout: () => Late = () => failLate(milliseconds),
  clock = MONOTONIC,
): Promise<Value | Late> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(milliseconds, () => {
      try {
        resolve(onTimeout());
      } catch (error) {
        reject(error);
      }
    });
    const fail = (error: unknown) => {
      cancel();
      reject(error);
    };
    work.then((value) => {
      cancel();
      resolve(value);
    }, fail);
  });
}

function failLate(milliseconds: number): never {
  throw new Error(`No answer within ${milliseconds} ms.`);
}

/** Resolves when the signal aborts, at once where it already has. */
export const whenAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

/** The promise's outcome, or a rejection with the signal's reason where that aborts first. */
export function unlessAborted<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason as Error);
  signal.addEventListener("abort", onAbort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", onAbort));
}

/** A signal that aborts after `milliseconds`, or with `signal`. Dispose of it, since neither timer nor listener ends by itself. */
export function deadline(milliseconds: number, signal?: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  const timer = setTimeout(() => controller.abort(new Error(`No answer within ${milliseconds} ms.`)), milliseconds);
  if (signal?.aborted === true) abort();
  else signal?.addEventListener("abort", abort, { once: true });
  return {
    signal: controller.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    },
  };
}
