import type { DeleteAlbum, DeleteAlbumChunk } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { Driver } from "../driver.ts";
import { ALBUM_COLUMNS, type AlbumRow, IMAGE_COLUMNS, type ImageRow, toAlbum, toImage } from "../rows.ts";
import { lockAlbum, version } from "./albums.ts";
import { appendEvent, appendEvents } from "./append-event.ts";
import type { ChangeContext } from "./context.ts";
import { requirePreconditions } from "./preconditions.ts";

const DEFAULT_AT_ONCE = 20_000;
/** Bounds the memory that a large album takes. */
const ROWS_AT_ONCE = 500;

/**
 * One statement for any number of images: the last is repeated until it is full. By their ids, since a join that is planned
 * when the store was all but empty compares each blob with each image.
 */
const CONDEMN = `update blobs set state = 'condemned', changed_at = $1
  where state = 'live' and image_id in (${Array.from({ length: ROWS_AT_ONCE }, (_, index) => `$${index + 2}`).join(", ")})`;

export async function deleteAlbum(db: Driver, context: ChangeContext, change: DeleteAlbum) {
  const album = await lockAlbum(db, change.albumId);
  requirePreconditions(change.preconditions, version(album));
  if (album.image_count > 0 && !change.recursive)
    throw new StoreError("album_not_empty", "The album has images. Delete them first, or ask for a recursive delete.");

  if (album.image_count > (change.atOnce ?? DEFAULT_AT_ONCE)) {
    // The one change without an event of its own: it promises those of the chunks that follow.
    await db.run("update albums set state = 'deleting' where id = $1", [album.id]);
    return { done: false };
  }
  await deleteImages(db, context, album, album.image_count, change.traceparent);
  await removeAlbum(db, context, album, change.traceparent);
  return { done: true };
}

export async function deleteAlbumChunk(db: Driver, context: ChangeContext, change: DeleteAlbumChunk) {
  const album = await db.get<AlbumRow>(
    `select ${ALBUM_COLUMNS} from albums where id = $1 and state = 'deleting' for no key update`,
    [change.albumId],
  );
  if (album === undefined) return { done: true };
  await deleteImages(db, context, album, change.limit, undefined);
  const left = await db.get("select 1 from images where album_id = $1 limit 1", [album.id]);
  if (left !== undefined) return { done: false };
  await removeAlbum(db, context, album, undefined);
  return { done: true };
}

/** The first `limit` images by name, with their events. The album keeps its counts: its last record is what it was. */
async function deleteImages(
  db: Driver,
  context: ChangeContext,
  album: AlbumRow,
  limit: number,
  traceparent: string | undefined,
): Promise<void> {
  for (let left = limit; left > 0; left -= ROWS_AT_ONCE) {
    const rows = await db.all<ImageRow>(
      `select ${IMAGE_COLUMNS} from images i where i.album_id = $1 order by i.name limit $2`,
      [album.id, Math.min(left, ROWS_AT_ONCE)],
    );
    const last = rows.at(-1);
    if (last === undefined) return;
    const imageIds = Array.from({ length: ROWS_AT_ONCE }, (_, index) => (rows[index] ?? last).id);
    const deleted = (row: ImageRow) =>
      ({
        type: "imagestore.image.deleted",
        image: toImage(row, album.name),
        reason: "album-deleted",
        traceparent,
      }) as const;
    await Promise.all([
      appendEvents(db, context, rows.map(deleted)),
      db.run(CONDEMN, [context.now, ...imageIds]),
      db.run("delete from images where album_id = $1 and name <= $2", [album.id, last.name]),
    ]);
  }
}

async function removeAlbum(
  db: Driver,
  context: ChangeContext,
  album: AlbumRow,
  traceparent: string | undefined,
): Promise<void> {
  await Promise.all([
    db.run("delete from albums where id = $1", [album.id]),
    appendEvent(db, context, { type: "imagestore.album.deleted", album: toAlbum(album), traceparent }),
  ]);
}
