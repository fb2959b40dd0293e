import { type Clock, MONOTONIC, pause } from "../../concurrency/clock.ts";
import { whenAborted } from "../../concurrency/timeout.ts";
import { AUDIT_EVENT_TYPES, type EventType, type LogPosition } from "../../domain/event.ts";
import { webhookOfSubject } from "../../domain/webhook.ts";
import { type FollowedLog, type ReadBatch, runDurableReader } from "../durable-reader.ts";
import type { WebhooksOptions } from "./options.ts";
import { WebhookRunners } from "./runners.ts";

/** Events of one read of the log. */
const BATCH = 1000;
/** Milliseconds between two reads, so that a busy store is read a hundred times a second and not at each commit. */
const BETWEEN_READS = 10;
/** Where the last attempt of every webhook at its end failed. */
const BETWEEN_READS_FAILING = 100;
const OF_WEBHOOKS = AUDIT_EVENT_TYPES.filter((type) => type.startsWith("imagestore.webhook."));

/**
 * Delivers the log to all webhooks, each event at least once, and in order within an album, until the signal aborts. One reader of
 * the log serves all webhooks that are at its end; those that lag read for themselves.
 */
export async function runWebhooks(options: WebhooksOptions, signal: AbortSignal): Promise<void> {
  let following = Promise.resolve();
  const follow = (log: FollowedLog) => (following = followLog(options, log, signal));
  await runDurableReader({ ...options, audit: true }, follow, signal);
  // What was delivered until the end is saved.
  await following.catch(() => undefined);
}

async function followLog(options: WebhooksOptions, log: FollowedLog, signal: AbortSignal): Promise<void> {
  const { catalog, clock = MONOTONIC } = options;
  // Before the webhooks are read: events of those that are made or changed from now on are behind it.
  const { epoch, lastSequence } = await catalog.log();
  const runners = new WebhookRunners({ ...options, clock }, { storeId: catalog.storeId, epoch }, () => log.wake());
  try {
    await runners.start(lastSequence);
    await Promise.race([
      distribute(runners, log, { epoch, seq: lastSequence }, clock, signal),
      runners.failure,
      whenAborted(signal),
    ]);
  } finally {
    await runners.stop();
  }
}

async function distribute(
  runners: WebhookRunners,
  log: FollowedLog,
  start: LogPosition,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let position = start;
  let batch: ReadBatch | undefined;
  while (!signal.aborted) {
    if (batch?.atEnd === true) {
      // Without a webhook at the end of the log, changes of webhooks are all that it looks for.
      if (runners.isQuiet) await log.rest();
      else {
        const between = runners.allFail ? BETWEEN_READS_FAILING : BETWEEN_READS;
        await Promise.all([log.news(batch), pause(between, signal, clock)]);
      }
    }
    runners.attachAt(position.seq);
    const exceptAlbums = runners.skippedAlbums();
    batch = await log.read(position, { limit: BATCH, types: typesOf(runners), exceptAlbums });
    for (const { subject, type } of batch.events) {
      const id = type.startsWith("imagestore.webhook.") ? webhookOfSubject(subject) : undefined;
      if (id !== undefined) runners.reload(id);
    }
    runners.offer(batch.events, position.seq, batch.next.seq, exceptAlbums);
    position = batch.next;
    log.succeeded();
  }
}

/** What the webhooks at the end of the log select, and the events of webhooks themselves; undefined: all types. */
function typesOf(runners: WebhookRunners): readonly EventType[] | undefined {
  const types = runners.attachedTypes();
  return types === "all" ? undefined : [...new Set([...OF_WEBHOOKS, ...types])];
}
