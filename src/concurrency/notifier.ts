/** Wakes any number of waiters. Its count of notifications lets a waiter check for work first and miss none in between. */
export interface Notifier {
  /** Number of notifications so far. Read it before checking for work. */
  readonly count: number;
  /** Number of pending waits. */
  readonly waiting: number;
  notify(): void;
  /** Resolves once `count` exceeds `seen`, after `milliseconds`, or when a signal aborts. Never rejects. */
  wait(seen: number, milliseconds: number, ...signals: readonly AbortSignal[]): Promise<void>;
}

export function createNotifier(): Notifier {
  const waiters = new Set<() => void>();
  let count = 0;
  return {
    get count() {
      return count;
    },
    get waiting() {
      return waiters.size;
    },
    notify() {
      count++;
      for (const wake of waiters) wake();
    },
    wait(seen, milliseconds, ...signals) {
      if (count > seen || milliseconds <= 0 || signals.some((signal) => signal.aborted)) return Promise.resolve();
      return new Promise((resolve) => {
        // Listeners must be removed: a signal may live as long as the process.
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
