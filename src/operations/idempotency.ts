import type { Idempotency } from "../domain/change.ts";
import { StoreError } from "../domain/errors.ts";

/**
 * The idempotency keys that this process is working on. The catalog answers for those that are done and keeps nodes
 * apart; this keeps a second request from doing the same long work beside the first.
 */
export interface RunningKeys {
  /** @throws StoreError `request_in_progress`, and what `work` throws */
  run<Result>(idempotency: Idempotency | undefined, work: () => Promise<Result>): Promise<Result>;
}

export function createRunningKeys(): RunningKeys {
  const running = new Set<string>();
  return {
    async run(idempotency, work) {
      if (idempotency === undefined) return work();
      const id = JSON.stringify([idempotency.scope, idempotency.key]);
      if (running.has(id)) {
        throw new StoreError("request_in_progress", "A request with this Idempotency-Key is still running.");
      }
      running.add(id);
      try {
        return await work();
      } finally {
        running.delete(id);
      }
    },
  };
}
