import type { Album } from "../../src/domain/album.ts";
import type { CloudEvent } from "../../src/domain/event.ts";
import type { Image } from "../../src/domain/image.ts";

/** The records that the log leads to, by id. */
export interface Replayed {
  readonly albums: Map<string, Album>;
  readonly images: Map<string, Image>;
}

/**
 * Builds the records from the log alone. Revisions count a record's changes, so a change without its event shows as a
 * gap, and an event without its change as a record that differs from the listing.
 */
export function replay(events: readonly CloudEvent[], problems: string[]): Replayed {
  const albums = new Map<string, Album>();
  const images = new Map<string, Image>();
  /** Those that have left an album and not entered the other yet. */
  const moving = new Map<string, Image>();
  let last = "";
  for (const event of events) {
    const fault = (what: string) => problems.push(`event ${event.sequence} ${event.type} ${event.subject}: ${what}`);
    if (event.sequence <= last) fault(`not after ${last}`);
    last = event.sequence;
    const { reason: _, previousName: __, actor: ___, previousAlbum, newAlbum, copiedFrom: ____, ...data } = event.data;
    const record = data as Album | Image;
    if (event.partitionkey !== ("albumId" in record ? record.albumId : record.id)) fault("another album's key");
    if ("albumId" in record && !albums.has(record.albumId)) fault("its album is not there");
    const records: Map<string, Album | Image> = "albumId" in record ? images : albums;

    const verb = event.type.slice(event.type.lastIndexOf(".") + 1);
    if ((verb === "created") === records.has(record.id)) fault("is out of order");
    const before = records.get(record.id) ?? (previousAlbum && moving.get(record.id));
    if (before !== undefined && "albumId" in before && before.albumId !== (previousAlbum?.id ?? before.albumId))
      fault("moved from another album than it was in");
    if (previousAlbum !== undefined && !moving.delete(record.id)) fault("moved from nowhere");
    if (newAlbum !== undefined) moving.set(record.id, record as Image);
    const revision = (before?.revision ?? 0) + (verb === "deleted" ? 0 : 1);
    if (record.revision !== revision) fault(`revision ${record.revision} where ${revision} is due`);
    if (verb !== "deleted") records.set(record.id, record);
    else {
      records.delete(record.id);
      if (records === albums && [...images.values()].some((image) => image.albumId === record.id))
        fault("images outlive their album");
    }
  }
  for (const { id } of moving.values()) problems.push(`image ${id} left an album and entered no other`);
  return { albums, images };
}
