import { type LogPosition, toCloudEvent } from "../domain/event.ts";
import { createWakeUp } from "../domain/wake-up.ts";
import type { Catalog, Publisher } from "../ports.ts";

export interface RelayOptions {
  readonly catalog: Pick<Catalog, "storeId" | "write" | "events" | "onEvents">;
  readonly publisher: Pick<Publisher, "topic" | "publish">;
  readonly observer?: RelayObserver;
  /** Times in milliseconds. */
  readonly pollInterval?: number;
  readonly minBackoff?: number;
  readonly maxBackoff?: number;
  /** Events in one call of the publisher. */
  readonly batchSize?: number;
}

export interface RelayObserver {
  /** So many were acknowledged, and the cursor saved. */
  published(events: number): void;
  /** The same events are tried again after `delay` milliseconds; `attempts` since anything went well. */
  failed(error: unknown, retry: { attempts: number; delay: number }): void;
  /** Somebody gave the cursor up; the relay goes on from the oldest kept event. */
  cursorLost(): void;
}

/**
 * Copies the log to the publisher until the signal aborts: at least once, in the order of the log, and the cursor is
 * saved only after the acknowledgements. Whatever fails is tried again for ever and nothing is left out; no request
 * waits for any of it. What is on its way when the signal aborts is sent again by the next run.
 */
export async function runRelay(options: RelayOptions, signal: AbortSignal): Promise<void> {
  const { catalog, publisher, observer, pollInterval = 1000, batchSize = 2000 } = options;
  const wakeUp = createWakeUp();
  const unsubscribe = catalog.onEvents(() => wakeUp.ring());
  let position: LogPosition | undefined;
  let attempts = 0;

  /** @returns whether more is known to be there */
  const relayNext = async (): Promise<boolean> => {
    position ??= await catalog.write({ type: "registerCursor", name: publisher.topic });
    const { events, next, atEnd } = await catalog.events({ after: position, limit: batchSize });
    if (events.length > 0) {
      const log = { storeId: catalog.storeId, epoch: next.epoch };
      await publisher.publish(events.map((event) => toCloudEvent(event, log)));
      const { known } = await catalog.write({ type: "advanceCursor", name: publisher.topic, seq: next.seq });
      observer?.published(events.length);
      if (!known) observer?.cursorLost();
      position = known ? next : undefined;
    }
    attempts = 0;
    return !atEnd;
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      const seen = wakeUp.count;
      try {
        if (await relayNext()) continue;
        await wakeUp.wait(seen, pollInterval, signal);
      } catch (error) {
        if (signal.aborted) return;
        // Asked for again: after an error nobody knows whether the position is still kept, or was saved.
        position = undefined;
        const delay = backoff(options, attempts++);
        observer?.failed(error, { attempts, delay });
        await createWakeUp().wait(0, delay, signal);
      }
    }
  };

  try {
    await Promise.race([run(), aborted(signal)]);
  } finally {
    unsubscribe();
  }
}

/** Doubles from try to try, a random half of it left out, so that many do not come back at the same moment. */
function backoff({ minBackoff = 100, maxBackoff = 10_000 }: RelayOptions, attempts: number): number {
  return Math.min(maxBackoff, minBackoff * 2 ** attempts) * (0.5 + Math.random() / 2);
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
