import { every } from "../concurrency/clock.ts";
import { type Coalescer, createCoalescer } from "../concurrency/coalescer.ts";
import { createNotifier, type Notifier } from "../concurrency/notifier.ts";
import type { Catalog } from "../ports.ts";

/**
 * Wakes the followers of the log when it may have grown. They then read all at once, and mostly the same events: reads are
 * coalesced, since thousands of queries would hold up other requests to the catalog.
 */
export interface EventFeed extends Pick<Notifier, "count" | "wait">, Coalescer, Disposable {}

/** Milliseconds between polls. The catalog may miss a notification; a poll then wakes the followers. */
const POLL_INTERVAL = 1000;

/** One listener and one poll serve all followers. The caller disposes of the feed. */
export function createEventFeed(
  catalog: Pick<Catalog, "onEvents" | "log">,
  { pollInterval = POLL_INTERVAL }: { pollInterval?: number } = {},
): EventFeed {
  const notifier = createNotifier();
  const unsubscribe = catalog.onEvents(() => notifier.notify());
  let lastSequence = -1;
  const poll = async (): Promise<void> => {
    if (notifier.waiting === 0) return;
    const log = await catalog.log();
    if (log.lastSequence === lastSequence) return;
    lastSequence = log.lastSequence;
    notifier.notify();
  };
  const stopping = new AbortController();
  // A catalog that does not answer fails the followers' own reads.
  void every(pollInterval, stopping.signal, poll, () => {});
  return {
    ...createCoalescer(),
    get count() {
      return notifier.count;
    },
    wait: (seen, milliseconds, ...signals) => notifier.wait(seen, milliseconds, ...signals),
    [Symbol.dispose]() {
      stopping.abort();
      unsubscribe();
    },
  };
}
