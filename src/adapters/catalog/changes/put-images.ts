import { forbidden } from "../../../domain/access.ts";
import type { ImageToPut, PutImage, PutImages, Replayable, Requested } from "../../../domain/change.ts";
import { imageExists, imageNotFound } from "../../../domain/errors.ts";
import type { CopiedImage } from "../../../domain/event.ts";
import {
  ADDED_IMAGE_FIELDS,
  EMPTY_IMAGE_FIELDS,
  type Image,
  type ImageFields,
  type ImageInfo,
  type LoggedImage,
} from "../../../domain/image.ts";
import { includesAlbum } from "../../../domain/visibility.ts";
import type { Driver } from "../driver.ts";
import {
  type AlbumRow,
  type DescriptionColumns,
  IMAGE_COLUMNS,
  type ImageRow,
  NEW_IMAGE_COLUMNS,
  toImage,
  UNDESCRIBED,
} from "../rows.ts";
import { lockAlbum } from "./albums.ts";
import { appendEvent } from "./append-event.ts";
import { condemnBlob, recordBlob } from "./blobs.ts";
import { additionOf, charge, UNCHANGED } from "./charge.ts";
import { type ChangeContext, requirePreconditions } from "./context.ts";
import { writeDescription } from "./describe-image.ts";
import { onlyOnce } from "./idempotency.ts";
import { fieldColumns, insertTags, lockImage, nextVersion, replaceTags, sameFields, updateRow } from "./images.ts";
import { lockTicket, requireUploadsLeft, useTicket } from "./tickets.ts";

export async function putImages(
  db: Driver,
  context: ChangeContext,
  change: PutImages,
): Promise<Replayable<readonly PutImage[]>> {
  const { value, replayed } = await onlyOnce(db, context, change.idempotency, async () => {
    const { album, present, ticketRow, sources } = await lockAlbumAndImages(db, change);
    const ticket =
      change.ticket === undefined ? undefined : requireUploadsLeft(ticketRow, album.id, change.images.length);
    const taken = takenNames(change, present);
    if (taken.length > 0) throw imageExists(taken);
    for (const row of present) requirePreconditions(change.preconditions, row, ({ sha256 }) => sha256);
    if (change.addOnly === true) requireNoReplacement(change.images, present, album);
    const count = await charge(
      db,
      context,
      change,
      album,
      change.images.map((image, index) => chargeFor(image, present[index], change)),
    );
    const put: PutImage[] = [];
    for (const [index, image] of change.images.entries()) {
      const row = present[index];
      const source = sources?.[index];
      const putting =
        row === undefined
          ? insertImage(db, context, album, { ...image, source }, change)
          : replaceImage(db, context, album, row, { ...image, source }, change);
      const isLast = index === change.images.length - 1;
      const [done] = await Promise.all([
        putting,
        isLast ? count() : undefined,
        isLast && ticket !== undefined ? useTicket(db, context, ticket, change.images) : undefined,
      ]);
      put.push(done);
    }
    return put;
  });
  return { value: replayed ? value.map(withAddedFields) : value, replayed };
}

/** A response that has all fields stays as it was, in the order of its members too: its ETag covers that. */
const withAddedFields = (put: PutImage): PutImage =>
  "described" in put.image ? put : { ...put, image: { ...ADDED_IMAGE_FIELDS, ...(put.image as LoggedImage) } };

/** Names that the images cannot have. A name that comes twice is taken by the image that comes first. */
function takenNames({ images, mode }: PutImages, present: readonly (ImageRow | undefined)[]): readonly string[] {
  const names = images.map(({ name }) => name);
  return names.filter(
    (name, index) => (mode === "create" && present[index] !== undefined) || names.indexOf(name) < index,
  );
}

/** Before the change is charged. The same bytes again are a repetition of the request that added them. */
function requireNoReplacement(
  images: readonly ImageToPut[],
  present: readonly (ImageRow | undefined)[],
  album: AlbumRow,
): void {
  for (const [index, image] of images.entries()) {
    const row = present[index];
    if (row === undefined) continue;
    const { newBytes, newFields } = differences(image, toImage(row, album.name));
    if (newBytes || newFields)
      throw forbidden("write", "The caller may add images, and not change those that are there.");
  }
}

const differences = (
  after: Pick<ImageToPut, "blob"> & { readonly fields?: ImageFields | undefined },
  before: Image,
) => ({
  newBytes: after.blob.sha256 !== before.sha256,
  newFields: after.fields !== undefined && !sameFields(after.fields, before),
});

/** Takes one round trip. The rows are those that have the names of the images. */
async function lockAlbumAndImages(db: Driver, { albumId, images, by, ticket }: PutImages) {
  const [album, present, ticketRow, sources] = await Promise.all([
    lockAlbum(db, albumId, by),
    albumId === null ? [] : Promise.all(images.map(({ name }) => lockImage(db, albumId, name))),
    ticket === undefined ? undefined : lockTicket(db, ticket),
    images.some(({ copyOf }) => copyOf !== undefined)
      ? Promise.all(images.map((image) => findSource(db, image)))
      : undefined,
  ]);
  return { album, present, ticketRow, sources };
}

/** What an image is a copy of. */
interface Source {
  readonly description: DescriptionColumns;
  readonly copiedFrom: CopiedImage | undefined;
}

/** @throws StoreError `image_not_found` */
async function findSource(db: Driver, { copyOf, blob }: ImageToPut): Promise<Source | undefined> {
  if (copyOf === undefined) return undefined;
  const row = await db.get<ImageRow & { readonly album_name: string; readonly public: number }>(
    `select ${IMAGE_COLUMNS}, a.name as album_name, a.public from images i cross join albums a
     where i.id = $1 and a.id = i.album_id and a.state = 'live'`,
    [copyOf.imageId],
  );
  if (row?.sha256 !== blob.sha256) throw imageNotFound();
  const { id, name, album_id: albumId, album_name: album } = row;
  const visibility = row.public === 0 ? "private" : "public";
  if (!includesAlbum(copyOf.readable, { id: albumId, name: album, visibility })) throw imageNotFound();
  return { description: descriptionOf(row), copiedFrom: copyOf.isNamed ? { id, name, album, albumId } : undefined };
}

const descriptionOf = (row: DescriptionColumns): DescriptionColumns => ({
  described: row.described,
  placeholder: row.placeholder,
  dominant_colour: row.dominant_colour,
  exif: row.exif,
  taken_at: row.taken_at,
  sound: row.sound,
  unsound_reason: row.unsound_reason,
});

/** Equal bytes stay charged to whom they are. */
const chargeFor = ({ name, blob }: ImageToPut, present: ImageRow | undefined, { by }: PutImages) =>
  present?.sha256 === blob.sha256 ? UNCHANGED : additionOf(name, blob.size, by?.chargedTo ?? null, present);

interface WithSource {
  readonly source: Source | undefined;
}

const INSERT_IMAGE = `insert into images (${NEW_IMAGE_COLUMNS.join(", ")})
  values (${NEW_IMAGE_COLUMNS.map((_, index) => `$${index + 1}`).join(", ")})`;

async function insertImage(
  db: Driver,
  context: ChangeContext,
  album: AlbumRow,
  { id, name, fields = EMPTY_IMAGE_FIELDS, info, blob, source }: ImageToPut & WithSource,
  origin: Requested,
): Promise<PutImage> {
  const row: ImageRow = {
    id,
    album_id: album.id,
    name,
    ...fieldColumns(fields),
    ...infoColumns(info),
    ...(source?.description ?? UNDESCRIBED),
    ...ownBytes(blob, origin),
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
    source === undefined ? undefined : writeDescription(db, row),
    insertTags(db, id, fields.tags),
    recordBlob(db, context, blob, id),
    appendEvent(db, context, {
      type: "imagestore.image.created",
      image,
      copiedFrom: source?.copiedFrom,
      origin,
    }),
  ]);
  return { created: true, image };
}

/** Always takes the new blob, so an upload heals a damaged one. Only different bytes or fields make a new revision. */
async function replaceImage(
  db: Driver,
  context: ChangeContext,
  album: AlbumRow,
  row: ImageRow,
  { fields, info, blob, source }: ImageToPut & WithSource,
  origin: PutImages,
): Promise<PutImage> {
  const swapBlob = () => Promise.all([condemnBlob(db, context, row.id), recordBlob(db, context, blob, row.id)]);
  const before = toImage(row, album.name);
  const { newBytes, newFields } = differences({ fields, blob }, before);
  if (!newBytes && !newFields) {
    await swapBlob();
    return { created: false, image: before };
  }

  const next: ImageRow = {
    ...row,
    ...(newFields && fields !== undefined ? fieldColumns(fields) : {}),
    ...(newBytes ? { ...infoColumns(info), ...(source?.description ?? UNDESCRIBED), ...ownBytes(blob, origin) } : {}),
    ...nextVersion(row, context),
  };
  const image = toImage(next, album.name);
  await Promise.all([
    updateRow(db, next),
    newBytes ? writeDescription(db, next) : undefined,
    next.tags === row.tags ? undefined : replaceTags(db, row.id, fields?.tags ?? []),
    swapBlob(),
    appendEvent(db, context, {
      type: "imagestore.image.updated",
      image,
      copiedFrom: source?.copiedFrom,
      origin,
    }),
  ]);
  return { created: false, image };
}

const ownBytes = ({ size, sha256 }: ImageToPut["blob"], { by }: Requested) => ({
  size,
  sha256,
  charged_to: by?.chargedTo ?? null,
});

const infoColumns = (info: ImageInfo) => ({
  content_type: info.contentType,
  width: info.width,
  height: info.height,
  frames: info.frames,
  has_alpha: info.hasAlpha ? 1 : 0,
  orientation: info.orientation,
});
