import type { Album } from "../../../domain/album.ts";
import type { EventReason, EventType } from "../../../domain/event.ts";
import type { Image } from "../../../domain/image.ts";
import type { Driver, MaybePromise, SqlValue } from "../driver.ts";
import type { ChangeContext } from "./context.ts";

type NewEvent = {
  readonly reason?: EventReason;
  readonly previousName?: string | undefined;
  readonly traceparent?: string | undefined;
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

/** The one way into the log. Its number is the engine's business, and may come later (durability.md, "PostgreSQL"). */
export async function appendEvent(db: Driver, context: ChangeContext, event: NewEvent): Promise<void> {
  context.appended += 1;
  await db.run(INSERT_ONE, toRow(event, context));
}

/** Many of them, in this order. */
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

function toRow(event: NewEvent, { now }: ChangeContext): SqlValue[] {
  const { type, reason = "user", previousName, traceparent } = event;
  const record = "album" in event ? event.album : event.image;
  const [albumId, imageId] = "album" in event ? [event.album.id, null] : [event.image.albumId, event.image.id];
  const data = JSON.stringify({ ...record, reason, previousName });
  return [Bun.randomUUIDv7(), type, albumId, imageId, now, traceparent ?? null, data];
}
