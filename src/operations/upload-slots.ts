import { MONOTONIC, pause } from "../concurrency/clock.ts";
import { createNotifier } from "../concurrency/notifier.ts";
import { StoreError } from "../domain/errors.ts";

/** Bounds the uploads that run at once: each holds memory, a descriptor and a place in the queue of the disk. */
export interface UploadSlots {
  /**
   * A slot, until it is disposed of.
   * @throws StoreError `busy` when all are taken
   */
  take(): Disposable;
  /**
   * Resolves when no upload has run for as long as those before ran, or for 50 ms, after so many milliseconds, or when the
   * signal aborts. So the moment between two uploads of a stream does not count.
   */
  readonly whenIdle: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

const LONGEST_LULL_MS = 50;

/** `gauge` counts the uploads that run. */
export function createUploadSlots(limit: number, gauge?: { inc(): void; dec(): void }, clock = MONOTONIC): UploadSlots {
  const ended = createNotifier();
  let inFlight = 0;
  /** When the first of the uploads that run now, or ran last, began. */
  let busySince = 0;
  let idleFrom = 0;
  return {
    take() {
      if (inFlight >= limit) throw new StoreError("busy", "Too many uploads are running. Try again soon.");
      if (inFlight++ === 0) busySince = clock.now();
      gauge?.inc();
      return {
        [Symbol.dispose]() {
          gauge?.dec();
          if (--inFlight > 0) return;
          const now = clock.now();
          idleFrom = now + Math.min(now - busySince, LONGEST_LULL_MS);
          ended.notify();
        },
      };
    },
    async whenIdle(milliseconds, signal) {
      const deadline = clock.now() + milliseconds;
      while (!signal.aborted) {
        const until = inFlight > 0 ? deadline : Math.min(deadline, idleFrom);
        const left = until - clock.now();
        if (left <= 0) return;
        await (inFlight > 0 ? ended.wait(ended.count, left, signal) : pause(left, signal, clock));
      }
    },
  };
}
