import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { createDurations } from "./durations.ts";

/** Default metrics that have nothing to say, or nothing true, on Bun: JavaScriptCore has no V8 heap spaces, its virtual reservation is no heap. */
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

/**
 * All that Prometheus sees. Labels are operation ids and port methods, never a path or a name: their number is bounded.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  for (const name of MEANINGLESS) registry.removeSingleMetric(name);

  const counter = <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Counter({ name: `image_store_${name}`, help, labelNames, registers });
  const gauge = <Label extends string = never>(name: string, help: string, labelNames: readonly Label[] = []) =>
    new Gauge({ name: `image_store_${name}`, help, labelNames, registers });
  const durations = (name: string, help: string, labelNames: readonly [string, string]) =>
    createDurations(registry, { name: `image_store_${name}`, help, labelNames });

  return {
    registry,
    requestDuration: durations(
      "http_request_duration_seconds",
      "Requests by operation and status, until the answer was ready; its count is the number of requests",
      ["operation", "status"],
    ),
    receivedBytes: counter("http_received_bytes_total", "Bytes of request bodies", ["operation"]),
    sentBytes: counter("http_sent_bytes_total", "Bytes of answers' bodies", ["operation"]),
    uploadsInFlight: gauge("uploads_in_flight", "Uploads that are being received"),
    sseClients: gauge("sse_clients", "Open event streams"),
    commitBatchSize: new Histogram({
      name: "image_store_catalog_commit_batch_size",
      help: "Changes in one transaction",
      buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
      registers,
    }),
    catalogDuration: durations("catalog_operation_duration_seconds", "Calls of the catalog by operation and outcome", [
      "operation",
      "outcome",
    ]),
    blobDuration: durations("blob_operation_duration_seconds", "Calls of the blob store by operation and outcome", [
      "operation",
      "outcome",
    ]),
    rendererDuration: durations(
      "renderer_operation_duration_seconds",
      "Calls of the renderer by operation and outcome",
      ["operation", "outcome"],
    ),
    relayLagEvents: gauge("relay_lag_events", "Events that the relay has not yet seen acknowledged by Kafka"),
    relayLagSeconds: gauge("relay_lag_seconds", "Age of the oldest of those"),
    relayedEvents: counter("relay_events_total", "Events that Kafka has acknowledged"),
    relayFailures: counter("relay_failures_total", "Times that a batch could not be published and was tried again"),
    cursorsGivenUp: counter("event_cursors_given_up_total", "Durable cursors given up because the log passed its size"),
    leaseHeld: gauge("lease_held", "Whether this node does what one node at a time does", ["lease"]),
    leaseTakeovers: counter("lease_takeovers_total", "Times that this node has taken a lease", ["lease"]),
    albums: gauge("albums", "Albums"),
    images: gauge("images", "Images"),
    imageBytes: gauge("image_bytes", "Bytes of all images"),
    variantLookups: counter("variant_lookups_total", "Variants looked for in the cache, by hit and miss", ["outcome"]),
    variantEvictions: counter("variant_evictions_total", "Variants that left the cache to make room"),
    variantCacheBytes: gauge("variant_cache_bytes", "Bytes that the cached variants take of the disk"),
    variantCacheEntries: gauge("variant_cache_entries", "Cached variants"),
    originalLookups: counter("original_lookups_total", "Originals looked for in the cache, by hit and miss", [
      "outcome",
    ]),
    originalEvictions: counter("original_evictions_total", "Originals that left the cache to make room"),
    originalsCacheBytes: gauge("originals_cache_bytes", "Bytes that the cached originals take of the disk"),
    originalsCacheEntries: gauge("originals_cache_entries", "Cached originals"),
    freeBytes: gauge("blobs_free_bytes", "Free space where bytes are stored"),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
