import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { DurableCursor } from "../domain/event.ts";
import type { Quota } from "../domain/quota.ts";
import type { BlobStore, Catalog } from "../ports.ts";
import { createDurations } from "./durations.ts";

/** Default metrics without meaning on Bun: JavaScriptCore has no V8 heap spaces, and its virtual reservation is no heap. */
const MEANINGLESS = [
  "process_heap_bytes",
  "nodejs_version_info",
  "nodejs_gc_duration_seconds",
  "nodejs_active_handles",
  "nodejs_active_handles_total",
  "nodejs_active_requests",
  "nodejs_active_requests_total",
  "nodejs_active_resources",
  "nodejs_active_resources_total",
  "nodejs_heap_space_size_total_bytes",
  "nodejs_heap_space_size_used_bytes",
  "nodejs_heap_space_size_available_bytes",
];

const BATCH_SIZE_BUCKETS = [1, 2, 4, 8, 16, 32, 64, 128, 256];

/** The metrics that Prometheus scrapes. Labels are operation ids and port methods, never paths or names: few values. */
export function createMetrics() {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  for (const name of MEANINGLESS) registry.removeSingleMetric(name);
  const define = definitionsIn(registry);
  return {
    registry,
    ...requestMetrics(define),
    ...portMetrics(define),
    ...workerMetrics(define),
    ...storeMetrics(define),
    ...cacheMetrics(define),
    ...tokenMetrics(define),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;

type Definitions = ReturnType<typeof definitionsIn>;

function definitionsIn(registry: Registry) {
  const registers = [registry];
  const named = (name: string, help: string) => ({ name: `image_store_${name}`, help, registers });
  return {
    counter: <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
      new Counter({ ...named(name, help), labelNames }),
    gauge: <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
      new Gauge({ ...named(name, help), labelNames }),
    histogram: (name: string, help: string, buckets: readonly number[]) =>
      new Histogram({ ...named(name, help), buckets: [...buckets] }),
    durations: (name: string, help: string, labelNames: readonly [string, string]) =>
      createDurations(registry, { name: `image_store_${name}`, help, labelNames }),
  };
}

const requestMetrics = ({ counter, gauge, durations }: Definitions) => ({
  requestDuration: durations(
    "http_request_duration_seconds",
    "Time from a request's arrival until its response starts, by operation and status",
    ["operation", "status"],
  ),
  receivedBytes: counter("http_received_bytes_total", "Bytes of request bodies", ["operation"]),
  sentBytes: counter("http_sent_bytes_total", "Bytes of response bodies", ["operation"]),
  uploadsInFlight: gauge("uploads_in_flight", "Uploads being received"),
  sseClients: gauge("sse_clients", "Open event streams"),
});

const portMetrics = ({ histogram, durations }: Definitions) => ({
  commitBatchSize: histogram("catalog_commit_batch_size", "Changes per transaction", BATCH_SIZE_BUCKETS),
  catalogDuration: durations(
    "catalog_operation_duration_seconds",
    "Duration of catalog calls, by operation and outcome",
    ["operation", "outcome"],
  ),
  blobDuration: durations("blob_operation_duration_seconds", "Duration of blob store calls, by operation and outcome", [
    "operation",
    "outcome",
  ]),
  rendererDuration: durations(
    "renderer_operation_duration_seconds",
    "Duration of renderer calls, by operation and outcome",
    ["operation", "outcome"],
  ),
});

const workerMetrics = ({ counter, gauge }: Definitions) => ({
  relayLagEvents: gauge("relay_lag_events", "Events that Kafka has not acknowledged yet"),
  relayLagSeconds: gauge("relay_lag_seconds", "Age of the oldest event that Kafka has not acknowledged yet"),
  relayedEvents: counter("relay_events_total", "Events that Kafka acknowledged"),
  relayRefusals: counter(
    "relay_refused_events_total",
    "Events missing in Kafka: too large for the topic in every form",
  ),
  relayFailures: counter("relay_failures_total", "Failed attempts to publish a batch of events"),
  readerLagEvents: gauge("event_reader_lag_events", "Events that a durable reader of the log has not passed yet", [
    "reader",
  ]),
  readerLagSeconds: gauge(
    "event_reader_lag_seconds",
    "Age of the oldest event that a durable reader of the log has not passed yet",
    ["reader"],
  ),
  webhookDeliveries: counter(
    "webhook_deliveries_total",
    "Attempts to deliver an event to a webhook, by outcome (delivered, failed)",
    ["outcome"],
  ),
  webhooksDisabled: counter("webhooks_disabled_total", "Webhooks that the store disabled, by reason (gone, failing)", [
    "reason",
  ]),
  unreadableSeconds: gauge(
    "events_unreadable_seconds",
    "Age of the oldest committed event that no reader can see yet, because it has no sequence number",
  ),
  droppedCursors: counter(
    "event_cursors_given_up_total",
    "Lagging durable cursors dropped because the event log was over its limit",
  ),
  leaseHeld: gauge("lease_held", "1 if this node holds the lease, else 0", ["lease"]),
  leaseTakeovers: counter("lease_takeovers_total", "Times this node took the lease", ["lease"]),
  sweepClaimed: counter("sweep_claimed_blobs_total", "Blobs without a record that the sweep marked for removal"),
  sweepRemoved: counter("sweep_removed_blobs_total", "Blobs that the sweep removed"),
  sweepStopped: gauge("sweep_stopped", "1 while the sweep is stopped because catalog and bytes may not match, else 0", [
    "reason",
  ]),
  describeBacklog: gauge("describe_backlog", "Images without a description; the count stops at 100,000"),
  describeBacklogSeconds: gauge("describe_backlog_seconds", "Age of the oldest image without a description"),
});

const storeMetrics = ({ gauge }: Definitions) => ({
  albums: gauge("albums", "Albums"),
  images: gauge("images", "Images"),
  imageBytes: gauge("image_bytes", "Bytes of all images"),
  freeBytes: gauge("blobs_free_bytes", "Free disk space for image bytes"),
  quotaUsed: gauge("quota_used", "What the store has used of its quota, by unit (bytes, images)", ["unit"]),
  quotaLimit: gauge("quota_limit", "Quota of the store, by unit (bytes, images)", ["unit"]),
});

const cacheMetrics = ({ counter, gauge }: Definitions) => ({
  variantLookups: counter("variant_lookups_total", "Lookups in the variant cache, by outcome (hit, miss)", ["outcome"]),
  variantEvictions: counter("variant_evictions_total", "Variants evicted from the cache to make room"),
  variantCacheBytes: gauge("variant_cache_bytes", "Disk space of the cached variants"),
  variantCacheEntries: gauge("variant_cache_entries", "Cached variants"),
  originalLookups: counter("original_lookups_total", "Lookups in the originals cache, by outcome (hit, miss)", [
    "outcome",
  ]),
  originalEvictions: counter("original_evictions_total", "Originals evicted from the cache to make room"),
  originalsCacheBytes: gauge("originals_cache_bytes", "Disk space of the cached originals"),
  originalsCacheEntries: gauge("originals_cache_entries", "Cached originals"),
});

const tokenMetrics = ({ counter, gauge }: Definitions) => ({
  tokenKeys: gauge("jwt_keys", "Keys that verify tokens. 0: none are known, and no token is accepted"),
  tokenKeyFailures: counter("jwt_key_fetch_failures_total", "Failed attempts to fetch the keys of the tokens' issuer"),
  tokenRefusals: counter("jwt_refused_total", "Tokens that were refused, by reason", ["reason"]),
});

/**
 * All metrics as text. Totals and lag are read now, so nothing has to keep count between scrapes. A value whose source
 * fails stays as it was: the other metrics matter most then.
 */
export async function scrape(
  metrics: Metrics,
  parts: {
    catalog: Pick<Catalog, "totals" | "cursors" | "describeBacklog" | "unreadableSeconds"> & {
      storeQuota(): Promise<Quota | undefined>;
    };
    blobs: Pick<BlobStore, "probe">;
    relayCursor: string | undefined;
    /** Whether this store describes images. */
    describes: boolean;
  },
): Promise<string> {
  const [totals, space, cursors, backlog, unreadable, quota] = await Promise.allSettled([
    parts.catalog.totals(),
    parts.blobs.probe(),
    parts.catalog.cursors(),
    parts.describes ? parts.catalog.describeBacklog() : undefined,
    parts.catalog.unreadableSeconds(),
    parts.catalog.storeQuota(),
  ]);
  if (quota.status === "fulfilled") setQuota(metrics, quota.value);
  if (unreadable.status === "fulfilled") metrics.unreadableSeconds.set(unreadable.value);
  if (totals.status === "fulfilled") {
    metrics.albums.set(totals.value.albums);
    metrics.images.set(totals.value.images);
    metrics.imageBytes.set(totals.value.bytes);
  }
  if (space.status === "fulfilled") {
    // A store that does not know its free space has no series, rather than the gauge's initial 0.
    if (space.value.freeBytes === undefined) metrics.freeBytes.remove();
    else metrics.freeBytes.set(space.value.freeBytes);
  }
  if (backlog.status === "fulfilled" && backlog.value !== undefined) {
    const { images, oldestCreatedAt } = backlog.value;
    metrics.describeBacklog.set(images);
    metrics.describeBacklogSeconds.set(
      oldestCreatedAt === null ? 0 : Math.max(0, (Date.now() - oldestCreatedAt) / 1000),
    );
  }
  if (cursors.status === "fulfilled") {
    setReaders(metrics, cursors.value);
    const relay = cursors.value.find((cursor) => cursor.name === parts.relayCursor);
    if (relay !== undefined) {
      metrics.relayLagEvents.set(relay.lagEvents);
      metrics.relayLagSeconds.set(relay.lagSeconds);
    }
  }
  return metrics.registry.metrics();
}

/** A cursor that is gone has no series. */
function setReaders({ readerLagEvents, readerLagSeconds }: Metrics, cursors: readonly DurableCursor[]): void {
  readerLagEvents.reset();
  readerLagSeconds.reset();
  for (const { name, lagEvents, lagSeconds } of cursors) {
    readerLagEvents.set({ reader: name }, lagEvents);
    readerLagSeconds.set({ reader: name }, lagSeconds);
  }
}

/** A store without a quota, or without a limit of that unit, has no series. */
function setQuota({ quotaLimit, quotaUsed }: Metrics, quota: Quota | undefined): void {
  const units = { bytes: quota?.maxBytes ?? null, images: quota?.maxImages ?? null };
  for (const [unit, limit] of Object.entries(units) as ["bytes" | "images", number | null][]) {
    if (quota === undefined || limit === null) {
      quotaLimit.remove(unit);
      quotaUsed.remove(unit);
      continue;
    }
    quotaLimit.set({ unit }, limit);
    quotaUsed.set({ unit }, quota.used[unit]);
  }
}
