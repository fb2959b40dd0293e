import { StoreError } from "../domain/errors.ts";

/** How many uploads may run at once: each holds memory, a descriptor and a place in the queue of the disk. */
export interface UploadSlots {
  /** @throws StoreError `busy` when all are taken, and what `work` throws */
  run<Result>(work: () => Promise<Result>): Promise<Result>;
}

/** `gauge` is told of each that begins and ends. */
export function createUploadSlots(limit: number, gauge?: { inc(): void; dec(): void }): UploadSlots {
  let inFlight = 0;
  return {
    async run(work) {
      if (inFlight >= limit) throw new StoreError("busy", "Too many uploads are running; try again soon.");
      inFlight++;
      gauge?.inc();
      try {
        return await work();
      } finally {
        inFlight--;
        gauge?.dec();
      }
    },
  };
}
