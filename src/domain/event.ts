import type { Album } from "./album.ts";
import type { Image } from "./image.ts";

export const EVENT_TYPES = [
  "imagestore.album.created",
  "imagestore.album.updated",
  "imagestore.album.deleted",
  "imagestore.image.created",
  "imagestore.image.updated",
  "imagestore.image.deleted",
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** Why: somebody asked, an album went with all that was in it, or the store learnt more of the picture by itself. */
export type EventReason = "user" | "album-deleted" | "described";

export type EventData = (Album | Image) & { readonly reason: EventReason; readonly previousName?: string };

/** One entry of the log. `seq` grows and is never used twice; `time` in milliseconds since 1970. */
export interface StoredEvent {
  readonly seq: number;
  readonly id: string;
  readonly type: EventType;
  readonly albumId: string;
  readonly imageId: string | null;
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

/** The context attributes of CloudEvents 1.0: all but `data`. */
export interface CloudEventAttributes {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: EventType;
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

/** 20 digits, 8 of the epoch and 12 of `seq`, so that text order is log order, across restores too. */
export const formatSequence = (position: LogPosition): string =>
  String(position.epoch).padStart(8, "0") + String(position.seq).padStart(12, "0");

/** The one form in which an event leaves the store, whoever reads it. */
export function toCloudEvent(event: StoredEvent, log: { storeId: string; epoch: number }): SerializedCloudEvent {
  return {
    attributes: {
      specversion: "1.0",
      id: event.id,
      source: `/image-store/${log.storeId}`,
      type: event.type,
      subject: `albums/${event.albumId}${event.imageId === null ? "" : `/images/${event.imageId}`}`,
      time: new Date(event.time).toISOString(),
      datacontenttype: "application/json",
      partitionkey: event.albumId,
      sequence: formatSequence({ epoch: log.epoch, seq: event.seq }),
      ...(event.traceparent === null ? {} : { traceparent: event.traceparent }),
    },
    data: event.data,
  };
}

/** CloudEvents' JSON format, on one line. */
export const cloudEventJson = ({ attributes, data }: SerializedCloudEvent): string =>
  `${JSON.stringify(attributes).slice(0, -1)},"data":${data}}`;

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
