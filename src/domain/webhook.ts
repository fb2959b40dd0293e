import {
  type Actor,
  type EventType,
  formatSequence,
  isAuditType,
  type LogPosition,
  type SerializedCloudEvent,
  type StoredEvent,
  WEBHOOK_TEST_TYPE,
} from "./event.ts";
import type { GrantRecord } from "./grant.ts";
import { includesAlbum, type Visibility } from "./visibility.ts";

/** Webhooks of a store. */
export const MAX_WEBHOOKS = 1000;
/** Attempts that are kept of each webhook. */
export const MAX_DELIVERIES = 1000;
/** How long the secret before the present one signs too. Milliseconds. */
export const SECRET_OVERLAP_MS = 24 * 60 * 60 * 1000;
/** Former secrets that still sign. */
export const MAX_FORMER_SECRETS = 4;
export const MAX_DESCRIPTION_CHARACTERS = 500;
/** Of its albums as JSON, since the event of a webhook is under 32 KiB. */
export const MAX_ALBUMS_BYTES = 20 * 1024;

/** `gone`: the receiver answered 410. `failing`: every delivery failed for five days. */
export const DISABLED_REASONS = ["gone", "failing"] as const;
export type DisabledReason = (typeof DISABLED_REASONS)[number];

/** Which events a webhook gets. */
export interface WebhookSelection {
  /** Null: all events of albums and images. Those of the audit trail are named. */
  readonly types: readonly EventType[] | null;
  /** By the names that albums had when the events were written. Events of the audit trail do not go by albums. */
  readonly albums: GrantRecord["albums"];
}

/** A webhook as events show it: all but its secrets and the state of its deliveries. */
export interface Webhook extends WebhookSelection {
  readonly id: string;
  readonly url: string;
  readonly description: string | null;
  readonly paused: boolean;
  /** Set by the store, null again by a client. */
  readonly disabled: { readonly reason: DisabledReason; readonly at: string } | null;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  readonly createdBy: Actor;
}

/** Absent fields stay as they are. */
export interface WebhookPatch {
  readonly url?: string;
  readonly types?: readonly EventType[] | null;
  readonly albums?: GrantRecord["albums"];
  readonly description?: string | null;
  readonly paused?: boolean;
  /** Enables it again. */
  readonly disabled?: null;
}

/** A webhook with how far its deliveries are. */
export interface WebhookStatus extends Webhook {
  /** When the last of the former secrets ends; null where the present one alone signs. */
  readonly formerSecretsUntil: string | null;
  readonly delivery: WebhookDelivery;
}

export interface WebhookDelivery {
  /** Everything up to here was delivered, left out, or waits in a blocked album. */
  readonly position: LogPosition;
  /** Events of the log behind the position. */
  readonly lagEvents: number;
  readonly blockedAlbums: number;
  /** Since when every attempt has failed; null after a success. */
  readonly failingSince: string | null;
  /** When the next attempt is due, where all deliveries wait for it. */
  readonly retryAt: string | null;
  /** When the log last dropped events before they were delivered; null: never. */
  readonly lostEventsAt: string | null;
  /** The range that is being sent again. */
  readonly replay: { readonly position: LogPosition; readonly until: LogPosition } | null;
}

/** As Standard Webhooks writes it: `whsec_…`. */
export interface WebhookSecret {
  readonly secret: string;
  /** Milliseconds since 1970; null: the present one. */
  readonly until: number | null;
}

/** `live` follows the log; `replay` sends a range of it again, and ends. */
export type ReaderKind = "live" | "replay";

/**
 * Where a webhook's deliveries are, as the worker reads and saves it. Events of a blocked album, from its first one that was
 * not delivered, wait until that is delivered; all others up to `position` are settled.
 */
export interface WebhookReader {
  readonly webhookId: string;
  readonly kind: ReaderKind;
  /** Grows when a client moves or resets the reader: what a worker saves for an earlier one is left out. */
  readonly generation: number;
  /** Sequence number. */
  readonly position: number;
  /** Of a replay: the last sequence number that it sends. */
  readonly until: number | null;
  /** Failures since the last success, of all albums. */
  readonly failures: number;
  /** In milliseconds since 1970, as all times here. Null after a success. */
  readonly failingSince: number | null;
  /** All deliveries wait until then. */
  readonly retryAt: number | null;
  readonly blocked: readonly BlockedAlbum[];
}

/** An album whose events wait for the retry of the first of them. */
export interface BlockedAlbum {
  /** Empty for the events of no album. */
  readonly albumId: string;
  /** Sequence number of the first event that was not delivered. */
  readonly seq: number;
  readonly attempts: number;
  readonly nextAttemptAt: number;
  readonly failingSince: number;
}

/** What the worker needs of a webhook. */
export interface WebhookToDeliver {
  readonly webhook: Webhook;
  /** The present one first; former ones may have ended. */
  readonly secrets: readonly WebhookSecret[];
  /** The live one first. */
  readonly readers: readonly WebhookReader[];
}

/** One attempt to deliver an event, as it is kept. */
export interface DeliveryAttempt extends AttemptOutcome {
  /** UUIDv7, so that ids have the order of time. */
  readonly id: string;
  readonly eventId: string;
  readonly type: EventType;
  readonly seq: number;
  readonly replay: boolean;
  /** From 1. */
  readonly attempt: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
}

/** What came of an attempt. */
export interface AttemptOutcome {
  readonly delivered: boolean;
  readonly milliseconds: number;
  /** Status of the answer; null without one. */
  readonly status: number | null;
  /** Why it failed, as a code and as a sentence; null for a success. */
  readonly error: { readonly code: string; readonly detail: string } | null;
  /** The beginning of the answer's body, at most 1 KiB. */
  readonly response: string;
}

/** The name of its durable cursor, which keeps the log from dropping what is not delivered. */
export const webhookCursor = (id: string): string => `${WEBHOOK_CURSORS}${id}`;
export const WEBHOOK_CURSORS = "webhook:";

export const subjectOfWebhook = (id: string): string => `webhooks/${id}`;
export const webhookOfSubject = (subject: string | null): string | undefined =>
  subject?.startsWith("webhooks/") === true ? subject.slice("webhooks/".length) : undefined;

/** The albums of a webhook as a predicate of queries. */
export const albumsOfWebhook = ({ albums }: Pick<WebhookSelection, "albums">): Visibility =>
  albums === "*" ? "all" : { ids: albums.ids ?? [], names: albums.names ?? [], public: false };

/** Whether the webhook gets the event. */
export function selectsEvent(selection: WebhookSelection, event: StoredEvent): boolean {
  const { types } = selection;
  if (types === null ? isAuditType(event.type) : !types.includes(event.type)) return false;
  const albums = albumsOfWebhook(selection);
  if (albums === "all" || isAuditType(event.type)) return true;
  const { name, album } = JSON.parse(event.data) as { readonly name: string; readonly album?: string };
  return includesAlbum(albums, { id: event.albumId, name: event.imageId === null ? name : (album ?? "") });
}

/** Of a test. It is not in the log, so it has a position that another event may have. */
export const webhookTestEvent = (
  webhook: Webhook,
  { storeId, position }: { readonly storeId: string; readonly position: LogPosition },
): SerializedCloudEvent => ({
  attributes: {
    specversion: "1.0",
    id: Bun.randomUUIDv7(),
    source: `/image-store/${storeId}`,
    type: WEBHOOK_TEST_TYPE,
    subject: subjectOfWebhook(webhook.id),
    time: new Date().toISOString(),
    datacontenttype: "application/json",
    partitionkey: storeId,
    sequence: formatSequence(position),
  },
  data: JSON.stringify({ ...webhook, reason: "user" }),
});
