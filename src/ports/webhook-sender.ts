import type { SerializedCloudEvent } from "../domain/event.ts";
import type { AttemptOutcome, WebhookSecret } from "../domain/webhook.ts";

/** Sends events to URLs that clients name. */
export interface WebhookSender extends Disposable {
  /**
   * Whether the store may connect to the URL, as its name resolves now. Each attempt looks again.
   * @throws StoreError `invalid_webhook_url`, which says why not
   */
  requireAllowed(url: string): Promise<void>;
  /** One attempt, in bounded time. A failure is in the outcome; it rejects only when the signal aborts. */
  send(delivery: OutboundDelivery, signal: AbortSignal): Promise<SentAttempt>;
}

export interface OutboundDelivery {
  readonly url: string;
  /** Those that sign now. */
  readonly secrets: readonly Pick<WebhookSecret, "secret">[];
  readonly event: SerializedCloudEvent;
}

export interface SentAttempt extends AttemptOutcome {
  /** Milliseconds that the receiver asks to wait for (`Retry-After`); null where it asks for nothing. */
  readonly retryAfter: number | null;
}
