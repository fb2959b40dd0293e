/** Turns for work that keeps the event loop busy, so that other requests wait for some of it and not for all. */
export interface Turns {
  /** Undefined if the caller may work now. Otherwise resolves when it may, in the order of the calls. */
  take(): Promise<void> | undefined;
}

/** @param budget milliseconds for which callers work before the event loop looks at its sockets again; the last may take longer */
export function createTurns(budget: number): Turns {
  const waiting: (() => void)[] = [];
  /** When the first caller since the last look at the sockets began to work; undefined: none did. */
  let startedAt: number | undefined;

  function begin(): void {
    startedAt = performance.now();
    setImmediate(goOn);
  }

  function goOn(): void {
    startedAt = undefined;
    const next = waiting.shift();
    if (next === undefined) return;
    begin();
    next();
  }

  return {
    take() {
      if (waiting.length === 0) {
        if (startedAt === undefined) {
          begin();
          return undefined;
        }
        if (performance.now() - startedAt < budget) return undefined;
      }
      return new Promise((resolve) => {
        waiting.push(resolve);
      });
    },
  };
}
