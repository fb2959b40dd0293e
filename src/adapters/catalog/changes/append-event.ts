import type { Album } from "../../../domain/album.ts";
import type { EventReason, EventType } from "../../../domain/event.ts";
import type { Image } from "../../../domain/image.ts";
import type { Driver } from "../driver.ts";
import type { ChangeContext } from "./context.ts";

type NewEvent = {
  readonly reason?: EventReason;
  readonly previousName?: string | undefined;
  readonly traceparent?: string | undefined;
} & (
  | { readonly type: Extract<EventType, `imagestore.album.${string}`>; readonly album: Album }
  | { readonly type: Extract<EventType, `imagestore.image.${string}`>; readonly image: Image }
);

/** The one way into the log. Its number is the engine's business, and may come later (durability.md, "PostgreSQL"). */
export async function appendEvent(db: Driver, context: ChangeContext, event: NewEvent): Promise<void> {
  const { type, reason = "user", previousName, traceparent } = event;
  const record = "album" in event ? event.album : event.image;
  const [albumId, imageId] = "album" in event ? [event.album.id, null] : [event.image.albumId, event.image.id];
  await db.run(
    "insert into events (id, type, album_id, image_id, time, traceparent, data) values ($1, $2, $3, $4, $5, $6, $7)",
    [
      Bun.randomUUIDv7(),
      type,
      albumId,
      imageId,
      context.now,
      traceparent ?? null,
      JSON.stringify({ ...record, reason, previousName }),
    ],
  );
  context.appended += 1;
}
