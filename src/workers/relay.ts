import { setImmediate } from "node:timers/promises";
import type { Backoff } from "../concurrency/retry.ts";
import { type LogPosition, type RefusedEvent, toCloudEvent } from "../domain/event.ts";
import type { Catalog, EventBatch, Publisher } from "../ports.ts";
import { type DurableReaderObserver, type FollowedLog, handled, runDurableReader } from "./durable-reader.ts";

export interface RelayOptions extends Backoff {
  readonly catalog: Pick<Catalog, "storeId" | "write" | "events" | "cursors" | "onEvents">;
  readonly publisher: Pick<Publisher, "topic" | "publish">;
  readonly observer?: RelayObserver;
  /** Whether events of the audit trail are published too; default: false. */
  readonly audit?: boolean;
  /** Milliseconds between reads of a log that has not notified. */
  readonly pollInterval?: number;
  /** Events per call of the publisher. */
  readonly batchSize?: number;
}

/** Events per call after a failure. */
const RETRY_BATCH_SIZE = 50;

export interface RelayObserver extends DurableReaderObserver {
  /** This many events were acknowledged or refused. */
  published(events: number): void;
  /** The event is too large for the publisher in every form, and was skipped. */
  refused(refused: RefusedEvent): void;
  /** The cursor was dropped. The relay restarts at the oldest kept event. */
  cursorLost(): void;
  /** The cursor was rewound. The relay publishes again what follows its new position. */
  rewound(): void;
}

/**
 * Publishes the log in order, each event at least once, until the signal aborts. The cursor is saved after the
 * acknowledgements, so events in flight at the abort are sent again by the next run. Failures are retried without limit,
 * and no request waits for the relay.
 */
export function runRelay({ audit = false, ...options }: RelayOptions, signal: AbortSignal): Promise<void> {
  const { observer } = options;
  const follow = async (log: FollowedLog): Promise<void> => {
    const end = await relayFromCursor(options, log, signal);
    if (end === "dropped") observer?.cursorLost();
    if (end === "rewound") observer?.rewound();
  };
  return runDurableReader({ ...options, audit }, follow, signal);
}

/**
 * Continues from the saved cursor until the cursor is dropped or rewound, or the signal aborts. While the publisher works, the next
 * batch is read and the cursor saved.
 */
async function relayFromCursor(
  { catalog, publisher, observer, batchSize = 2000 }: RelayOptions,
  log: FollowedLog,
  signal: AbortSignal,
): Promise<"dropped" | "rewound" | "aborted"> {
  const { topic } = publisher;
  // An attempt that is likely to fail should take little from requests.
  const read = (after: LogPosition) =>
    log.read(after, { limit: log.failures > 0 ? Math.min(batchSize, RETRY_BATCH_SIZE) : batchSize });
  const onRefused = (refused: RefusedEvent) => observer?.refused(refused);
  const publish = ({ events, next: { epoch } }: EventBatch) => {
    const source = { storeId: catalog.storeId, epoch };
    return publisher.publish(
      events.map((event) => toCloudEvent(event, source)),
      onRefused,
    );
  };
  const findCursor = async () => (await catalog.cursors(topic))[0];
  const save = ({ seq }: LogPosition) =>
    handled(catalog.write({ type: "advanceCursor", name: topic, seq, version: savedVersion }));

  const start = await catalog.write({ type: "registerCursor", name: topic });
  let { seq: savedAt, version: savedVersion } = start;
  let reading = read(start);
  let saving: ReturnType<typeof save> | undefined;
  while (!signal.aborted) {
    const batch = await reading;
    // Checked after the batch was read: changes made since the cursor was dropped or rewound must follow the replay.
    const cursor = await findCursor();
    // If it is not as it was last saved, it is as it is being saved, or something else has changed it.
    const isSaved = async () => {
      const saved = await saving;
      return cursor !== undefined && saved?.version === cursor.version && !saved.rewound;
    };
    if (cursor?.version !== savedVersion && !(await isSaved())) {
      // A pending save would move a new cursor.
      await saving;
      return cursor === undefined ? "dropped" : "rewound";
    }
    if (batch.events.length > 0) {
      const publishing = handled(publish(batch));
      // A read on this thread would delay the batch that is to be sent first.
      await setImmediate();
      reading = read(batch.next);
      await publishing;
      observer?.published(batch.events.length);
    } else {
      if (batch.atEnd) await log.news(batch);
      reading = read(batch.next);
    }
    const saved = await saving;
    if (saved?.known === false) return "dropped";
    if (saved?.rewound === true) return "rewound";
    if (saved !== undefined) {
      log.succeeded();
      savedVersion = saved.version;
    }
    // Also past events that it leaves out, or they would count as its lag.
    saving = batch.next.seq > savedAt ? save(batch.next) : undefined;
    savedAt = batch.next.seq;
  }
  return "aborted";
}
