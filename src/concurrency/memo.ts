import { type Clock, MONOTONIC } from "./clock.ts";

/** Caches values by the text that determines them. Memory is bounded even when clients choose the texts. */
export interface Memo<Value> {
  /** Returns the cached value for `text`, or the result of `make`, which is then cached. A throwing `make` caches nothing. */
  get(text: string, make: () => Value): Value;
  clear(): void;
}

const MAX_TEXT_LENGTH = 512;

/** Once `capacity` values are cached, the next new one empties the cache first. */
export function createMemo<Value>(capacity: number): Memo<Value> {
  const cached = new Map<string, Value>();
  return {
    get(text, make) {
      const found = cached.get(text);
      if (found !== undefined) return found;
      const value = make();
      if (text.length > MAX_TEXT_LENGTH) return value;
      if (cached.size >= capacity) cached.clear();
      cached.set(text, value);
      return value;
    },
    clear: () => cached.clear(),
  };
}

export interface RememberedOptions {
  /** How long a value is reused: milliseconds, or a function of the milliseconds that it took. Default: 1,000. */
  readonly keepFor?: number | ((tookMs: number) => number);
  /** Whether a failure is reused like a value. Default: true. */
  readonly keepsFailures?: boolean;
  readonly clock?: Pick<Clock, "now">;
}

/** Long enough to make polling nearly free, short compared with the seconds that an orchestrator or a scrape waits. */
const KEEP_FOR_MS = 1000;

/**
 * Limits how often `ask` runs, however often the result is called: never twice at once, and not again while the last
 * value is fresh. Concurrent callers share one run.
 */
export function createRemembered<Value>(
  ask: () => Promise<Value>,
  { keepFor = KEEP_FOR_MS, keepsFailures = true, clock = MONOTONIC }: RememberedOptions = {},
): () => Promise<Value> {
  let last: Promise<Value> | undefined;
  let expiresAt = Infinity;

  return () => {
    if (last !== undefined && clock.now() < expiresAt) return last;
    const startedAt = clock.now();
    const asked = ask();
    last = asked;
    expiresAt = Infinity;
    const keep = () => {
      const now = clock.now();
      expiresAt = now + (typeof keepFor === "number" ? keepFor : keepFor(now - startedAt));
    };
    const forget = () => {
      last = undefined;
    };
    asked.then(keep, keepsFailures ? keep : forget);
    return asked;
  };
}
