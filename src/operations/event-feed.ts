import { createWakeUp, type WakeUp } from "../domain/wake-up.ts";
import type { Catalog } from "../ports.ts";
import { createSharedAnswers, type SharedAnswers } from "./shared-answers.ts";

/**
 * Wakes all who follow the log when there may be more of it. They all ask at once then, mostly the same: thousands of
 * queries would keep everybody else from a catalog that answers a few at a time.
 */
export interface EventFeed extends Pick<WakeUp, "count" | "wait">, SharedAnswers, Disposable {}

/** How late the catalog's hints may leave a follower, in milliseconds: they are allowed to fail. */
const POLL_INTERVAL = 1000;

/** One listener and one poll for all followers together; whoever makes it disposes of it. */
export function createEventFeed(
  catalog: Pick<Catalog, "onEvents" | "log">,
  { pollInterval = POLL_INTERVAL }: { pollInterval?: number } = {},
): EventFeed {
  const wakeUp = createWakeUp();
  const unsubscribe = catalog.onEvents(() => wakeUp.ring());
  let head = -1;
  const poll = async (): Promise<void> => {
    if (wakeUp.waiting === 0) return;
    const log = await catalog.log();
    if (log.head === head) return;
    head = log.head;
    wakeUp.ring();
  };
  // A catalog that does not answer is told to the followers when they read.
  const timer = setInterval(() => void poll().catch(() => undefined), pollInterval);
  return {
    ...createSharedAnswers(),
    get count() {
      return wakeUp.count;
    },
    wait: (seen, milliseconds, ...signals) => wakeUp.wait(seen, milliseconds, ...signals),
    [Symbol.dispose]() {
      clearInterval(timer);
      unsubscribe();
    },
  };
}
