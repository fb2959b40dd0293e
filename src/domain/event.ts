import type { CallerKind } from "./access.ts";
import type { LoggedAlbum } from "./album.ts";
import type { LoggedImage } from "./image.ts";
import { type AlbumSet, includesAlbum, type Visibility } from "./visibility.ts";

const RECORD_EVENT_TYPES = [
  "imagestore.album.created",
  "imagestore.album.updated",
  "imagestore.album.deleted",
  "imagestore.image.created",
  "imagestore.image.updated",
  "imagestore.image.deleted",
] as const;
/** Of the audit trail: changes to who may do what, and to what is told of it. */
export const AUDIT_EVENT_TYPES = [
  "imagestore.key.created",
  "imagestore.key.updated",
  "imagestore.key.revoked",
  "imagestore.share.created",
  "imagestore.share.revoked",
  "imagestore.ticket.created",
  "imagestore.ticket.revoked",
  "imagestore.quota.updated",
  "imagestore.cursor.rewound",
  "imagestore.webhook.created",
  "imagestore.webhook.updated",
  "imagestore.webhook.deleted",
  "imagestore.webhook.disabled",
  "imagestore.webhook.replayed",
] as const;
export type AuditEventType = (typeof AUDIT_EVENT_TYPES)[number];
export const EVENT_TYPES = [...RECORD_EVENT_TYPES, ...AUDIT_EVENT_TYPES] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Of the event by which a client tests a webhook. It is not in the log. */
export const WEBHOOK_TEST_TYPE = "imagestore.webhook.test";

/**
 * Why: a request, the deletion of the whole album, a description that the store added by itself, a move (the image was created
 * in an album because it left another, and deleted there because it went on), or a receiver of deliveries that failed.
 */
export const EVENT_REASONS = ["user", "album-deleted", "described", "moved", "delivery-failed"] as const;
export type EventReason = (typeof EVENT_REASONS)[number];

/** The other album of an image that moved, under the name that it had then. */
export interface OtherAlbum {
  readonly id: string;
  readonly name: string;
}

/** An image of which another is a copy, as it was then. */
export type CopiedImage = Pick<LoggedImage, "id" | "name" | "album" | "albumId">;

/** Who made the change: a caller, or the store itself. `id` and `name` are null where the kind has only one. */
export interface Actor {
  readonly kind: CallerKind | "store";
  readonly id: string | null;
  readonly name: string | null;
  /** Of a session: what it was made with. */
  readonly base?: { readonly kind: CallerKind; readonly id: string | null };
}

/** Who answers for what the actor makes: what a session makes is made by what the session stands for. */
export const makerOf = ({ base, ...actor }: Actor): Actor => ({ ...actor, ...base });

/** What the store finds out by itself, or does later. */
export const STORE: Actor = { kind: "store", id: null, name: null };

export type EventData = (LoggedAlbum | LoggedImage) & {
  readonly reason: EventReason;
  readonly previousName?: string;
  /** Of an image that was moved here: where it was. */
  readonly previousAlbum?: OtherAlbum;
  /** Of an image that was moved away: where it is. */
  readonly newAlbum?: OtherAlbum;
  /** Of an image that is a copy: what it was copied from. */
  readonly copiedFrom?: CopiedImage;
  /** Absent from events of versions that did not record it. */
  readonly actor?: Actor;
};

/** One entry of the log. `seq` grows and is never used twice; `time` in milliseconds since 1970. */
export interface StoredEvent {
  readonly seq: number;
  readonly id: string;
  readonly type: EventType;
  /** Empty for an event of the audit trail that is of no album. */
  readonly albumId: string;
  readonly imageId: string | null;
  /** What an event of the audit trail is about, such as `keys/<id>`; null for those of albums and images. */
  readonly subject: string | null;
  readonly time: number;
  readonly traceparent: string | null;
  /** {@link EventData} as the JSON that was written with the change. */
  readonly data: string;
}

/** A place in the log: everything up to and including `seq` has been read. Another epoch's numbers mean nothing. */
export interface LogPosition {
  readonly epoch: number;
  readonly seq: number;
}

/** Events with `prunedThrough < seq ≤ lastSequence` are kept. Neither number ever decreases. */
export interface LogState {
  readonly epoch: number;
  readonly prunedThrough: number;
  readonly lastSequence: number;
  /** Approximate size of the events that are kept. */
  readonly bytes: number;
}

/** Events that were committed and cannot be read yet. `oldest` in milliseconds since 1970. */
export interface UnnumberedEvents {
  readonly events: number;
  readonly oldest: number | null;
}

export interface DurableCursor {
  readonly name: string;
  readonly seq: number;
  readonly epoch: number;
  /** Grows with each change of the cursor. */
  readonly version: number;
  readonly lagEvents: number;
  /** Age of the oldest event that it has not passed, in seconds; 0 when there is none. */
  readonly lagSeconds: number;
  readonly updatedAt: string;
}

/** The context attributes of CloudEvents 1.0: all but `data`. */
export interface CloudEventAttributes {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: EventType | typeof WEBHOOK_TEST_TYPE;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: "application/json";
  readonly partitionkey: string;
  readonly sequence: string;
  readonly traceparent?: string;
}

/** An event as a reader gets it. */
export interface CloudEvent extends CloudEventAttributes {
  readonly data: EventData;
}

/** The same with `data` as the JSON text that the log holds: nothing on its way out needs to parse it and write it again. */
export interface SerializedCloudEvent {
  readonly attributes: CloudEventAttributes;
  readonly data: string;
}

/** An event that a publisher takes in no form. */
export interface RefusedEvent {
  readonly event: SerializedCloudEvent;
  readonly reason: string;
}

/** 20 digits, 8 of the epoch and 12 of `seq`, so that text order is log order, across restores too. */
export const formatSequence = (position: LogPosition): string =>
  String(position.epoch).padStart(8, "0") + String(position.seq).padStart(12, "0");

/** The one form in which an event leaves the store, by every reader. */
export function toCloudEvent(event: StoredEvent, log: { storeId: string; epoch: number }): SerializedCloudEvent {
  return {
    attributes: {
      specversion: "1.0",
      id: event.id,
      source: `/image-store/${log.storeId}`,
      type: event.type,
      subject: event.subject ?? subjectOf(event),
      time: new Date(event.time).toISOString(),
      datacontenttype: "application/json",
      partitionkey: event.albumId === "" ? log.storeId : event.albumId,
      sequence: formatSequence({ epoch: log.epoch, seq: event.seq }),
      ...(event.traceparent === null ? {} : { traceparent: event.traceparent }),
    },
    data: event.data,
  };
}

const subjectOf = ({ albumId, imageId }: StoredEvent): string =>
  `albums/${albumId}${imageId === null ? "" : `/images/${imageId}`}`;

/**
 * CloudEvents' JSON format, on one line. Only what a client chose may hold what JSON escapes: the rest are ids, times and
 * numbers of the store's own, and `JSON.stringify` of all takes four times as long.
 */
export function cloudEventJson({ attributes, data }: SerializedCloudEvent): string {
  const { id, source, type, subject, time, partitionkey, sequence, traceparent } = attributes;
  const trace = traceparent === undefined ? "" : `,"traceparent":${JSON.stringify(traceparent)}`;
  return (
    `{"specversion":"1.0","id":"${id}","source":"${source}","type":"${type}","subject":${JSON.stringify(subject)},` +
    `"time":"${time}","datacontenttype":"application/json","partitionkey":"${partitionkey}","sequence":"${sequence}"` +
    `${trace},"data":${data}}`
  );
}

const AUDIT_TYPES: ReadonlySet<EventType> = new Set(AUDIT_EVENT_TYPES);
export const isAuditType = (type: EventType): type is AuditEventType => AUDIT_TYPES.has(type);

/** As people write them. */
export const SHORT_EVENT_TYPES = EVENT_TYPES.map((type) => type.slice("imagestore.".length));

/** `image.created` for `imagestore.image.created`; undefined for what is no type of ours. */
export function parseEventType(text: string): EventType | undefined {
  return EVENT_TYPES.find((type) => type === text || type === `imagestore.${text}`);
}

/** A cursor as clients see it: opaque, and short enough for an SSE id. */
export const encodeCursor = (position: LogPosition): string =>
  Buffer.from(`1.${position.epoch}.${position.seq}`).toString("base64url");

/** undefined for text that was never a cursor of ours. */
export function decodeCursor(text: string): LogPosition | undefined {
  const match = /^1\.(\d{1,8})\.(\d{1,12})$/.exec(Buffer.from(text, "base64url").toString("latin1"));
  if (match === null) return undefined;
  const position = { epoch: Number(match[1]), seq: Number(match[2]) };
  // base64url's last character has spare bits, and numbers have leading zeros: one position, one spelling.
  return encodeCursor(position) === text ? position : undefined;
}

/**
 * An album that a rename brought into the reader's sight had a name that the reader must not know. So has the album that an
 * image came from, or went to.
 */
export function withoutHiddenName(event: StoredEvent, visibility: Visibility): StoredEvent {
  if (visibility === "all" || event.subject !== null) return event;
  if (event.imageId !== null) return withoutHiddenAlbum(event, visibility);
  if (!event.data.includes('"previousName"')) return event;
  const { previousName, ...data } = JSON.parse(event.data) as EventData;
  if (previousName === undefined || includesAlbum(visibility, { id: event.albumId, name: previousName })) return event;
  return { ...event, data: JSON.stringify(data) };
}

/** What users wrote may look like these members, so the text decides only whether it is worth to be parsed. */
function withoutHiddenAlbum(event: StoredEvent, visibility: AlbumSet): StoredEvent {
  if (!event.data.includes('"copiedFrom":') && !event.data.includes('"reason":"moved"')) return event;
  const { copiedFrom, previousAlbum, previousName, newAlbum, ...data } = JSON.parse(event.data) as EventData;
  const source = copiedFrom && { id: copiedFrom.albumId, name: copiedFrom.album };
  const others = [source, previousAlbum, newAlbum].filter((album) => album !== undefined);
  if (others.every((album) => includesAlbum(visibility, album))) return event;
  // Its former name was one in the album that it left.
  return { ...event, data: JSON.stringify({ ...data, ...(previousAlbum === undefined && { previousName }) }) };
}
