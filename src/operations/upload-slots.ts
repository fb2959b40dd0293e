import { createNotifier } from "../concurrency/notifier.ts";
import { StoreError } from "../domain/errors.ts";

/** Bounds the uploads that run at once: each holds memory, a descriptor and a place in the queue of the disk. */
export interface UploadSlots {
  /**
   * A slot, until it is disposed of.
   * @throws StoreError `busy` when all are taken
   */
  take(): Disposable;
  /** Resolves when no upload runs, after so many milliseconds, or when the signal aborts. */
  readonly whenIdle: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** `gauge` counts the uploads that run. */
export function createUploadSlots(limit: number, gauge?: { inc(): void; dec(): void }): UploadSlots {
  const idle = createNotifier();
  let inFlight = 0;
  return {
    take() {
      if (inFlight >= limit) throw new StoreError("busy", "Too many uploads are running. Try again soon.");
      inFlight++;
      gauge?.inc();
      return {
        [Symbol.dispose]() {
          if (--inFlight === 0) idle.notify();
          gauge?.dec();
        },
      };
    },
    whenIdle: (milliseconds, signal) =>
      inFlight === 0 ? Promise.resolve() : idle.wait(idle.count, milliseconds, signal),
  };
}
