/** How long to wait after a failure. Times in milliseconds. */
export interface Backoff {
  readonly minBackoff?: number;
  readonly maxBackoff?: number;
}

/** Doubles from try to try, a random half of it left out, so that many do not come back at the same moment. */
export function backoff({ minBackoff = 100, maxBackoff = 10_000 }: Backoff, attempts: number): number {
  return Math.min(maxBackoff, minBackoff * 2 ** attempts) * (0.5 + Math.random() / 2);
}
