import { forbidden } from "../domain/access.ts";
import { authorize, type Caller, requesterOf } from "../domain/caller.ts";
import type { Idempotency, Preconditions, RecordVersion } from "../domain/change.ts";
import { StoreError, webhookNotFound } from "../domain/errors.ts";
import type { LogPosition } from "../domain/event.ts";
import { rightBeyond } from "../domain/grant.ts";
import type { Page, PageQuery } from "../domain/page.ts";
import {
  type DeliveryAttempt,
  SECRET_OVERLAP_MS,
  type WebhookPatch,
  type WebhookSelection,
  type WebhookStatus,
  webhookTestEvent,
} from "../domain/webhook.ts";
import type { LogPoint, ReplayedRange } from "../domain/webhook-changes.ts";
import { newWebhookSecret, requireWebhookSecret } from "../domain/webhook-secret.ts";
import type { SentAttempt, WebhookSender } from "../ports/webhook-sender.ts";
import type { RunningKeys } from "./idempotency.ts";
import type { RequestCatalog } from "./request-catalog.ts";
import { makeId } from "./secrets.ts";

export interface WebhookDeps {
  readonly catalog: Pick<RequestCatalog, "write" | "webhook" | "webhooks" | "webhookDeliveries" | "webhookSecrets">;
  readonly runningKeys: RunningKeys;
  readonly webhookSender: Pick<WebhookSender, "requireAllowed" | "send">;
}

export interface WebhookTestDeps extends WebhookDeps {
  readonly catalog: WebhookDeps["catalog"] & Pick<RequestCatalog, "storeId" | "log">;
}

interface Asking {
  readonly caller: Caller;
  readonly traceparent?: string | undefined;
}

interface OfWebhook extends Asking {
  readonly id: string;
  readonly preconditions?: Preconditions<RecordVersion> | undefined;
}

export interface WebhookWish extends Asking, WebhookSelection {
  readonly url: string;
  readonly description: string | null;
  /** Absent: the store makes one. */
  readonly secret?: string | undefined;
  readonly from: LogPosition | null;
  readonly idempotency: Idempotency | undefined;
}

/** A webhook with its secret, which is shown when it is made and when it is rotated. */
export interface SecretWebhook {
  readonly webhook: WebhookStatus;
  readonly secret: string;
}

/**
 * The caller must have the right `events` on what the webhook sends.
 * @throws StoreError `forbidden`, `invalid_webhook_url`, `too_many_webhooks`, `cursor_unknown`, `cursor_expired`,
 * `idempotency_key_reused`, `request_in_progress`
 */
export async function createWebhook(
  { catalog, runningKeys, webhookSender }: WebhookDeps,
  wish: WebhookWish,
): Promise<SecretWebhook & { readonly replayed: boolean }> {
  const { url, types, albums, description, from, idempotency } = wish;
  requireEvents(wish.caller, albums);
  const secret = wish.secret === undefined ? newWebhookSecret() : requireWebhookSecret(wish.secret);
  await webhookSender.requireAllowed(url);
  using _ = runningKeys.take(idempotency);
  const { value: webhook, replayed } = await catalog.write({
    type: "createWebhook",
    id: makeId(),
    url,
    types,
    albums,
    description,
    secret,
    from,
    ...(idempotency && { idempotency }),
    ...given(wish),
  });
  return { webhook, replayed, secret: replayed ? await firstSecret(catalog, webhook.id, wish) : secret };
}

export function listWebhooks(
  { catalog }: Pick<WebhookDeps, "catalog">,
  caller: Caller,
  query: Pick<PageQuery, "limit" | "start">,
): Promise<Page<WebhookStatus>> {
  authorize(caller, "admin");
  return catalog.webhooks(query);
}

/** @throws StoreError `webhook_not_found` */
export async function getWebhook(
  { catalog }: Pick<WebhookDeps, "catalog">,
  { caller, id }: Pick<OfWebhook, "caller" | "id">,
): Promise<WebhookStatus> {
  authorize(caller, "admin");
  const webhook = await catalog.webhook(id);
  if (webhook === undefined) throw webhookNotFound();
  return webhook;
}

/**
 * To change what is sent, or where to, the caller must have the right `events` on it.
 * @throws StoreError `webhook_not_found`, `precondition_failed`, `forbidden`, `invalid_webhook_url`
 */
export async function updateWebhook(
  deps: WebhookDeps,
  input: OfWebhook & { readonly patch: WebhookPatch },
): Promise<WebhookStatus> {
  const { id, patch, caller } = input;
  const { albums } = await getWebhook(deps, input);
  const isOther = patch.url !== undefined || patch.types !== undefined || patch.albums !== undefined;
  if (isOther) requireEvents(caller, patch.albums ?? albums);
  if (patch.url !== undefined) await deps.webhookSender.requireAllowed(patch.url);
  // Another caller may give the webhook more albums meanwhile.
  const checked = isOther && patch.albums === undefined ? { checkedAlbums: albums } : {};
  return deps.catalog.write({ type: "updateWebhook", id, patch, ...checked, ...given(input) });
}

/** Nothing more is sent once the attempts under way have ended. @throws StoreError `webhook_not_found`, `precondition_failed` */
export async function deleteWebhook({ catalog }: Pick<WebhookDeps, "catalog">, input: OfWebhook): Promise<void> {
  authorize(input.caller, "admin");
  await catalog.write({ type: "deleteWebhook", id: input.id, ...given(input) });
}

/** The former secret signs too for a day. @throws StoreError `webhook_not_found` */
export async function rotateWebhookSecret(
  { catalog }: Pick<WebhookDeps, "catalog">,
  input: Omit<OfWebhook, "preconditions"> & { readonly secret?: string | undefined },
): Promise<SecretWebhook> {
  const { id } = input;
  authorize(input.caller, "admin");
  const secret = input.secret === undefined ? newWebhookSecret() : requireWebhookSecret(input.secret);
  const change = { type: "rotateWebhookSecret", id, secret, overlap: SECRET_OVERLAP_MS } as const;
  return { webhook: await catalog.write({ ...change, ...given(input) }), secret };
}

/**
 * Sends what follows `from` again, up to `to`.
 * @throws StoreError `webhook_not_found`, `webhook_replaying`, `cursor_unknown`, `cursor_expired`, `invalid_request`
 */
export function replayWebhook(
  { catalog }: Pick<WebhookDeps, "catalog">,
  input: Omit<OfWebhook, "preconditions"> & { readonly from: LogPoint; readonly to: LogPoint | null },
): Promise<ReplayedRange> {
  const { id, from, to } = input;
  authorize(input.caller, "admin");
  return catalog.write({ type: "replayWebhook", id, from, to, ...given(input) });
}

/** The last attempts, newest first. @throws StoreError `webhook_not_found` */
export async function listDeliveries(
  deps: Pick<WebhookDeps, "catalog">,
  { caller, id, ...query }: Pick<OfWebhook, "caller" | "id"> & Pick<PageQuery, "limit" | "start">,
): Promise<Page<DeliveryAttempt>> {
  await getWebhook(deps, { caller, id });
  return deps.catalog.webhookDeliveries({ webhookId: id, ...query });
}

/**
 * Sends one event that is not in the log, also of a webhook that is paused or disabled. It counts as no delivery.
 * @throws StoreError `webhook_not_found`
 */
export async function testWebhook(
  { catalog, webhookSender }: WebhookTestDeps,
  { caller, id }: Pick<OfWebhook, "caller" | "id">,
  signal: AbortSignal,
): Promise<SentAttempt & { readonly eventId: string }> {
  const { delivery: _delivery, formerSecretsUntil: _until, ...webhook } = await getWebhook({ catalog }, { caller, id });
  const secrets = await catalog.webhookSecrets(id);
  if (secrets === undefined) throw webhookNotFound();
  const { epoch, lastSequence } = await catalog.log();
  const event = webhookTestEvent(webhook, { storeId: catalog.storeId, position: { epoch, seq: lastSequence } });
  const now = Date.now();
  const signing = secrets.filter(({ until }) => until === null || until > now);
  return {
    eventId: event.attributes.id,
    ...(await webhookSender.send({ url: webhook.url, secrets: signing, event }, signal)),
  };
}

/** A webhook gives events to others, so its maker must be able to read them. */
function requireEvents(caller: Caller, albums: WebhookSelection["albums"]): void {
  authorize(caller, "admin");
  authorize(caller, "events");
  const lacking = rightBeyond(caller, [{ rights: new Set(["events"]), albums }]);
  if (lacking !== undefined)
    throw forbidden(lacking, 'The caller needs the right "events" on all albums whose events the webhook sends.');
}

/**
 * The secret that the webhook was made with, for a repeated request. One that came later was shown to who rotated it, and to no other.
 * @throws StoreError `idempotency_key_reused`
 */
async function firstSecret(
  catalog: WebhookDeps["catalog"],
  id: string,
  { secret }: Pick<WebhookWish, "secret">,
): Promise<string> {
  if (secret !== undefined) return secret;
  const [present, ...former] = (await catalog.webhookSecrets(id)) ?? [];
  if (present === undefined) throw webhookNotFound();
  if (former.length === 0) return present.secret;
  throw new StoreError(
    "idempotency_key_reused",
    "The webhook that was made with the idempotency key has another secret by now. To make another webhook, use another key.",
  );
}

const given = ({ caller, traceparent, preconditions }: Asking & Pick<OfWebhook, "preconditions">) => ({
  by: requesterOf(caller, "admin"),
  ...(traceparent === undefined ? {} : { traceparent }),
  ...(preconditions === undefined ? {} : { preconditions }),
});
