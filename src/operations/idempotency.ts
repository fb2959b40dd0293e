import type { Idempotency } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";

/**
 * The idempotency keys of the requests that this process is working on. The catalog knows the keys that have an answer, and
 * keeps nodes apart; this keeps a repeated request from doing the same long work beside the first.
 */
export interface RunningKeys {
  /**
   * Until it is disposed of, the key is taken.
   * @throws StoreError `request_in_progress` when it is taken already
   */
  take(idempotency: Pick<Idempotency, "scope" | "key"> | undefined): Disposable | undefined;
}

export function createRunningKeys(): RunningKeys {
  const running = new Set<string>();
  return {
    take(idempotency) {
      if (idempotency === undefined) return undefined;
      const id = JSON.stringify([idempotency.scope, idempotency.key]);
      if (running.has(id)) {
        throw new StoreError("request_in_progress", "A request with this Idempotency-Key is still running.");
      }
      running.add(id);
      return { [Symbol.dispose]: () => void running.delete(id) };
    },
  };
}
