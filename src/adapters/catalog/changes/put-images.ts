import type { ImageToPut, PutImage, PutImages, Replayable } from "../../../domain/change.ts";
import { EMPTY_IMAGE_FIELDS, type ImageInfo } from "../../../domain/image.ts";
import type { Driver } from "../driver.ts";
import { type AlbumRow, type ImageRow, NEW_IMAGE_COLUMNS, toImage, UNDESCRIBED } from "../rows.ts";
import { lockAlbum } from "./albums.ts";
import { appendEvent } from "./append-event.ts";
import { condemnBlob, recordBlob } from "./blobs.ts";
import type { ChangeContext } from "./context.ts";
import { writeDescription } from "./describe-image.ts";
import { onlyOnce } from "./idempotency.ts";
import {
  countImages,
  fieldColumns,
  imageExists,
  insertTags,
  lockImage,
  nextVersion,
  replaceTags,
  sameFields,
  updateRow,
} from "./images.ts";
import { requirePreconditions } from "./preconditions.ts";

export function putImages(
  db: Driver,
  context: ChangeContext,
  change: PutImages,
): Promise<Replayable<readonly PutImage[]>> {
  return onlyOnce(db, context, change.idempotency, async () => {
    const { album, first } = await lockAlbumAndFirst(db, change);
    const put: PutImage[] = [];
    const added = { images: 0, bytes: 0 };
    for (const [index, image] of change.images.entries()) {
      const present = index === 0 ? first : await lockImage(db, album.id, image.name);
      if (change.mode === "create" && present !== undefined) throw imageExists();
      requirePreconditions(change.preconditions, present?.sha256);
      added.images += present === undefined ? 1 : 0;
      added.bytes += image.blob.size - (present?.size ?? 0);
      const putting =
        present === undefined
          ? insertImage(db, context, album, image, change.traceparent)
          : replaceImage(db, context, album, present, image, change.traceparent);
      const isLast = index === change.images.length - 1;
      const [done] = await Promise.all([putting, isLast ? countImages(db, album.id, added) : undefined]);
      put.push(done);
    }
    return put;
  });
}

/** In one round trip, since most change one image. */
async function lockAlbumAndFirst(db: Driver, { albumId, images: [image] }: PutImages) {
  const [album, first] = await Promise.all([
    lockAlbum(db, albumId),
    albumId === null || image === undefined ? undefined : lockImage(db, albumId, image.name),
  ]);
  return { album, first };
}

const INSERT_IMAGE = `insert into images (${NEW_IMAGE_COLUMNS.join(", ")})
  values (${NEW_IMAGE_COLUMNS.map((_, index) => `$${index + 1}`).join(", ")})`;

async function insertImage(
  db: Driver,
  context: ChangeContext,
  album: AlbumRow,
  { id, name, fields = EMPTY_IMAGE_FIELDS, info, blob }: ImageToPut,
  traceparent: string | undefined,
): Promise<PutImage> {
  const row: ImageRow = {
    id,
    album_id: album.id,
    name,
    ...fieldColumns(fields),
    ...infoColumns(info),
    ...UNDESCRIBED,
    size: blob.size,
    sha256: blob.sha256,
    revision: 1,
    created_at: context.now,
    updated_at: context.now,
  };
  const image = toImage(row, album.name);
  await Promise.all([
    db.run(
      INSERT_IMAGE,
      NEW_IMAGE_COLUMNS.map((column) => row[column]),
    ),
    insertTags(db, id, fields.tags),
    recordBlob(db, context, blob, id),
    appendEvent(db, context, { type: "imagestore.image.created", image, traceparent }),
  ]);
  return { created: true, image };
}

/** The new blob is taken in any case, so that a damaged copy is healed; only what differs makes a new revision. */
async function replaceImage(
  db: Driver,
  context: ChangeContext,
  album: AlbumRow,
  row: ImageRow,
  { fields, info, blob }: ImageToPut,
  traceparent: string | undefined,
): Promise<PutImage> {
  const swapBlob = () => Promise.all([condemnBlob(db, context, row.id), recordBlob(db, context, blob, row.id)]);
  const before = toImage(row, album.name);
  const newBytes = blob.sha256 !== row.sha256;
  const newFields = fields !== undefined && !sameFields(fields, before);
  if (!newBytes && !newFields) {
    await swapBlob();
    return { created: false, image: before };
  }

  const next: ImageRow = {
    ...row,
    ...(newFields ? fieldColumns(fields) : {}),
    ...(newBytes ? { ...infoColumns(info), ...UNDESCRIBED, size: blob.size, sha256: blob.sha256 } : {}),
    ...nextVersion(row, context),
  };
  const image = toImage(next, album.name);
  await Promise.all([
    updateRow(db, next),
    newBytes ? writeDescription(db, next) : undefined,
    next.tags === row.tags ? undefined : replaceTags(db, row.id, fields?.tags ?? []),
    swapBlob(),
    appendEvent(db, context, { type: "imagestore.image.updated", image, traceparent }),
  ]);
  return { created: false, image };
}

const infoColumns = (info: ImageInfo) => ({
  content_type: info.contentType,
  width: info.width,
  height: info.height,
  frames: info.frames,
  has_alpha: info.hasAlpha ? 1 : 0,
  orientation: info.orientation,
});
