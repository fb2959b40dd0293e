/** Changes to webhooks: those that administrators ask for, and what the worker saves. */
import type { LogPosition } from "./event.ts";
import type { Idempotency, Preconditions, RecordVersion, Replayable, Requested } from "./requested.ts";
import type {
  BlockedAlbum,
  DeliveryAttempt,
  DisabledReason,
  ReaderKind,
  WebhookPatch,
  WebhookReader,
  WebhookSelection,
  WebhookStatus,
} from "./webhook.ts";

export type WebhookChange =
  | CreateWebhook
  | UpdateWebhook
  | DeleteWebhook
  | RotateWebhookSecret
  | ReplayWebhook
  | SaveDeliveries;

export interface WebhookChangeResults {
  createWebhook: Replayable<WebhookStatus>;
  updateWebhook: WebhookStatus;
  deleteWebhook: null;
  rotateWebhookSecret: WebhookStatus;
  replayWebhook: ReplayedRange;
  saveDeliveries: SavedDeliveries;
}

/**
 * `too_many_webhooks`; `cursor_unknown` and `cursor_expired` for a position that cannot be read; `unauthorized` when the key that
 * makes it was revoked or has expired meanwhile.
 */
export interface CreateWebhook extends Requested, WebhookSelection {
  readonly type: "createWebhook";
  readonly id: string;
  readonly url: string;
  readonly description: string | null;
  /** As Standard Webhooks writes it. Kept as it is, since it signs. */
  readonly secret: string;
  /** Null: the end of the log. */
  readonly from: LogPosition | null;
  readonly idempotency?: Idempotency;
}

/**
 * `webhook_not_found`. With another URL, or when it is enabled or resumed, what waits for a retry is due at once. No event when
 * nothing changes.
 */
export interface UpdateWebhook extends Requested {
  readonly type: "updateWebhook";
  readonly id: string;
  readonly patch: WebhookPatch;
  /** Albums of which the caller may read the events: `precondition_failed` where the webhook has others by now. */
  readonly checkedAlbums?: WebhookSelection["albums"];
  readonly preconditions?: Preconditions<RecordVersion>;
}

/** `webhook_not_found`. Its deliveries go with it. */
export interface DeleteWebhook extends Requested {
  readonly type: "deleteWebhook";
  readonly id: string;
  readonly preconditions?: Preconditions<RecordVersion>;
}

/** `webhook_not_found`. The former secret signs too for `overlap` milliseconds. */
export interface RotateWebhookSecret extends Requested {
  readonly type: "rotateWebhookSecret";
  readonly id: string;
  readonly secret: string;
  readonly overlap: number;
}

/**
 * Sends the events behind `from` again: up to `to` beside the live deliveries, or without it by moving these back.
 * `webhook_not_found`; `invalid_request` where the end is before the beginning; `cursor_unknown`, `cursor_expired`; `webhook_replaying` while another range is sent.
 */
export interface ReplayWebhook extends Requested {
  readonly type: "replayWebhook";
  readonly id: string;
  readonly from: LogPoint;
  readonly to: LogPoint | null;
}

/** A position, or the first event of a time (milliseconds since 1970) or later. */
export type LogPoint = LogPosition | { readonly time: number };

/** Both as sequence numbers: the first is exclusive. */
export interface ReplayedRange {
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
}

/** What the worker did since it last saved. Written under the fence of its lease. */
export interface SaveDeliveries {
  readonly type: "saveDeliveries";
  readonly progress: readonly DeliveryProgress[];
}

/** Of one reader. */
export interface DeliveryProgress
  extends Pick<
    WebhookReader,
    "webhookId" | "kind" | "generation" | "position" | "failures" | "failingSince" | "retryAt"
  > {
  /** Albums that are blocked now, or whose retry is another one. */
  readonly blocked: readonly BlockedAlbum[];
  /** Ids of albums that are not blocked any more. */
  readonly unblocked: readonly string[];
  /** Only the newest are kept. */
  readonly attempts: readonly DeliveryAttempt[];
  /** Disables the webhook, which is an event. */
  readonly disable?: DisabledReason;
}

export interface SavedDeliveries {
  /**
   * Readers to read again: those that are gone, or that a client moved, of which nothing was saved but the attempts; and those that were
   * not disabled, since the other reader of their webhook delivers.
   */
  readonly stale: readonly { readonly webhookId: string; readonly kind: ReaderKind }[];
  /** Webhooks that this disabled; those that were disabled before are not among them. */
  readonly disabled: readonly { readonly webhookId: string; readonly reason: DisabledReason }[];
}
