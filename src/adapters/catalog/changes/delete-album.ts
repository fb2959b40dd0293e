import { DELETED_AT_ONCE } from "../../../domain/batch.ts";
import type { DeleteAlbum, DeleteAlbumChunk, Requested } from "../../../domain/change.ts";
import { StoreError } from "../../../domain/errors.ts";
import type { Driver } from "../driver.ts";
import { ALBUM_COLUMNS, type AlbumRow, IMAGE_COLUMNS, type ImageRow, toAlbum, toImage } from "../rows.ts";
import { lockAlbum } from "./albums.ts";
import { appendEvent, appendEvents, type Origin } from "./append-event.ts";
import { type Charge, charge, removalOf } from "./charge.ts";
import { type ChangeContext, requirePreconditions, version } from "./context.ts";
import { endSharesOf } from "./shares.ts";

/** Limits the memory that the deletion of a large album needs. */
const ROWS_AT_ONCE = 500;

/**
 * One statement for any number of images: the last id is repeated to fill the list. It uses ids, since a join that was planned
 * for an almost empty store compares each blob with each image.
 */
const CONDEMN = `update blobs set state = 'condemned', changed_at = $1
  where state = 'live' and image_id in (${Array.from({ length: ROWS_AT_ONCE }, (_, index) => `$${index + 2}`).join(", ")})`;

export async function deleteAlbum(db: Driver, context: ChangeContext, change: DeleteAlbum) {
  const album = await lockAlbum(db, change.albumId, change.by);
  requirePreconditions(change.preconditions, album, version);
  if (album.image_count > 0 && !change.recursive)
    throw new StoreError(
      "album_not_empty",
      "The album has images. Delete them first, or repeat the request with ?recursive=true to delete them with it.",
    );

  await endSharesOf(db, album.id);
  if (album.image_count > (change.atOnce ?? DELETED_AT_ONCE)) {
    // The only change without an event: the chunks that follow have the events.
    await db.run("update albums set state = 'deleting', deleted_by = $2 where id = $1", [
      album.id,
      JSON.stringify(originOf(change)),
    ]);
    return { done: false };
  }
  const removed = await deleteImages(db, context, album, album.image_count, change);
  const count = await charge(db, context, change, album, removed, { counters: false });
  await Promise.all([count(), removeAlbum(db, context, album, change)]);
  return { done: true };
}

const originOf = ({ by, traceparent }: Requested): Origin => ({
  ...(by === undefined ? {} : { by: { actor: by.actor } }),
  ...(traceparent === undefined ? {} : { traceparent }),
});

export async function deleteAlbumChunk(db: Driver, context: ChangeContext, change: DeleteAlbumChunk) {
  const album = await db.get<AlbumRow & { readonly deleted_by: string | null }>(
    `select ${ALBUM_COLUMNS}, deleted_by from albums where id = $1 and state = 'deleting' for no key update`,
    [change.albumId],
  );
  if (album === undefined) return { done: true };
  // Null where a version before this one accepted the deletion.
  const origin = JSON.parse(album.deleted_by ?? "{}") as Origin;
  const removed = await deleteImages(db, context, album, change.limit, origin);
  const left = await db.get("select 1 from images where album_id = $1 limit 1", [album.id]);
  const count = await charge(db, context, change, album, removed, { counters: false });
  const done = left === undefined;
  await Promise.all([count(), done ? removeAlbum(db, context, album, origin) : undefined]);
  return { done };
}

/** Deletes the first `limit` images by name. The album keeps its counts, so its last event shows it as it was. Returns what they no longer use. */
async function deleteImages(
  db: Driver,
  context: ChangeContext,
  album: AlbumRow,
  limit: number,
  origin: Origin,
): Promise<readonly Charge[]> {
  const removed: Charge[] = [];
  for (let left = limit; left > 0; left -= ROWS_AT_ONCE) {
    const rows = await db.all<ImageRow>(
      `select ${IMAGE_COLUMNS} from images i where i.album_id = $1 order by i.name limit $2`,
      [album.id, Math.min(left, ROWS_AT_ONCE)],
    );
    const last = rows.at(-1);
    if (last === undefined) break;
    const imageIds = Array.from({ length: ROWS_AT_ONCE }, (_, index) => (rows[index] ?? last).id);
    const deleted = (row: ImageRow) =>
      ({
        type: "imagestore.image.deleted",
        image: toImage(row, album.name),
        reason: "album-deleted",
        origin,
      }) as const;
    await Promise.all([
      appendEvents(db, context, rows.map(deleted)),
      db.run(CONDEMN, [context.now, ...imageIds]),
      db.run("delete from images where album_id = $1 and name <= $2", [album.id, last.name]),
    ]);
    removed.push(removalOf(rows));
  }
  return removed;
}

async function removeAlbum(db: Driver, context: ChangeContext, album: AlbumRow, origin: Origin): Promise<void> {
  await Promise.all([
    db.run("delete from albums where id = $1", [album.id]),
    appendEvent(db, context, { type: "imagestore.album.deleted", album: toAlbum(album), origin }),
  ]);
}
