import { type Backoff, backoff } from "../concurrency/retry.ts";
import type { UndescribedImage } from "../ports.ts";

interface Failures {
  readonly count: number;
  /** Whether the last one was the image's own: its decoder crashed or was killed. */
  readonly didHarm: boolean;
  /** When to retry, on the clock of `performance`. */
  readonly until: number;
}

/** Images whose description failed. They are known by their bytes: new ones are tried at once. */
export interface PostponedImages {
  has(image: UndescribedImage): boolean;
  /** Also true of an image that is not postponed. */
  isDue(image: UndescribedImage): boolean;
  /** Whether the last attempt harmed the decoder. */
  didHarm(image: UndescribedImage): boolean;
  /** Each failure in a row doubles the delay. */
  postpone(image: UndescribedImage, didHarm: boolean): void;
  forget(image: UndescribedImage): void;
  forgetAllBut(blobKeys: ReadonlySet<string>): void;
  /** Milliseconds until the first retry, below 0 where it is overdue; infinite without one. */
  delay(): number;
}

export function createPostponedImages(delays: Backoff): PostponedImages {
  const byKey = new Map<string, Failures>();
  return {
    has: ({ blobKey }) => byKey.has(blobKey),
    isDue: ({ blobKey }) => (byKey.get(blobKey)?.until ?? 0) <= performance.now(),
    didHarm: ({ blobKey }) => byKey.get(blobKey)?.didHarm === true,
    postpone({ blobKey }, didHarm) {
      const count = byKey.get(blobKey)?.count ?? 0;
      byKey.set(blobKey, { count: count + 1, didHarm, until: performance.now() + backoff(delays, count) });
    },
    forget: ({ blobKey }) => void byKey.delete(blobKey),
    forgetAllBut(blobKeys) {
      for (const key of byKey.keys()) if (!blobKeys.has(key)) byKey.delete(key);
    },
    delay: () =>
      byKey.values().reduce((first, { until }) => Math.min(first, until), Number.POSITIVE_INFINITY) - performance.now(),
  };
}
