import type { DescribeImage, ForgetDescription } from "../../../domain/change.ts";
import { imageNotFound } from "../../../domain/errors.ts";
import { type Description, type Image, takenAtTime } from "../../../domain/image.ts";
import type { Driver } from "../driver.ts";
import { type DescriptionColumns, IMAGE_COLUMNS, type ImageRow, toImage, UNDESCRIBED } from "../rows.ts";
import { findLiveAlbum, mayWriteTo } from "./albums.ts";
import { appendEvent } from "./append-event.ts";
import type { ChangeContext } from "./context.ts";

export async function describeImage(db: Driver, context: ChangeContext, change: DescribeImage) {
  const { imageId, blobKey } = change;
  const of = await db.get<{ album_id: string }>("select album_id from images where id = $1", [imageId]);
  if (of === undefined) return { applied: false };
  const [album, row, blob] = await Promise.all([
    findLiveAlbum(db, of.album_id),
    db.get<ImageRow>(`select ${IMAGE_COLUMNS} from images i where i.id = $1 for no key update`, [imageId]),
    db.get("select 1 from blobs where key = $1 and image_id = $2 and state = 'live'", [blobKey, imageId]),
  ]);
  // An image that has left the album meanwhile is described when its turn comes again.
  if (album === undefined || row?.album_id !== album.id || blob === undefined) return { applied: false };

  const columns = descriptionColumns(change.description);
  const next: ImageRow = { ...row, ...columns };
  if (Bun.deepEquals(next, row)) return { applied: true };
  const image = toImage(next, album.name);
  await Promise.all([
    writeDescription(db, next),
    appendEvent(db, context, { type: "imagestore.image.updated", image, reason: "described", origin: {} }),
  ]);
  return { applied: true };
}

export async function forgetDescription(db: Driver, context: ChangeContext, change: ForgetDescription): Promise<Image> {
  const { imageId } = change;
  const of = await db.get<{ album_id: string }>("select album_id from images where id = $1", [imageId]);
  if (of === undefined) throw imageNotFound();
  const [album, row] = await Promise.all([
    findLiveAlbum(db, of.album_id),
    db.get<ImageRow>(`select ${IMAGE_COLUMNS} from images i where i.id = $1 for no key update`, [imageId]),
  ]);
  if (row !== undefined && row.album_id !== of.album_id) return forgetDescription(db, context, change);
  if (album === undefined || row === undefined || !mayWriteTo(album, change.by)) throw imageNotFound();
  const next: ImageRow = { ...row, ...UNDESCRIBED };
  const image = toImage(next, album.name);
  if (Bun.deepEquals(next, row)) return image;
  await Promise.all([
    writeDescription(db, next),
    appendEvent(db, context, { type: "imagestore.image.updated", image, origin: change }),
  ]);
  return image;
}

export const writeDescription = (db: Driver, row: ImageRow) =>
  db.run(
    `update images set described = $2, placeholder = $3, dominant_colour = $4, exif = $5, taken_at = $6, sound = $7,
       unsound_reason = $8
     where id = $1`,
    [
      row.id,
      row.described,
      row.placeholder,
      row.dominant_colour,
      row.exif,
      row.taken_at,
      row.sound,
      row.unsound_reason,
    ],
  );

const descriptionColumns = (description: Description): DescriptionColumns => ({
  described: 1,
  placeholder: description.placeholder,
  dominant_colour: description.dominantColour,
  exif: description.exif === null ? null : JSON.stringify(description.exif),
  taken_at: takenAtTime(description.exif),
  sound: description.decodable ? 1 : 0,
  unsound_reason: description.decodeError,
});
