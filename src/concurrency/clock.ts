/** A source of time that a test can replace. Times in milliseconds. */
export interface Clock {
  /** Time since an arbitrary moment. Never goes backwards. */
  now(): number;
  /** Calls `fire` once, after `milliseconds`, unless the returned function is called first. */
  after(milliseconds: number, fire: () => void): () => void;
}

export const MONOTONIC: Clock = {
  now: () => performance.now(),
  after(milliseconds, fire) {
    const timer = setTimeout(fire, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `milliseconds`, or when the signal aborts. Never rejects. */
export function pause(milliseconds: number, signal: AbortSignal | undefined, clock = MONOTONIC): Promise<void> {
  if (milliseconds <= 0 || signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      cancel();
      // A signal may live as long as the process.
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(milliseconds, end);
    signal?.addEventListener("abort", end, { once: true });
  });
}

/**
 * Runs `task` immediately and again `interval` milliseconds after each run ends, until the signal aborts. A failure is
 * reported to `onFailure` and does not end the loop. Resolves when the last run has ended; long tasks check the signal
 * themselves.
 */
export async function every(
  interval: number,
  signal: AbortSignal,
  task: () => Promise<unknown>,
  onFailure: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await task();
    } catch (error) {
      onFailure(error);
    }
    await pause(interval, signal);
  }
}
