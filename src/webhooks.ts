import { createOutbound } from "./adapters/outbound/outbound.ts";
import { createWebhookSender } from "./adapters/outbound/webhook-sender.ts";
import type { Config } from "./config.ts";
import type { WebhookSender } from "./ports/webhook-sender.ts";
import { VERSION } from "./version.ts";

/** Sends webhooks to where the configuration allows. The caller disposes of it. */
export const openWebhookSender = ({ outbound }: Pick<Config, "outbound">): WebhookSender =>
  createWebhookSender({ outbound: createOutbound({ rules: outbound }), userAgent: `image-store/${VERSION}` });
