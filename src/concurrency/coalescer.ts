/** Combines concurrent calls for the same key into as few runs as possible. */
export interface Coalescer {
  /**
   * Returns the result of a run that began after this call, so it reflects everything that happened before the call.
   * Calls that arrive during a run share the next one: per key, at most one run is active and one is queued.
   * @throws what `work` throws
   */
  coalesce<Result>(this: void, key: string, work: () => Promise<Result>): Promise<Result>;
}

export interface CoalescerOptions {
  /** A failed run also fails the calls queued behind it, which then do not run. Default: they run. */
  readonly failsQueued?: boolean;
}

export function createCoalescer({ failsQueued = false }: CoalescerOptions = {}): Coalescer {
  const active = new Map<string, Promise<unknown>>();
  const queued = new Map<string, Promise<unknown>>();

  function start<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
    // Calls from now on may concern changes that this run no longer sees.
    queued.delete(key);
    const run = work();
    active.set(key, run);
    const end = () => {
      if (active.get(key) === run && !queued.has(key)) active.delete(key);
    };
    run.then(end, end);
    return run;
  }

  function failQueued(key: string, error: unknown): never {
    queued.delete(key);
    active.delete(key);
    throw error;
  }

  return {
    coalesce(key, work) {
      const current = active.get(key);
      if (current === undefined) return start(key, work);
      const next = queued.get(key) as ReturnType<typeof work> | undefined;
      if (next !== undefined) return next;
      const begin = () => start(key, work);
      const following = current.then(begin, failsQueued ? (error: unknown) => failQueued(key, error) : begin);
      queued.set(key, following);
      return following;
    },
  };
}
