import { forbidden } from "../../../domain/access.ts";
import type { MoveImage, MoveTarget, Replayable, Requester } from "../../../domain/change.ts";
import { albumNotFound, imageExists, imageNotFound, targetNotFound } from "../../../domain/errors.ts";
import type { Image } from "../../../domain/image.ts";
import { numberedName } from "../../../domain/names.ts";
import { includesAlbum, type Visibility } from "../../../domain/visibility.ts";
import type { Driver } from "../driver.ts";
import { type AlbumRow, type ImageRow, toAlbum, toImage } from "../rows.ts";
import { findLiveAlbum, mayWriteTo } from "./albums.ts";
import { appendEvent } from "./append-event.ts";
import { condemnBlob } from "./blobs.ts";
import { charge, removalOf, transfer } from "./charge.ts";
import { type ChangeContext, requirePreconditions, version } from "./context.ts";
import { onlyOnce } from "./idempotency.ts";
import { lockImage, nextVersion } from "./images.ts";

export const moveImage = (db: Driver, context: ChangeContext, change: MoveImage): Promise<Replayable<Image>> =>
  onlyOnce(db, context, change.idempotency, async () => {
    const { from, to } = await lockAlbums(db, change);
    const row = await lockImage(db, from.id, change.name);
    if (row === undefined) throw imageNotFound();
    requirePreconditions(change.preconditions, row, version);
    const wanted = change.target.name ?? row.name;
    if (from.id === to.id && wanted === row.name) return toImage(row, from.name);
    const { name, replaced } = await findPlace(db, to, wanted, change);
    const next: ImageRow = { ...row, album_id: to.id, name, ...nextVersion(row, context) };
    const move: Move = { from, to, row, next, replaced };
    return from.id === to.id ? rename(db, context, change, move) : leave(db, context, change, move);
  });

interface Move {
  readonly from: AlbumRow;
  readonly to: AlbumRow;
  readonly row: ImageRow;
  readonly next: ImageRow;
  readonly replaced: ImageRow | undefined;
}

/** In the order of their ids, as every change that locks several does it. */
async function lockAlbums(db: Driver, { albumId, target, by, readable = "all" }: MoveImage) {
  const ids = [...new Set([albumId, target.albumId])].filter((id) => id !== null).sort();
  const rows = await Promise.all(ids.map(async (id) => findLiveAlbum(db, id)));
  const find = (id: string | null) => rows.find((row) => row !== undefined && row.id === id);
  const [from, to] = [find(albumId), find(target.albumId)];
  if (from === undefined || !isWithin(from, by, readable)) throw albumNotFound();
  if (to === undefined || !includesAlbum(target.addable ?? "all", refOf(to))) throw targetNotFound();
  return { from, to };
}

/** A public album is read by everyone, and not changed. */
const isWithin = (album: AlbumRow, by: Requester | undefined, readable: Visibility): boolean =>
  mayWriteTo(album, by) && includesAlbum(readable, toAlbum(album));

/** The name that the image gets, and the image that has it now. @throws StoreError `image_exists`, `forbidden` */
async function findPlace(db: Driver, album: AlbumRow, wanted: string, { ifExists, target }: MoveImage) {
  const taken = await lockImage(db, album.id, wanted);
  if (taken === undefined) return { name: wanted, replaced: undefined };
  if (ifExists === "fail") throw imageExists([wanted]);
  if (ifExists === "replace") return { name: wanted, replaced: requireReplaceable(taken, album, target) };
  for (let first = 2; first <= MAX_NUMBER; first += NAMES_AT_ONCE) {
    const numbers = Array.from({ length: NAMES_AT_ONCE }, (_, index) => Math.min(first + index, MAX_NUMBER));
    const names = numbers.map((number) => numberedName(wanted, number));
    // None is taken meanwhile: the album is locked.
    const rows = await db.all<{ readonly name: string }>(FIND_NAMES, [album.id, ...names]);
    const found = new Set(rows.map(({ name }) => name));
    const name = names.find((one) => !found.has(one));
    if (name !== undefined) return { name, replaced: undefined };
  }
  throw imageExists([wanted]);
}
/** Names that are tried before an image is refused. */
const MAX_NUMBER = 1000;
/** One statement for each of a thousand names would keep every other change waiting, in a batch for seconds. */
const NAMES_AT_ONCE = 50;
const FIND_NAMES = `select name from images where album_id = $1 and name in (${Array.from(
  { length: NAMES_AT_ONCE },
  (_, index) => `$${index + 2}`,
).join(", ")})`;

function requireReplaceable(taken: ImageRow, album: AlbumRow, { replaceable = "all" }: MoveTarget): ImageRow {
  if (includesAlbum(replaceable, refOf(album))) return taken;
  throw forbidden("delete", 'To replace the image that has the name needs the right "delete" on its album.');
}

async function rename(db: Driver, context: ChangeContext, change: MoveImage, move: Move): Promise<Image> {
  const { to, row, next, replaced } = move;
  const image = toImage(next, to.name);
  const count = replaced && (await charge(db, context, change, to, [removalOf([replaced])]));
  await removeReplaced(db, context, change, move);
  await Promise.all([
    count?.(),
    writePlace(db, next),
    appendEvent(db, context, {
      type: "imagestore.image.updated",
      image,
      previousName: row.name,
      origin: change,
    }),
  ]);
  return image;
}

async function leave(db: Driver, context: ChangeContext, change: MoveImage, move: Move): Promise<Image> {
  const { from, to, row, next, replaced } = move;
  const image = toImage(next, to.name);
  const count = await transfer(db, context, change, { from, to, name: next.name, image: row, replaced });
  await removeReplaced(db, context, change, move);
  const more = { reason: "moved", origin: change } as const;
  const [previousAlbum, newAlbum] = [refOf(from), refOf(to)];
  const previousName = row.name === next.name ? undefined : row.name;
  await Promise.all([
    count(),
    writePlace(db, next),
    appendEvent(db, context, {
      type: "imagestore.image.deleted",
      image: toImage(row, from.name),
      newAlbum,
      ...more,
    }),
    appendEvent(db, context, {
      type: "imagestore.image.created",
      image,
      previousAlbum,
      previousName,
      ...more,
    }),
  ]);
  return image;
}

const refOf = ({ id, name }: AlbumRow) => ({ id, name });

async function removeReplaced(db: Driver, context: ChangeContext, change: MoveImage, { to, replaced }: Move) {
  if (replaced === undefined) return;
  await Promise.all([
    condemnBlob(db, context, replaced.id),
    db.run("delete from images where id = $1", [replaced.id]),
    appendEvent(db, context, {
      type: "imagestore.image.deleted",
      image: toImage(replaced, to.name),
      origin: change,
    }),
  ]);
}

const writePlace = (db: Driver, { id, album_id, name, revision, updated_at }: ImageRow) =>
  db.run("update images set album_id = $2, name = $3, revision = $4, updated_at = $5 where id = $1", [
    id,
    album_id,
    name,
    revision,
    updated_at,
  ]);
