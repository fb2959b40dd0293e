import { StoreError } from "../../domain/errors.ts";

/** A job that waits for a child, or has one. It settles as its promise does. */
export interface QueuedJob<Job, Result> extends PromiseWithResolvers<Result> {
  readonly job: Job;
  readonly signal: AbortSignal | undefined;
  /** A child ended before it took notice of it. */
  wasUnheard: boolean;
}

export interface JobQueue<Job, Result> {
  /**
   * Until the job is taken, the signal removes it and rejects its promise.
   * @throws StoreError `busy` when too many wait
   */
  add(job: Job, signal: AbortSignal | undefined): QueuedJob<Job, Result>;
  /** Puts a job that was taken at the head again. */
  putBack(entry: QueuedJob<Job, Result>): void;
  take(): QueuedJob<Job, Result> | undefined;
}

/** @param capacity how many jobs may wait */
export function createJobQueue<Job, Result>(capacity: number): JobQueue<Job, Result> {
  const waiting: QueuedJob<Job, Result>[] = [];

  return {
    add(job, signal) {
      if (waiting.length >= capacity) throw new StoreError("busy", "Too many images wait to be read. Try again later.");
      const entry = { job, signal, wasUnheard: false, ...Promise.withResolvers<Result>() };
      const leave = () => {
        const index = waiting.indexOf(entry);
        if (index < 0) return;
        waiting.splice(index, 1);
        entry.reject(signal?.reason);
      };
      const unlisten = () => signal?.removeEventListener("abort", leave);
      signal?.addEventListener("abort", leave, { once: true });
      entry.promise.then(unlisten, unlisten);
      waiting.push(entry);
      return entry;
    },
    putBack: (entry) => void waiting.unshift(entry),
    take: () => waiting.shift(),
  };
}
