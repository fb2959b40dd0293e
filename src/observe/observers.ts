import type { RefusedEvent } from "../domain/event.ts";
import type { RefusalReason } from "../domain/token.ts";
import type { DeliveryAttempt, DisabledReason } from "../domain/webhook.ts";
import type { FailureReports } from "./errors.ts";
import type { Logger } from "./logger.ts";
import type { Metrics } from "./metrics.ts";

/** Observers of the background work of this node: log lines and metrics. */

interface Retry {
  readonly attempts: number;
  /** Milliseconds until the next attempt. */
  readonly delay: number;
}

const retryFields = ({ attempts, delay }: Retry) => ({ attempts, delay: Math.round(delay) });

export function observeLeases(
  logger: Logger,
  reports: FailureReports,
  metrics: Pick<Metrics, "leaseHeld" | "leaseTakeovers">,
) {
  return {
    waiting(lease: string): void {
      metrics.leaseHeld.set({ lease }, 0);
    },
    taken(lease: string, token: number): void {
      metrics.leaseHeld.set({ lease }, 1);
      metrics.leaseTakeovers.inc({ lease });
      reports.recovered(`lease ${lease}`, "lease recovered", { lease });
      logger.info({ lease, token }, "lease taken: its work starts on this node");
    },
    lost(lease: string, reason: string): void {
      metrics.leaseHeld.set({ lease }, 0);
      logger.warn({ lease, reason }, "lease lost: its work stops on this node");
    },
    released(lease: string): void {
      metrics.leaseHeld.set({ lease }, 0);
      logger.info({ lease }, "lease released");
    },
    failed(lease: string, error: unknown): void {
      reports.failed(`lease ${lease}`, error, "lease or its work failed: retrying", { lease });
    },
  };
}

/** Where events are numbered after their commit, no reader sees an event before it has its number. */
export const observeNumbering = (reports: FailureReports) => ({
  failed(error: unknown, retry: Retry): void {
    reports.failed("numbering", error, "numbering of events failed: retrying", retryFields(retry));
  },
  recovered(): void {
    reports.recovered("numbering", "numbering of events recovered");
  },
});

/** The relay's lag is read at the scrape. */
export function observeRelay(
  logger: Logger,
  reports: FailureReports,
  metrics: Pick<Metrics, "relayedEvents" | "relayFailures" | "relayRefusals">,
) {
  return {
    published(events: number): void {
      reports.recovered("relay", "relay to Kafka recovered");
      metrics.relayedEvents.inc(events);
    },
    refused({ event, reason }: RefusedEvent): void {
      const { id, type, subject, sequence } = event.attributes;
      metrics.relayRefusals.inc();
      logger.error({ event: { id, type, subject, sequence }, reason }, "Kafka refused an event in every form: skipped");
    },
    failed(error: unknown, retry: Retry): void {
      metrics.relayFailures.inc();
      reports.failed("relay", error, "relay to Kafka failed: retrying", retryFields(retry));
    },
    cursorLost(): void {
      logger.warn("relay cursor was dropped: restarting at the oldest kept event");
    },
    rewound(): void {
      logger.info("relay cursor was rewound: publishing again from there");
    },
  };
}

/** The lag of each webhook is read at the scrape. */
export function observeWebhooks(
  logger: Logger,
  reports: FailureReports,
  metrics: Pick<Metrics, "webhookDeliveries" | "webhooksDisabled">,
) {
  return {
    attempted(_webhookId: string, { delivered }: Pick<DeliveryAttempt, "delivered">): void {
      metrics.webhookDeliveries.inc({ outcome: delivered ? "delivered" : "failed" });
    },
    disabled(webhook: string, reason: DisabledReason): void {
      metrics.webhooksDisabled.inc({ reason });
      logger.warn({ webhook, reason }, "webhook disabled: enable it to go on where it stopped");
    },
    failed(error: unknown, retry: Retry): void {
      reports.failed("webhooks", error, "deliveries to webhooks failed: retrying", retryFields(retry));
    },
  };
}

export function observeSweep(logger: Logger, metrics: Pick<Metrics, "sweepClaimed" | "sweepRemoved" | "sweepStopped">) {
  return {
    claimed({ blobs, bytes, keys }: { blobs: number; bytes: number; keys: readonly string[] }): void {
      metrics.sweepClaimed.inc(blobs);
      logger.warn({ blobs, bytes, keys }, "sweep found blobs without a record: removing them after the grace");
    },
    removed(blobs: number): void {
      metrics.sweepRemoved.inc(blobs);
      logger.info({ blobs }, "sweep removed blobs");
    },
    stopped(reason: "owner" | "share", why: string | undefined): void {
      metrics.sweepStopped.set({ reason }, why === undefined ? 0 : 1);
      if (why !== undefined) logger.error({ reason, why }, "sweep stopped: keeping all blobs without a record");
    },
  };
}

export const observeTokens = (
  reports: FailureReports,
  metrics: Pick<Metrics, "tokenKeys" | "tokenKeyFailures" | "tokenRefusals">,
) => ({
  loaded(keys: number): void {
    metrics.tokenKeys.set(keys);
    reports.recovered("token keys", "keys of the token issuer were fetched again");
  },
  failed(error: unknown): void {
    metrics.tokenKeyFailures.inc();
    reports.failed("token keys", error, "keys of the token issuer could not be fetched: keeping the earlier ones");
  },
  refused(reason: RefusalReason): void {
    metrics.tokenRefusals.inc({ reason });
  },
  unfit(claims: readonly string[]): void {
    reports.failed(
      "token rules",
      `no fitting value in ${claims.join(", ")}`,
      "a token got fewer albums than its rules say",
      { claims },
    );
  },
});

/** Of variants: observed at every request for one. */
export const observeVariantCache = (
  metrics: Pick<Metrics, "variantLookups" | "variantEvictions" | "variantCacheBytes" | "variantCacheEntries">,
) =>
  observeCache({
    lookups: metrics.variantLookups,
    evictions: metrics.variantEvictions,
    bytes: metrics.variantCacheBytes,
    entries: metrics.variantCacheEntries,
  });

export const observeOriginalsCache = (
  metrics: Pick<Metrics, "originalLookups" | "originalEvictions" | "originalsCacheBytes" | "originalsCacheEntries">,
) =>
  observeCache({
    lookups: metrics.originalLookups,
    evictions: metrics.originalEvictions,
    bytes: metrics.originalsCacheBytes,
    entries: metrics.originalsCacheEntries,
  });

function observeCache(metrics: {
  readonly lookups: Metrics["variantLookups"];
  readonly evictions: Metrics["variantEvictions"];
  readonly bytes: Metrics["variantCacheBytes"];
  readonly entries: Metrics["variantCacheEntries"];
}) {
  // Resolved once, since a lookup happens at every request.
  const hits = metrics.lookups.labels({ outcome: "hit" });
  const misses = metrics.lookups.labels({ outcome: "miss" });
  return {
    found(hit: boolean): void {
      (hit ? hits : misses).inc();
    },
    evicted(count: number): void {
      metrics.evictions.inc(count);
    },
    holds({ bytes, entries }: { bytes: number; entries: number }): void {
      metrics.bytes.set(bytes);
      metrics.entries.set(entries);
    },
  };
}
