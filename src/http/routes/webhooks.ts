import { z } from "@hono/zod-openapi";
import type { WebhookPatch, WebhookStatus } from "../../domain/webhook.ts";
import {
  createWebhook,
  deleteWebhook,
  getWebhook,
  listWebhooks,
  type SecretWebhook,
  updateWebhook,
  type WebhookDeps,
} from "../../operations/webhooks.ts";
import { recordTag, tagPreconditions } from "../conditional.ts";
import { fingerprint, readIdempotencyKey } from "../idempotency-key.ts";
import { pageOf, pageParameters } from "../listing-schemas.ts";
import { answerPage, pageQuery, pageScope } from "../paging.ts";
import { answerRecord, CHANGED, CREATED, REPLAYED } from "../record-answer.ts";
import { answers, jsonText, type Route, route } from "../route.ts";
import {
  secretWebhookSchema,
  toWebhookAnswer,
  webhookCreateSchema,
  webhookPatchSchema,
  webhookSchema,
} from "../webhook-schemas.ts";

export const WEBHOOK_TAG = "Webhooks";
const tag = WEBHOOK_TAG;
const pathOf = (id: string) => `/v1/webhooks/${id}`;

const albums = { names: ["client-*"] };
export const webhookExample = {
  id: "4Bq7mXw2Zr9TkLc1",
  url: "https://hooks.example.com/images",
  types: ["imagestore.image.created", "imagestore.image.deleted"],
  albums,
  description: "Purges the CDN",
  paused: false,
  disabled: null,
  revision: 1,
  createdAt: "2026-07-14T09:30:00.000Z",
  updatedAt: "2026-07-14T09:30:00.000Z",
  createdBy: { kind: "key", id: "x2BvQ7LmT9sRk4Wd", name: "admin" },
  formerSecretsUntil: null,
  delivery: {
    cursor: "MS4yOTUwMDMyMS4xMDQy",
    lagEvents: 0,
    blockedAlbums: 0,
    failingSince: null,
    retryAt: null,
    lostEventsAt: null,
    replay: null,
  },
};
export const secretExample = { ...webhookExample, secret: "whsec_…" };

const create = route(
  {
    method: "POST",
    path: "/v1/webhooks",
    operationId: "createWebhook",
    right: ["admin", "events"],
    summary: "Create a webhook",
    description:
      "The store sends each event by a POST that is signed as Standard Webhooks describes, at least once, in the order of each album. Only this " +
      "response has the secret. The webhook stays when the key that makes it is revoked. The caller needs the right `events` on all albums whose " +
      "events are sent.",
    tag,
    body: {
      schema: webhookCreateSchema,
      example: {
        url: webhookExample.url,
        types: webhookExample.types,
        albums,
        description: webhookExample.description,
      },
    },
    requestHeaders: ["Idempotency-Key"],
    responses: {
      201: answers("The webhook, with its secret.", secretWebhookSchema, secretExample, [
        ...CREATED,
        "Cache-Control",
        "Idempotent-Replayed",
      ]),
    },
    errors: [
      "invalid_webhook_url",
      "too_many_webhooks",
      "cursor_unknown",
      "cursor_expired",
      "request_in_progress",
      "idempotency_key_reused",
    ],
  },
  async (request, deps: WebhookDeps) => {
    const { body, caller, traceparent } = request;
    const key = readIdempotencyKey(request);
    const created = await createWebhook(deps, {
      caller,
      url: body.url,
      types: body.types ?? null,
      albums: body.albums ?? "*",
      description: body.description ?? null,
      secret: body.secret,
      from: body.from ?? null,
      idempotency: key && { ...key, fingerprint: fingerprint(request, body) },
      traceparent,
    });
    const location = pathOf(created.webhook.id);
    return answerSecret(201, created, { Location: location, ...(created.replayed ? REPLAYED : {}) });
  },
);

/** The one answer that has the secret. */
export function answerSecret(
  status: 200 | 201,
  { webhook, secret }: SecretWebhook,
  headers: Readonly<Record<string, string>> = {},
): Response {
  const record = toWebhookAnswer(webhook);
  return jsonText(status, JSON.stringify({ ...record, secret }), {
    ETag: recordTag(webhook, JSON.stringify(record)),
    "Cache-Control": "no-store",
    "Content-Location": pathOf(webhook.id),
    ...headers,
  });
}

const list = route(
  {
    method: "GET",
    path: "/v1/webhooks",
    operationId: "listWebhooks",
    right: "admin",
    summary: "List webhooks",
    description: "By the time when they were made.",
    tag,
    query: z.strictObject({ pageSize: pageParameters.pageSize, pageToken: pageParameters.pageToken }),
    responses: {
      200: answers(
        "A page of webhooks.",
        pageOf(webhookSchema, "WebhookPage"),
        { items: [webhookExample], nextPageToken: "WzEsIjJr…", watermark: "MS4xLjQy" },
        ["Link"],
      ),
    },
    errors: ["invalid_page_token"],
  },
  async (request, deps: WebhookDeps) => {
    const order = { ...request.query, orderBy: "createdAt" } as const;
    const scope = pageScope("listWebhooks", order);
    const { limit, start } = pageQuery(order, scope);
    const page = await listWebhooks(deps, request.caller, { limit, ...(start === undefined ? {} : { start }) });
    return answerPage(request, { ...page, items: page.items.map(toWebhookAnswer) }, scope);
  },
);

const get = route(
  {
    method: "GET",
    path: "/v1/webhooks/{webhook}",
    operationId: "getWebhook",
    right: "admin",
    summary: "Get a webhook",
    description:
      "The ETag also changes with the state of the deliveries, which `If-Match` of a write does not compare.",
    tag,
    requestHeaders: ["If-None-Match", "If-Match"],
    responses: {
      200: answers("The webhook.", webhookSchema, webhookExample, ["ETag"]),
      304: { description: "The client's copy is current.", headers: ["ETag"] },
    },
    errors: ["webhook_not_found", "precondition_failed"],
  },
  async (request, deps: WebhookDeps) => {
    const { caller, params } = request;
    return answerRecord(request, toWebhookAnswer(await getWebhook(deps, { caller, id: params.webhook })));
  },
);

const update = route(
  {
    method: "PATCH",
    path: "/v1/webhooks/{webhook}",
    operationId: "updateWebhook",
    right: "admin",
    summary: "Update a webhook",
    description:
      "A merge patch (RFC 7396). `paused` stops the deliveries, and lets them go on where they stopped; `disabled: null` enables a webhook that the " +
      "store has disabled. After either, and with another `url`, what waits for a retry is sent at once. To change `url`, `types` or `albums` the " +
      "caller needs the right `events` on all albums whose events are sent.",
    tag,
    body: {
      schema: webhookPatchSchema,
      example: { paused: true },
      types: ["application/merge-patch+json", "application/json"],
    },
    requestHeaders: ["If-Match"],
    responses: {
      200: answers("The changed webhook.", webhookSchema, { ...webhookExample, paused: true, revision: 2 }, CHANGED),
    },
    errors: ["webhook_not_found", "invalid_webhook_url", "precondition_failed"],
  },
  async (request, deps: WebhookDeps) => {
    const { body, caller, params, raw, traceparent } = request;
    const { url, types, albums: selected, description, paused, disabled } = body;
    const patch: WebhookPatch = {
      ...(url === undefined ? {} : { url }),
      ...(types === undefined ? {} : { types }),
      ...(selected === undefined ? {} : { albums: selected }),
      ...(description === undefined ? {} : { description }),
      ...(paused === undefined ? {} : { paused }),
      ...(disabled === undefined ? {} : { disabled }),
    };
    const preconditions = tagPreconditions(raw.headers);
    return answerChanged(await updateWebhook(deps, { caller, id: params.webhook, patch, preconditions, traceparent }));
  },
);

function answerChanged(webhook: WebhookStatus): Response {
  const text = JSON.stringify(toWebhookAnswer(webhook));
  return jsonText(200, text, { ETag: recordTag(webhook, text), "Content-Location": pathOf(webhook.id) });
}

const remove = route(
  {
    method: "DELETE",
    path: "/v1/webhooks/{webhook}",
    operationId: "deleteWebhook",
    right: "admin",
    summary: "Delete a webhook",
    description: "Its deliveries are deleted with it. An attempt under way may still arrive.",
    tag,
    requestHeaders: ["If-Match"],
    responses: { 204: { description: "The webhook was deleted." } },
    errors: ["webhook_not_found", "precondition_failed"],
  },
  async ({ caller, params, raw, traceparent }, deps: WebhookDeps) => {
    const preconditions = tagPreconditions(raw.headers);
    await deleteWebhook(deps, { caller, id: params.webhook, preconditions, traceparent });
    return new Response(null, { status: 204 });
  },
);

export const webhookRoutes: readonly Route<WebhookDeps>[] = [create, list, get, update, remove];
