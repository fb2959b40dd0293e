import type { Page, PageQuery } from "../domain/page.ts";
import type { DeliveryAttempt, WebhookSecret, WebhookStatus, WebhookToDeliver } from "../domain/webhook.ts";

/** What the catalog keeps of webhooks. */
export interface WebhookCatalog {
  webhook(id: string): Promise<WebhookStatus | undefined>;
  /** By the time when they were made. */
  webhooks(query: Pick<PageQuery, "limit" | "start">): Promise<Page<WebhookStatus>>;
  /** The present one first; former ones may have ended. */
  webhookSecrets(id: string): Promise<readonly WebhookSecret[] | undefined>;
  /** The attempts that are kept, the newest first. */
  webhookDeliveries(query: DeliveryQuery): Promise<Page<DeliveryAttempt>>;
  /** For the worker, with secrets: all that are neither paused nor disabled, or those of them with these ids. */
  webhooksToDeliver(ids?: readonly string[]): Promise<readonly WebhookToDeliver[]>;
}

export interface DeliveryQuery extends Pick<PageQuery, "limit" | "start"> {
  readonly webhookId: string;
}
