import { hostname } from "node:os";
import type { Config } from "./config.ts";
import { observeLeases } from "./observe/leases.ts";
import type { Logger } from "./observe/logger.ts";
import type { Metrics } from "./observe/metrics.ts";
import { observeRelay } from "./observe/relay.ts";
import type { UploadSlots } from "./operations/upload-slots.ts";
import type { BlobStore, Catalog, Publisher, Renderer, VariantCache } from "./ports.ts";
import { runAlbumDeletion } from "./workers/album-deletion.ts";
import { runCompaction } from "./workers/compact.ts";
import { runDescribe } from "./workers/describe.ts";
import { isLeaseLost, MONOTONIC } from "./workers/lease.ts";
import { type OriginalsPurgePorts, runOriginalsPurge } from "./workers/purge-originals.ts";
import { runVariantPurge } from "./workers/purge-variants.ts";
import { runRelay } from "./workers/relay.ts";
import { runRetention } from "./workers/retention.ts";
import { runSweep } from "./workers/sweep.ts";
import { whileLeased } from "./workers/while-leased.ts";

/**
 * In milliseconds. The database of a fleet may be silent, and what waits for it is not worth the wait: the work may end
 * anywhere, and another node goes on with it.
 */
const MAX_STOPPING = 5000;

export interface WorkerPorts {
  readonly catalog: Catalog;
  readonly blobs: BlobStore;
  /** Where this node keeps some of the blobs. */
  readonly originals: OriginalsPurgePorts["originals"] | undefined;
  readonly variantCache: VariantCache;
  readonly publisher: Publisher | undefined;
  readonly renderer: Renderer;
  readonly uploadSlots: UploadSlots;
}

/**
 * Loops that run until they are disposed of. What fails in them is told, and tried again in its turn. What is for the
 * whole store runs on the one node that has its lease; what is for this node's disk runs on each.
 */
export function startWorkers(
  { catalog, blobs, originals, renderer, variantCache, publisher, uploadSlots }: WorkerPorts,
  { grace, tombstone, eventsRetention, eventsMaxBytes, describe }: Config,
  logger: Logger,
  metrics: Metrics,
): AsyncDisposable {
  const stopping = new AbortController();
  const { signal } = stopping;
  const onFailure = (error: unknown) => {
    // A lost lease is told by itself.
    if (!isLeaseLost(error)) logger.error({ error }, "background work failed and will be tried again");
  };
  const onCursorsGivenUp = (cursors: readonly string[]) => {
    metrics.cursorsGivenUp.inc(cursors.length);
    logger.warn({ cursors }, "the log passed its size, so that readers who lag were given up and will miss events");
  };

  const lease = { catalog, holder: `${hostname()}-${crypto.randomUUID()}`, observer: observeLeases(logger, metrics) };
  const onOneNode = (name: string, work: (catalog: Catalog, signal: AbortSignal) => Promise<void>) =>
    whileLeased({ ...lease, name }, work, signal);

  const running = [
    onOneNode("sweep", (leased, until) => runSweep({ catalog: leased, blobs }, { grace, tombstone, onFailure }, until)),
    onOneNode("album-deletion", (leased, until) => runAlbumDeletion({ catalog: leased }, { onFailure }, until)),
    onOneNode("retention", (leased, until) =>
      runRetention({ catalog: leased }, { eventsRetention, eventsMaxBytes, onCursorsGivenUp, onFailure }, until),
    ),
    runCompaction({ catalog, blobs }, { interval: Math.min(60_000, Math.max(100, grace / 10)), onFailure }, signal),
    runVariantPurge({ catalog, cache: variantCache }, { onFailure }, signal),
  ];
  if (originals !== undefined) running.push(runOriginalsPurge({ catalog, originals }, { grace, onFailure }, signal));
  if (describe)
    running.push(
      onOneNode("describe", (leased, until) =>
        runDescribe({ catalog: leased, blobs, renderer }, { whenIdle: uploadSlots.whenIdle, onFailure }, until),
      ),
    );
  if (publisher !== undefined) {
    const observer = observeRelay(logger, metrics);
    // As its cursor: nodes that are told another topic have a relay of their own.
    running.push(
      onOneNode(`relay/${publisher.topic}`, (leased, until) =>
        runRelay({ catalog: leased, publisher, observer }, until),
      ),
    );
  }
  return {
    async [Symbol.asyncDispose]() {
      stopping.abort();
      const late = new AbortController();
      const stopped = Promise.all(running).finally(() => late.abort());
      if (!catalog.shared) await stopped;
      else await Promise.race([stopped, MONOTONIC.wait(MAX_STOPPING, late.signal)]);
    },
  };
}
