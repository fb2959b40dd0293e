import type { Clock } from "../../concurrency/clock.ts";
import type { Backoff } from "../../concurrency/retry.ts";
import type { DeliveryAttempt, DisabledReason } from "../../domain/webhook.ts";
import type { WebhookSender } from "../../ports/webhook-sender.ts";
import type { Catalog } from "../../ports.ts";
import type { DurableReaderObserver } from "../durable-reader.ts";

/** How soon things happen, in milliseconds. Tests shorten them. */
export interface WebhookTimes {
  /** Between reads of a log that has not notified. */
  readonly pollInterval?: number;
  /** Between two saves. */
  readonly saveInterval?: number;
  /** The delay before a retry, by the number of failures and a random number from 0 to 1. Default: that of the schedule. */
  readonly retryDelay?: (failures: number, random: number) => number;
}

export interface WebhooksOptions extends Backoff, WebhookTimes {
  readonly catalog: Pick<Catalog, "storeId" | "write" | "events" | "log" | "onEvents" | "webhooksToDeliver">;
  readonly sender: Pick<WebhookSender, "send">;
  readonly observer?: WebhooksObserver;
  /** Whether this node may still do the work. */
  readonly isHeld?: () => boolean;
  /** Deliveries in flight at a time, over all webhooks. */
  readonly maxInFlight?: number;
  readonly clock?: Clock;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** From 0 to 1. */
  readonly random?: () => number;
}

export interface WebhooksObserver extends DurableReaderObserver {
  attempted(webhookId: string, attempt: DeliveryAttempt): void;
  disabled(webhookId: string, reason: DisabledReason): void;
}
