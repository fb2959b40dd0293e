import { StoreError } from "../domain/errors.ts";
import { pause } from "./clock.ts";

/** Delays between retries, in milliseconds. */
export interface Backoff {
  readonly minBackoff?: number;
  readonly maxBackoff?: number;
}

export interface BackoffOptions extends Backoff {
  /** Share of the delay that is chosen at random, from 0 to 1, so that clients do not retry in step. Default: 0.5. */
  readonly jitter?: number;
}

/** The delay before retry number `attempt`, counted from 0: doubles with each, up to `maxBackoff`. */
export function backoff(
  { minBackoff = 100, maxBackoff = 10_000, jitter = 0.5 }: BackoffOptions,
  attempt: number,
): number {
  return Math.min(maxBackoff, minBackoff * 2 ** attempt) * (1 - jitter * Math.random());
}

export interface Patience {
  /** Milliseconds until the last attempt. */
  readonly within: number;
  /** Called with the first failure, and every ten seconds with the latest. */
  readonly onWait: (error: unknown) => void;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

const BACKOFF = { minBackoff: 100, maxBackoff: 2000 };
const REPORT_EVERY_MS = 10_000;

/**
 * Opens something that another process serves, and retries while that is `unavailable` or `busy`. Any other failure is
 * thrown at once.
 * @throws what `open` threw last; the signal's reason
 */
export async function whenAvailable<Value>(
  open: () => Promise<Value>,
  { within, onWait, signal }: Patience,
): Promise<Value> {
  const deadline = performance.now() + within;
  let reportedAt = Number.NEGATIVE_INFINITY;
  for (let failures = 0; ; failures++) {
    signal?.throwIfAborted();
    try {
      return await open();
    } catch (error) {
      const now = performance.now();
      if (!isTemporary(error) || now >= deadline) throw error;
      if (now - reportedAt >= REPORT_EVERY_MS) {
        onWait(error);
        reportedAt = now;
      }
      await pause(Math.min(backoff(BACKOFF, failures), deadline - now), signal);
    }
  }
}

const isTemporary = (error: unknown): boolean =>
  error instanceof StoreError && (error.code === "unavailable" || error.code === "busy");
