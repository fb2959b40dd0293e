import type { DeleteImage, UpdateImage } from "../../../domain/change.ts";
import { imageNotFound, StoreError } from "../../../domain/errors.ts";
import { type Image, type ImageFields, patchImage } from "../../../domain/image.ts";
import type { Driver } from "../driver.ts";
import { IMAGE_COLUMNS, type ImageRow, toImage } from "../rows.ts";
import { lockAlbum, version } from "./albums.ts";
import { appendEvent } from "./append-event.ts";
import { condemnBlob } from "./blobs.ts";
import { type ChangeContext, touched } from "./context.ts";
import { requirePreconditions } from "./preconditions.ts";

export async function updateImage(db: Driver, context: ChangeContext, change: UpdateImage): Promise<Image> {
  const { album, row } = await lockAlbumAndImage(db, change);
  requirePreconditions(change.preconditions, version(row));
  const before = toImage(row, album.name);
  const fields = patchImage(before, change.patch);
  if (fields.name === before.name && sameFields(fields, before)) return before;
  if (fields.name !== row.name && (await lockImage(db, album.id, fields.name)) !== undefined) throw imageExists();

  const next: ImageRow = { ...row, ...fieldColumns(fields), name: fields.name, ...nextVersion(row, context) };
  const image = toImage(next, album.name);
  const previousName = next.name === row.name ? undefined : row.name;
  const { traceparent } = change;
  await Promise.all([
    updateRow(db, next),
    next.tags === row.tags ? undefined : replaceTags(db, row.id, fields.tags),
    appendEvent(db, context, { type: "imagestore.image.updated", image, previousName, traceparent }),
  ]);
  return image;
}

export async function deleteImage(db: Driver, context: ChangeContext, change: DeleteImage): Promise<null> {
  const { album, row } = await lockAlbumAndImage(db, change);
  requirePreconditions(change.preconditions, version(row));
  const { traceparent } = change;
  await Promise.all([
    condemnBlob(db, context, row.id),
    db.run("delete from images where id = $1", [row.id]),
    countImages(db, album.id, { images: -1, bytes: -row.size }),
    appendEvent(db, context, { type: "imagestore.image.deleted", image: toImage(row, album.name), traceparent }),
  ]);
  return null;
}

/** Of an album that is locked, or is locked before. */
export const lockImage = async (db: Driver, albumId: string, name: string) =>
  db.get<ImageRow>(`select ${IMAGE_COLUMNS} from images i where i.album_id = $1 and i.name = $2 for no key update`, [
    albumId,
    name,
  ]);

async function lockAlbumAndImage(db: Driver, { albumId, name }: UpdateImage | DeleteImage) {
  const [album, row] = await Promise.all([lockAlbum(db, albumId), lockImage(db, albumId, name)]);
  if (row === undefined) throw imageNotFound();
  return { album, row };
}

/** Moves no revision of the album. */
export const countImages = (db: Driver, albumId: string, change: { images: number; bytes: number }) =>
  db.run("update albums set image_count = image_count + $2, byte_count = byte_count + $3 where id = $1", [
    albumId,
    change.images,
    change.bytes,
  ]);

export const fieldColumns = ({ title, description, metadata, tags, focalPoint }: ImageFields) => ({
  title,
  description,
  metadata: JSON.stringify(metadata),
  tags: JSON.stringify(tags),
  focal_x: focalPoint?.x ?? null,
  focal_y: focalPoint?.y ?? null,
});

export const sameFields = (one: ImageFields, other: ImageFields): boolean =>
  one.title === other.title &&
  one.description === other.description &&
  Bun.deepEquals(one.metadata, other.metadata) &&
  Bun.deepEquals(one.tags, other.tags) &&
  Bun.deepEquals(one.focalPoint, other.focalPoint);

export const nextVersion = (row: ImageRow, context: ChangeContext) => ({
  revision: row.revision + 1,
  updated_at: touched(row, context),
});

/** Everything but its description, and what never changes: id, album and creation. */
export const updateRow = (db: Driver, row: ImageRow) =>
  db.run(
    `update images set name = $2, title = $3, description = $4, metadata = $5, tags = $6, content_type = $7, size = $8,
       sha256 = $9, width = $10, height = $11, frames = $12, has_alpha = $13, orientation = $14, revision = $15,
       updated_at = $16, focal_x = $17, focal_y = $18
     where id = $1`,
    [
      row.id,
      row.name,
      row.title,
      row.description,
      row.metadata,
      row.tags,
      row.content_type,
      row.size,
      row.sha256,
      row.width,
      row.height,
      row.frames,
      row.has_alpha,
      row.orientation,
      row.revision,
      row.updated_at,
      row.focal_x,
      row.focal_y,
    ],
  );

export const replaceTags = (db: Driver, imageId: string, tags: readonly string[]) =>
  Promise.all([db.run("delete from image_tags where image_id = $1", [imageId]), insertTags(db, imageId, tags)]);

export const insertTags = (db: Driver, imageId: string, tags: readonly string[]) =>
  Promise.all(
    [...new Set(tags)].map(async (tag) =>
      db.run("insert into image_tags (tag, image_id) values ($1, $2)", [tag, imageId]),
    ),
  );

export const imageExists = () => new StoreError("image_exists", "There is an image of that name in the album already.");
