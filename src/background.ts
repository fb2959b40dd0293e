import { hostname } from "node:os";
import { within } from "./concurrency/timeout.ts";
import type { Config } from "./config.ts";
import type { FailureReports } from "./observe/errors.ts";
import type { Logger } from "./observe/logger.ts";
import type { Metrics } from "./observe/metrics.ts";
import { observeLeases, observeRelay, observeSweep, observeWebhooks } from "./observe/observers.ts";
import type { UploadSlots } from "./operations/upload-slots.ts";
import type { WebhookSender } from "./ports/webhook-sender.ts";
import type { BlobStore, Catalog, Publisher, Renderer, VariantCache } from "./ports.ts";
import { runAlbumDeletion } from "./workers/album-deletion.ts";
import { runCompaction } from "./workers/compact.ts";
import { runDescribe } from "./workers/describe.ts";
import { type DescribeShare, runDescribeShares } from "./workers/describe-shares.ts";
import { isLeaseLost, type LeasedWork, whileLeased } from "./workers/lease.ts";
import { type OriginalsPurgeDeps, runOriginalsPurge } from "./workers/purge-originals.ts";
import { runVariantPurge } from "./workers/purge-variants.ts";
import { runRelay } from "./workers/relay.ts";
import { runRetention } from "./workers/retention.ts";
import { runSweep } from "./workers/sweep.ts";
import type { WebhookTimes } from "./workers/webhooks/options.ts";
import { runWebhooks } from "./workers/webhooks/run-webhooks.ts";

/**
 * Milliseconds that the workers of a node get to stop. An unresponsive database must not delay the stop: work may end at
 * any point, and another node continues it.
 */
const MAX_STOPPING = 5000;

export interface WorkerDeps {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  /** This node's cache of blobs in a remote store. */
  readonly originals: OriginalsPurgeDeps["originals"] | undefined;
  readonly variantCache: VariantCache;
  readonly publisher: Publisher | undefined;
  readonly webhookSender: WebhookSender;
  readonly webhookTimes: WebhookTimes | undefined;
  readonly renderer: Renderer;
  readonly uploadSlots: UploadSlots;
  /** @throws StoreOpenError while the bytes are not this store's */
  readonly requireOwner: () => Promise<void>;
}

export interface WorkerObservers {
  readonly logger: Logger;
  readonly reports: FailureReports;
  readonly metrics: Metrics;
}

/**
 * Starts the background work, which runs until the result is disposed of. Work on the whole store runs on the node that
 * holds its lease; work on a node's own disk runs on every node. Failures are logged and retried.
 */
export function startWorkers(deps: WorkerDeps, config: Config, observers: WorkerObservers): AsyncDisposable {
  const stopping = new AbortController();
  const { signal } = stopping;
  const onFailure = (error: unknown) => {
    // The observer of leases logs a lost one.
    if (isLeaseLost(error)) return;
    observers.reports.failed("background", error, "background work failed: retrying", {}, "error");
  };
  const running = [
    ...startStoreWorkers(deps, config, observers, onFailure, signal),
    ...startNodeWorkers(deps, config, onFailure, signal),
  ];
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      const stopped = Promise.all(running);
      if (deps.catalog.shared) await within(MAX_STOPPING, stopped, () => {});
      else await stopped;
    },
  };
}

type OnFailure = (error: unknown) => void;

/** Work on the whole store, under leases. */
function startStoreWorkers(
  { catalog, blobs, renderer, publisher, uploadSlots, requireOwner, webhookSender, webhookTimes }: WorkerDeps,
  { grace, tombstone, sweepShare, eventsRetention, eventsMaxBytes, describe, renderers, kafka }: Config,
  { logger, reports, metrics }: WorkerObservers,
  onFailure: OnFailure,
  signal: AbortSignal,
): Promise<void>[] {
  const lease = {
    catalog,
    holder: `${hostname()}-${crypto.randomUUID()}`,
    observer: observeLeases(logger, reports, metrics),
  };
  const onOneNode = (name: string, work: LeasedWork) => whileLeased({ ...lease, name }, work, signal);
  const onCursorsGivenUp = (cursors: readonly string[]) => {
    metrics.droppedCursors.inc(cursors.length);
    logger.warn({ cursors }, "event log over its limit: dropped lagging cursors, whose readers will miss events");
  };
  const onDamage = (imageId: string, decoderMessage: string) => {
    logger.info({ imageId, decoderMessage }, "image could not be decoded to the end");
  };
  const sweepOptions = { grace, tombstone, share: sweepShare, onFailure, observer: observeSweep(logger, metrics) };
  const retention = { eventsRetention, eventsMaxBytes, onCursorsGivenUp, onFailure };
  const describing = { whenIdle: uploadSlots.whenIdle, onFailure, onDamage, atOnce: renderers };

  const running = [
    onOneNode("sweep", (leased, until) => runSweep({ catalog: leased, blobs }, sweepOptions, requireOwner, until)),
    onOneNode("album-deletion", (leased, until) => runAlbumDeletion({ catalog: leased }, { onFailure }, until)),
    onOneNode("retention", (leased, until) => runRetention({ catalog: leased }, retention, until)),
  ];
  const webhooks = { ...webhookTimes, sender: webhookSender, observer: observeWebhooks(logger, reports, metrics) };
  const deliver: LeasedWork = (leased, until, isHeld) => runWebhooks({ ...webhooks, catalog: leased, isHeld }, until);
  running.push(onOneNode("webhooks", deliver));
  const describeShare: DescribeShare = (leased, share, until) =>
    runDescribe({ catalog: leased, blobs, renderer }, { ...describing, share }, until);
  if (describe) running.push(runDescribeShares(lease, describeShare, signal));
  if (publisher !== undefined) {
    const observer = observeRelay(logger, reports, metrics);
    // Named by topic, like its cursor: nodes configured with another topic have a relay of their own.
    const relay = (leased: Catalog, until: AbortSignal) =>
      runRelay({ catalog: leased, publisher, observer, audit: kafka?.audit ?? false }, until);
    running.push(onOneNode(`relay/${publisher.topic}`, relay));
  }
  return running;
}

/** Work on what this node keeps on its own disk. */
function startNodeWorkers(
  { catalog, blobs, originals, variantCache }: WorkerDeps,
  { grace }: Config,
  onFailure: OnFailure,
  signal: AbortSignal,
): Promise<void>[] {
  const running = [runVariantPurge({ catalog, cache: variantCache }, { onFailure }, signal)];
  if (originals !== undefined) running.push(runOriginalsPurge({ catalog, originals }, { grace, onFailure }, signal));
  const { compact } = blobs;
  if (compact !== undefined) {
    const interval = Math.min(60_000, Math.max(100, grace / 10));
    running.push(runCompaction({ catalog, blobs: { compact } }, { interval, onFailure }, signal));
  }
  return running;
}
