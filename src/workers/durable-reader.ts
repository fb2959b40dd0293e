import { pause } from "../concurrency/clock.ts";
import { createNotifier } from "../concurrency/notifier.ts";
import { type Backoff, backoff } from "../concurrency/retry.ts";
import { whenAborted } from "../concurrency/timeout.ts";
import type { LogPosition } from "../domain/event.ts";
import type { Catalog, EventBatch, EventQuery } from "../ports.ts";

/** A worker that follows the log from a position that the catalog keeps: the relay, and the deliveries to webhooks. */
export interface DurableReaderOptions extends Backoff {
  readonly catalog: Pick<Catalog, "events" | "onEvents">;
  readonly observer?: DurableReaderObserver | undefined;
  /** Whether events of the audit trail are read too. */
  readonly audit: boolean;
  /** Milliseconds between reads of a log that has not notified. */
  readonly pollInterval?: number;
}

export interface DurableReaderObserver {
  /** It goes on from its saved position after `delay` milliseconds. `attempts` counts failures since the last progress. */
  failed(error: unknown, retry: { attempts: number; delay: number }): void;
}

/** The log, as a durable reader reads it. */
export interface FollowedLog {
  /** Number of failures since the last progress. */
  readonly failures: number;
  /** The reader has saved a position, so a next failure is a first one. */
  succeeded(): void;
  /** A rejection of the result counts as handled, so that a reader may read ahead. */
  read(after: LogPosition, query: Pick<EventQuery, "limit" | "types" | "exceptAlbums">): Promise<ReadBatch>;
  /** Resolves when there may be events behind a batch that was at the end of the log. */
  news(batch: ReadBatch): Promise<void>;
  /** Resolves after the interval of polls, whatever is committed meanwhile. */
  rest(): Promise<void>;
  /** Ends a wait for news, and a rest. */
  wake(): void;
}

export interface ReadBatch extends EventBatch {
  /** Notifications before it was read. */
  readonly seen: number;
}

/**
 * Runs `follow` until the signal aborts. After a failure, or when `follow` ends because its position was moved, it runs again from
 * the saved position, without limit.
 */
export async function runDurableReader(
  options: DurableReaderOptions,
  follow: (log: FollowedLog) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { catalog, observer, audit, pollInterval = 1000 } = options;
  const news = createNotifier();
  const calls = createNotifier();
  const unsubscribe = catalog.onEvents(() => news.notify());
  let failures = 0;
  const log: FollowedLog = {
    get failures() {
      return failures;
    },
    succeeded() {
      failures = 0;
    },
    read(after, query) {
      const seen = news.count;
      return handled(
        catalog.events({ visibility: "all", audit, after, ...query }).then((batch) => ({ ...batch, seen })),
      );
    },
    news: ({ seen }) => news.wait(seen, pollInterval, signal),
    rest: () => calls.wait(calls.count, pollInterval, signal),
    wake() {
      calls.notify();
      news.notify();
    },
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await follow(log);
      } catch (error) {
        if (signal.aborted) return;
        const delay = backoff(options, failures++);
        observer?.failed(error, { attempts: failures, delay });
        await pause(delay, signal);
      }
    }
  };

  try {
    await Promise.race([run(), whenAborted(signal)]);
  } finally {
    unsubscribe();
  }
}

/** The promise is awaited later, or not at all if another fails first; its rejection must not count as unhandled. */
export function handled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}
