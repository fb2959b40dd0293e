import type { DeleteImage, UpdateImage } from "../../../domain/change.ts";
import { imageExists, imageNotFound } from "../../../domain/errors.ts";
import { type Image, type ImageFields, patchImage } from "../../../domain/image.ts";
import type { Driver } from "../driver.ts";
import { IMAGE_COLUMNS, type ImageRow, toImage } from "../rows.ts";
import { lockAlbum } from "./albums.ts";
import { appendEvent } from "./append-event.ts";
import { condemnBlob } from "./blobs.ts";
import { charge, removalOf } from "./charge.ts";
import { type ChangeContext, requirePreconditions, touched, version } from "./context.ts";

export async function updateImage(db: Driver, context: ChangeContext, change: UpdateImage): Promise<Image> {
  const { album, row } = await lockAlbumAndImage(db, change);
  requirePreconditions(change.preconditions, row, version);
  const before = toImage(row, album.name);
  const fields = patchImage(before, change.patch);
  if (fields.name === before.name && sameFields(fields, before)) return before;
  if (fields.name !== row.name && (await lockImage(db, album.id, fields.name)) !== undefined) throw imageExists();

  const next: ImageRow = { ...row, ...fieldColumns(fields), name: fields.name, ...nextVersion(row, context) };
  const image = toImage(next, album.name);
  const previousName = next.name === row.name ? undefined : row.name;
  await Promise.all([
    updateRow(db, next),
    next.tags === row.tags ? undefined : replaceTags(db, row.id, fields.tags),
    appendEvent(db, context, { type: "imagestore.image.updated", image, previousName, origin: change }),
  ]);
  return image;
}

export async function deleteImage(db: Driver, context: ChangeContext, change: DeleteImage): Promise<null> {
  const { album, row } = await lockAlbumAndImage(db, change);
  requirePreconditions(change.preconditions, row, version);
  const count = await charge(db, context, change, album, [removalOf([row])]);
  await Promise.all([
    condemnBlob(db, context, row.id),
    db.run("delete from images where id = $1", [row.id]),
    count(),
    appendEvent(db, context, { type: "imagestore.image.deleted", image: toImage(row, album.name), origin: change }),
  ]);
  return null;
}

/** The album must be locked, by an earlier statement or one pipelined before this. */
export const lockImage = async (db: Driver, albumId: string, name: string) =>
  db.get<ImageRow>(`select ${IMAGE_COLUMNS} from images i where i.album_id = $1 and i.name = $2 for no key update`, [
    albumId,
    name,
  ]);

async function lockAlbumAndImage(db: Driver, { albumId, name, by }: UpdateImage | DeleteImage) {
  const [album, row] = await Promise.all([lockAlbum(db, albumId, by), lockImage(db, albumId, name)]);
  if (row === undefined) throw imageNotFound();
  return { album, row };
}

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

/** Writes all columns except the description and those that never change: id, album and creation time. */
export const updateRow = (db: Driver, row: ImageRow) =>
  db.run(
    `update images set name = $2, title = $3, description = $4, metadata = $5, tags = $6, content_type = $7, size = $8,
       sha256 = $9, width = $10, height = $11, frames = $12, has_alpha = $13, orientation = $14, revision = $15,
       updated_at = $16, focal_x = $17, focal_y = $18, charged_to = $19
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
      row.charged_to,
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
