import { StoreError } from "../domain/errors.ts";
import { createWakeUp } from "../domain/wake-up.ts";

/** How many uploads may run at once: each holds memory, a descriptor and a place in the queue of the disk. */
export interface UploadSlots {
  /** @throws StoreError `busy` when all are taken, and what `work` throws */
  run<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Resolves when none is running, or after so many milliseconds, or when the signal aborts. */
  readonly whenIdle: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

/** `gauge` is told of each that begins and ends. */
export function createUploadSlots(limit: number, gauge?: { inc(): void; dec(): void }): UploadSlots {
  const idle = createWakeUp();
  let inFlight = 0;
  return {
    async run(work) {
      if (inFlight >= limit) throw new StoreError("busy", "Too many uploads are running; try again soon.");
      inFlight++;
      gauge?.inc();
      try {
        return await work();
      } finally {
        if (--inFlight === 0) idle.ring();
        gauge?.dec();
      }
    },
    whenIdle: (milliseconds, signal) =>
      inFlight === 0 ? Promise.resolve() : idle.wait(idle.count, milliseconds, signal),
  };
}
