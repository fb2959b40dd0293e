import { z } from "@hono/zod-openapi";
import { encodeCursor } from "../../domain/event.ts";
import {
  listDeliveries,
  replayWebhook,
  rotateWebhookSecret,
  testWebhook,
  type WebhookDeps,
  type WebhookTestDeps,
} from "../../operations/webhooks.ts";
import { pageOf, pageParameters } from "../listing-schemas.ts";
import { answerPage, pageQuery, pageScope } from "../paging.ts";
import { answers, json, type Route, route } from "../route.ts";
import {
  deliveryAttemptSchema,
  replayedSchema,
  replaySchema,
  rotateSchema,
  secretWebhookSchema,
  testResultSchema,
} from "../webhook-schemas.ts";
import { answerSecret, secretExample, WEBHOOK_TAG } from "./webhooks.ts";

const tag = WEBHOOK_TAG;

const attempt = {
  id: "0192e4a0-9a11-7c41-8d22-5b6c7d8e9f00",
  eventId: "0192e4a0-8f10-7aa1-8c11-0d9e8f7a6b5c",
  type: "imagestore.image.created",
  cursor: "MS4yOTUwMDMyMS4xMDQy",
  replay: false,
  attempt: 1,
  startedAt: "2026-07-14T09:30:00.000Z",
  delivered: true,
  status: 204,
  error: null,
  milliseconds: 48,
  response: "",
};

const list = route(
  {
    method: "GET",
    path: "/v1/webhooks/{webhook}/deliveries",
    operationId: "listWebhookDeliveries",
    right: "admin",
    summary: "List the last deliveries of a webhook",
    description: "The last 1,000 attempts, newest first.",
    tag,
    query: z.strictObject({ pageSize: pageParameters.pageSize, pageToken: pageParameters.pageToken }),
    responses: {
      200: answers(
        "A page of attempts.",
        pageOf(deliveryAttemptSchema, "DeliveryAttemptPage"),
        { items: [attempt], nextPageToken: "WzEsIjJr…", watermark: "MS4xLjQy" },
        ["Link"],
      ),
    },
    errors: ["webhook_not_found", "invalid_page_token"],
  },
  async (request, deps: WebhookDeps) => {
    const { caller, params, query } = request;
    const order = { ...query, orderBy: "createdAt" } as const;
    const scope = pageScope("listWebhookDeliveries", order, params.webhook);
    const { limit, start } = pageQuery(order, scope);
    const page = await listDeliveries(deps, {
      caller,
      id: params.webhook,
      limit,
      ...(start === undefined ? {} : { start }),
    });
    const { epoch } = page.watermark;
    const items = page.items.map(({ seq, startedAt, ...one }) => ({
      ...one,
      cursor: encodeCursor({ epoch, seq }),
      startedAt: new Date(startedAt).toISOString(),
    }));
    return answerPage(request, { ...page, items }, scope);
  },
);

const { delivered, status, error, milliseconds, response, eventId } = attempt;

const send = route(
  {
    method: "POST",
    path: "/v1/webhooks/{webhook}/test",
    operationId: "testWebhook",
    right: "admin",
    summary: "Send a test event to a webhook",
    description:
      "Sends one event of the type `imagestore.webhook.test`, which is not in the log, and returns what came of it. A webhook that is paused or " +
      "disabled is tested too. The attempt is not among the deliveries.",
    tag,
    responses: {
      200: answers("What came of the attempt.", testResultSchema, {
        eventId,
        delivered,
        status,
        error,
        milliseconds,
        response,
      }),
    },
    errors: ["webhook_not_found"],
  },
  async ({ caller, params, signal }, deps: WebhookTestDeps) => {
    const { retryAfter: _retryAfter, ...result } = await testWebhook(deps, { caller, id: params.webhook }, signal);
    return json(200, result);
  },
);

const replay = route(
  {
    method: "POST",
    path: "/v1/webhooks/{webhook}/replay",
    operationId: "replayWebhook",
    right: "admin",
    summary: "Send events of a webhook again",
    description:
      "Without `to` the webhook goes back to `from`, and sends all events from there in their order. With `to` it sends the range beside new events, " +
      "so a receiver may get an old event after a newer one of the same album; `sequence` tells. A webhook replays one range at a time. Each event has " +
      "the `webhook-id` that it had before.",
    tag,
    body: { schema: replaySchema, example: { from: "2026-07-14T09:30:00Z" } },
    responses: {
      202: answers("The range that is sent again.", replayedSchema, {
        from: "MS4yOTUwMDMyMS45OTA",
        to: "MS4yOTUwMDMyMS4xMDQy",
      }),
    },
    errors: ["webhook_not_found", "webhook_replaying", "cursor_unknown", "cursor_expired"],
  },
  async ({ body, caller, params, traceparent }, deps: WebhookDeps) => {
    const { from, to = null } = body;
    const range = await replayWebhook(deps, { caller, id: params.webhook, from, to, traceparent });
    const { epoch } = range;
    return json(202, { from: encodeCursor({ epoch, seq: range.from }), to: encodeCursor({ epoch, seq: range.to }) });
  },
);

const rotate = route(
  {
    method: "POST",
    path: "/v1/webhooks/{webhook}/rotate-secret",
    operationId: "rotateWebhookSecret",
    right: "admin",
    summary: "Give a webhook another secret",
    description:
      "Deliveries are signed with both secrets for 24 hours, so receivers can change theirs meanwhile. Only this response has the new secret.",
    tag,
    body: { schema: rotateSchema, example: {}, optional: true },
    responses: {
      200: answers("The webhook, with its new secret.", secretWebhookSchema, secretExample, [
        "ETag",
        "Content-Location",
        "Cache-Control",
      ]),
    },
    errors: ["webhook_not_found"],
  },
  async ({ body, caller, params, traceparent }, deps: WebhookDeps) =>
    answerSecret(
      200,
      await rotateWebhookSecret(deps, { caller, id: params.webhook, secret: body.secret, traceparent }),
    ),
);

export const webhookDeliveryRoutes: readonly Route<WebhookTestDeps>[] = [list, send, replay, rotate];
