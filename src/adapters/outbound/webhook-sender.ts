import { StoreError } from "../../domain/errors.ts";
import { cloudEventJson } from "../../domain/event.ts";
import { OutboundError } from "../../domain/outbound.ts";
import { parseRetryAfter } from "../../domain/webhook-schedule.ts";
import type { SentAttempt, WebhookSender } from "../../ports/webhook-sender.ts";
import type { Outbound } from "./outbound.ts";
import { signWebhook } from "./sign-webhook.ts";

export interface WebhookSenderOptions {
  /** Disposed of with the sender. */
  readonly outbound: Outbound;
  /** As the header User-Agent names it. */
  readonly userAgent: string;
  /** Milliseconds until the status of the response must have arrived. Default: 15,000. */
  readonly timeout?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const TIMEOUT = 15_000;
/** Of a response, with the attempt. */
const KEPT_BYTES = 1024;
const CONTENT_TYPE = "application/cloudevents+json; charset=utf-8";

/** Sends CloudEvents as Standard Webhooks 1.0 says. */
export function createWebhookSender({
  outbound,
  userAgent,
  timeout = TIMEOUT,
  now = Date.now,
}: WebhookSenderOptions): WebhookSender {
  return {
    async requireAllowed(url) {
      try {
        await outbound.check(url);
      } catch (error) {
        if (!(error instanceof OutboundError)) throw error;
        const { code, message, cause } = error;
        const errors = [{ pointer: "/url", detail: message }];
        throw new StoreError("invalid_webhook_url", message, { errors, reason: code, cause });
      }
    },
    async send({ url, secrets, event }, signal) {
      const began = performance.now();
      const attempt = (outcome: Partial<SentAttempt>): SentAttempt => ({
        delivered: false,
        milliseconds: Math.round(performance.now() - began),
        status: null,
        error: null,
        response: "",
        retryAfter: null,
        ...outcome,
      });
      try {
        const message = { id: event.attributes.id, timestamp: Math.floor(now() / 1000), body: cloudEventJson(event) };
        const signature = await signWebhook(message, secrets);
        const headers = { "content-type": CONTENT_TYPE, "user-agent": userAgent, ...signature };
        const {
          status,
          headers: answered,
          body,
        } = await outbound.post(url, { headers, body: message.body, timeout, signal });
        return attempt({
          delivered: status >= 200 && status < 300,
          status,
          error: errorOf(status),
          response: textOf(body),
          retryAfter: parseRetryAfter(answered.get("retry-after"), now()),
        });
      } catch (error) {
        if (!(error instanceof OutboundError)) throw error;
        return attempt({ error: { code: error.code, detail: error.message } });
      }
    },
    [Symbol.dispose]() {
      outbound[Symbol.dispose]();
    },
  };
}

function errorOf(status: number): SentAttempt["error"] {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400)
    return { code: "redirected", detail: `The receiver redirects with ${status}. Redirects are not followed.` };
  return { code: "unexpected_status", detail: `The receiver responded with ${status} instead of 2xx.` };
}

const decoder = new TextDecoder();

/** A character that is cut in two, and bytes that are no text, become U+FFFD. PostgreSQL takes no NUL. */
const textOf = (body: Uint8Array): string => decoder.decode(body.subarray(0, KEPT_BYTES)).replaceAll("\0", "\uFFFD");
