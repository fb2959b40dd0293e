interface Throttle {
  readonly call: () => void;
  /** Nothing runs any more. */
  readonly stop: () => void;
}

/** Runs it at the first call at once, and for all calls of the next `pauseMs` together once they are over. */
export function createThrottle(pauseMs: number, run: () => void): Throttle {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let last = Number.NEGATIVE_INFINITY;
  return {
    call() {
      timer ??= setTimeout(
        () => {
          timer = undefined;
          last = performance.now();
          run();
        },
        Math.max(0, last + pauseMs - performance.now()),
      );
    },
    stop: () => clearTimeout(timer),
  };
}
