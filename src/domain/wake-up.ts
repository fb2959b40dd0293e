/** Lets any number of waiters wait for something that happens now and then, without missing it between a look and the wait. */
export interface WakeUp {
  /** How often it rang. Take it before looking whether there is something to do. */
  readonly count: number;
  readonly waiting: number;
  ring(): void;
  /** Resolves when `count` is above `seen`, after `milliseconds`, or when one of the signals aborts. Never rejects. */
  wait(seen: number, milliseconds: number, ...signals: readonly AbortSignal[]): Promise<void>;
}

export function createWakeUp(): WakeUp {
  const waiters = new Set<() => void>();
  let count = 0;
  return {
    get count() {
      return count;
    },
    get waiting() {
      return waiters.size;
    },
    ring() {
      count++;
      for (const wake of waiters) wake();
    },
    wait(seen, milliseconds, ...signals) {
      if (count > seen || milliseconds <= 0 || signals.some((signal) => signal.aborted)) return Promise.resolve();
      return new Promise((resolve) => {
        // Everything is taken back at the end: a signal may live as long as the process.
        const wake = () => {
          waiters.delete(wake);
          clearTimeout(timer);
          for (const signal of signals) signal.removeEventListener("abort", wake);
          resolve();
        };
        const timer = setTimeout(wake, milliseconds);
        waiters.add(wake);
        for (const signal of signals) signal.addEventListener("abort", wake, { once: true });
      });
    },
  };
}
