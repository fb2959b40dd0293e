import { setImmediate } from "node:timers/promises";
import { type LogPosition, toCloudEvent } from "../domain/event.ts";
import { createWakeUp } from "../domain/wake-up.ts";
import type { Catalog, EventBatch, Publisher } from "../ports.ts";
import { type Backoff, backoff } from "./backoff.ts";

export interface RelayOptions extends Backoff {
  readonly catalog: Pick<Catalog, "storeId" | "write" | "events" | "onEvents">;
  readonly publisher: Pick<Publisher, "topic" | "publish">;
  readonly observer?: RelayObserver;
  /** Milliseconds. */
  readonly pollInterval?: number;
  /** Events in one call of the publisher. */
  readonly batchSize?: number;
}

/** Events in a call while the last one failed. */
const RETRY_BATCH_SIZE = 50;

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
  const { topic } = publisher;
  const wakeUp = createWakeUp();
  const unsubscribe = catalog.onEvents(() => wakeUp.ring());
  let attempts = 0;

  const read = (after: LogPosition) => {
    const seen = wakeUp.count;
    // A try that is likely to fail should cost requests next to nothing.
    const limit = attempts > 0 ? Math.min(batchSize, RETRY_BATCH_SIZE) : batchSize;
    return handled(catalog.events({ after, limit }).then((batch) => ({ ...batch, seen })));
  };
  const publish = ({ events, next: { epoch } }: EventBatch) => {
    const log = { storeId: catalog.storeId, epoch };
    return publisher.publish(events.map((event) => toCloudEvent(event, log)));
  };
  const save = ({ seq }: LogPosition) => handled(catalog.write({ type: "advanceCursor", name: topic, seq }));

  /** Goes on from the saved cursor. The next batch is read, and the cursor saved, while the publisher is busy. */
  const relay = async (): Promise<void> => {
    let reading = read(await catalog.write({ type: "registerCursor", name: topic }));
    let saving: ReturnType<typeof save> | undefined;
    while (!signal.aborted) {
      const batch = await reading;
      if (batch.events.length > 0) {
        const publishing = handled(publish(batch));
        // A read that answers from this thread would hold up what is to be sent first.
        await setImmediate();
        reading = read(batch.next);
        await publishing;
        observer?.published(batch.events.length);
      } else {
        if (batch.atEnd) await wakeUp.wait(batch.seen, pollInterval, signal);
        reading = read(batch.next);
      }
      const saved = await saving;
      if (saved?.known === false) {
        observer?.cursorLost();
        return;
      }
      if (saved !== undefined) attempts = 0;
      saving = batch.events.length > 0 ? save(batch.next) : undefined;
    }
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      try {
        await relay();
      } catch (error) {
        if (signal.aborted) return;
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

/** Awaited later, or not at all when something else fails first: then nobody needs to hear of it. */
function handled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
