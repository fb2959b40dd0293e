import type { MaybePromise } from "../../../concurrency/maybe-promise.ts";
import type { Album } from "../../../domain/album.ts";
import {
  type AuditEventType,
  type CopiedImage,
  type EventReason,
  type EventType,
  type OtherAlbum,
  STORE,
} from "../../../domain/event.ts";
import type { Image } from "../../../domain/image.ts";
import type { Requested, Requester } from "../../../domain/requested.ts";
import type { Driver, SqlValue } from "../driver.ts";
import type { ChangeContext } from "./context.ts";

/** Of a change: what its event says of the request. Without `by` it was the store itself. */
export interface Origin extends Pick<Requested, "traceparent"> {
  readonly by?: Pick<Requester, "actor">;
}

type NewEvent = {
  readonly reason?: EventReason;
  readonly previousName?: string | undefined;
  readonly previousAlbum?: OtherAlbum | undefined;
  readonly newAlbum?: OtherAlbum | undefined;
  readonly copiedFrom?: CopiedImage | undefined;
  readonly origin: Origin;
} & (
  | { readonly type: Extract<EventType, `imagestore.album.${string}`>; readonly album: Album }
  | { readonly type: Extract<EventType, `imagestore.image.${string}`>; readonly image: Image }
);

const COLUMNS = ["id", "type", "album_id", "image_id", "time", "traceparent", "data"];
const MANY = 50;
const INSERT_ONE = insertRows(1);
const INSERT_MANY = insertRows(MANY);

function insertRows(count: number): string {
  const row = (first: number) => `(${COLUMNS.map((_, index) => `$${first + index + 1}`).join(", ")})`;
  const rows = Array.from({ length: count }, (_, index) => row(index * COLUMNS.length));
  return `insert into events (${COLUMNS.join(", ")}) values ${rows.join(", ")}`;
}

/** Appends to the event log. The engine numbers the event, at once or later (docs/durability.md, "PostgreSQL"). */
export async function appendEvent(db: Driver, context: ChangeContext, event: NewEvent): Promise<void> {
  context.appended += 1;
  await db.run(INSERT_ONE, toRow(event, context));
}

/** Appends the events in this order, with few statements. */
export async function appendEvents(db: Driver, context: ChangeContext, events: readonly NewEvent[]): Promise<void> {
  const full = events.length - (events.length % MANY);
  const statements: MaybePromise<unknown>[] = [];
  for (let start = 0; start < full; start += MANY) {
    const values = events.slice(start, start + MANY).flatMap((event) => toRow(event, context));
    statements.push(db.run(INSERT_MANY, values));
  }
  context.appended += full;
  statements.push(...events.slice(full).map((event) => appendEvent(db, context, event)));
  await Promise.all(statements);
}

interface NewAuditEvent {
  readonly type: AuditEventType;
  /** Such as `keys/<id>`. */
  readonly subject: string;
  /** Absent for an event of no album. */
  readonly albumId?: string;
  /** What the event is about, as answers show it. */
  readonly record: object;
  readonly origin: Origin;
  /** Default: a request. */
  readonly reason?: EventReason;
}

/** Appends to the event log what only administrators may see. */
export async function appendAuditEvent(db: Driver, context: ChangeContext, event: NewAuditEvent): Promise<void> {
  const { type, subject, albumId = "", record, origin, reason = "user" } = event;
  context.appended += 1;
  const data = JSON.stringify({ ...record, reason, actor: origin.by?.actor ?? STORE });
  await db.run(
    `insert into events (id, type, album_id, image_id, subject, time, traceparent, data)
     values ($1, $2, $3, null, $4, $5, $6, $7)`,
    [Bun.randomUUIDv7(), type, albumId, subject, context.now, origin.traceparent ?? null, data],
  );
}

function toRow(event: NewEvent, { now }: ChangeContext): SqlValue[] {
  const { type, reason = "user", previousName, previousAlbum, newAlbum, copiedFrom, origin } = event;
  const record = "album" in event ? event.album : event.image;
  const [albumId, imageId] = "album" in event ? [event.album.id, null] : [event.image.albumId, event.image.id];
  const data = JSON.stringify({
    ...record,
    reason,
    previousName,
    previousAlbum,
    newAlbum,
    copiedFrom,
    actor: origin.by?.actor ?? STORE,
  });
  return [Bun.randomUUIDv7(), type, albumId, imageId, now, origin.traceparent ?? null, data];
}
