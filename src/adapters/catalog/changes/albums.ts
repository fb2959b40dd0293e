import { forbidden } from "../../../domain/access.ts";
import { ADDED_ALBUM_FIELDS, type Album, type AlbumWish, type LoggedAlbum, patchAlbum } from "../../../domain/album.ts";
import type { CreateAlbum, PutAlbum, Replayable, Requested, Requester, UpdateAlbum } from "../../../domain/change.ts";
import { albumExists, albumNotFound } from "../../../domain/errors.ts";
import { type AlbumRef, includesAlbum } from "../../../domain/visibility.ts";
import type { Driver } from "../driver.ts";
import { ALBUM_COLUMNS, type AlbumRow, toAlbum } from "../rows.ts";
import { appendEvent } from "./append-event.ts";
import { type ChangeContext, requirePreconditions, touched, version } from "./context.ts";
import { onlyOnce } from "./idempotency.ts";

export async function createAlbum(db: Driver, context: ChangeContext, change: CreateAlbum): Promise<Replayable<Album>> {
  const { value, replayed } = await onlyOnce(db, context, change.idempotency, async () => {
    const album = await insertAlbum(db, context, change);
    if (album === undefined) throw albumExists();
    return album;
  });
  return { value: "visibility" in value ? value : { ...ADDED_ALBUM_FIELDS, ...(value as LoggedAlbum) }, replayed };
}

export async function putAlbum(
  db: Driver,
  context: ChangeContext,
  change: PutAlbum,
): Promise<{ created: boolean; album: Album }> {
  const row = await db.get<AlbumRow>(
    `select ${ALBUM_COLUMNS} from albums where name = $1 and state = 'live' for no key update`,
    [change.name],
  );
  if (!mayWriteTo(row ?? { name: change.name }, change.by)) throw albumNotFound();
  requirePreconditions(change.preconditions, row, version);
  if (row === undefined) {
    const album = await insertAlbum(db, context, change);
    // A concurrent change has created the album, and it is visible now.
    return album === undefined ? putAlbum(db, context, change) : { created: true, album };
  }
  const { name, fields } = change;
  return { created: false, album: await replaceFields(db, context, row, { ...fields, name }, change) };
}

export async function updateAlbum(db: Driver, context: ChangeContext, change: UpdateAlbum): Promise<Album> {
  const row = await lockAlbum(db, change.albumId, change.by);
  requirePreconditions(change.preconditions, row, version);
  const fields = patchAlbum(toAlbum(row), change.patch);
  if (fields.name !== row.name) {
    requireNoGain(row, fields.name, change.named);
    const taken = await db.get("select 1 from albums where name = $1 and state = 'live'", [fields.name]);
    if (taken !== undefined) throw albumExists();
  }
  return replaceFields(db, context, row, fields, change);
}

/**
 * Locks the album by its id, so a change never lands in another album that took its name.
 * @throws StoreError `album_not_found` if the album is not live, or the requester must not write to it
 */
export async function lockAlbum(db: Driver, id: string | null, by: Requester | undefined): Promise<AlbumRow> {
  const row = id === null ? undefined : await findLiveAlbum(db, id);
  if (row === undefined || !mayWriteTo(row, by)) throw albumNotFound();
  return row;
}

/** Asked in the transaction, since a rename may have taken the album out of the requester's reach. */
export const mayWriteTo = (album: AlbumRef, by: Requester | undefined): boolean =>
  by === undefined || includesAlbum(by.albums, album);

/** Else who may only write to an album could read it, by a name of those that it may read. @throws StoreError `forbidden` */
function requireNoGain({ id, name }: AlbumRow, newName: string, named: UpdateAlbum["named"] = []): void {
  const gained = named.find(
    ({ albums }) => includesAlbum(albums, { id, name: newName }) && !includesAlbum(albums, { id, name }),
  );
  if (gained === undefined) return;
  const { right } = gained;
  throw forbidden(right, `By this name the caller would gain the right "${right}", which it lacks on the album.`);
}

/** @throws StoreError `forbidden` if the requester must not decide who reads the album: by its name before and after */
function requireSharing(names: readonly AlbumRef[], by: Requester | undefined): void {
  if (by === undefined || names.every((album) => includesAlbum(by.shared, album))) return;
  throw forbidden("share", 'To change the visibility of this album needs the right "share".');
}

/** Returns the album locked. */
export const findLiveAlbum = (db: Driver, id: string) =>
  db.get<AlbumRow>(`select ${ALBUM_COLUMNS} from albums where id = $1 and state = 'live' for no key update`, [id]);

interface NewAlbum extends Requested {
  readonly id: string;
  readonly name: string;
  readonly fields: AlbumWish;
}

/** Returns undefined if the name is taken. */
async function insertAlbum(db: Driver, context: ChangeContext, origin: NewAlbum) {
  const { id, name, fields } = origin;
  const isPublic = fields.visibility === "public";
  if (isPublic) requireSharing([{ name }], origin.by);
  const row: AlbumRow = {
    id,
    name,
    title: fields.title,
    description: fields.description,
    metadata: JSON.stringify(fields.metadata),
    public: isPublic ? 1 : 0,
    image_count: 0,
    byte_count: 0,
    max_bytes: null,
    max_images: null,
    revision: 1,
    created_at: context.now,
    updated_at: context.now,
  };
  const inserted = await db.run(
    `insert into albums (id, name, title, description, metadata, public, revision, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, 1, $7, $7) on conflict (name) where state = 'live' do nothing`,
    [id, name, row.title, row.description, row.metadata, row.public, context.now],
  );
  if (inserted === 0) return undefined;
  const album = toAlbum(row);
  await appendEvent(db, context, { type: "imagestore.album.created", album, origin });
  return album;
}

/** Makes no new revision and no event if nothing changes. */
async function replaceFields(
  db: Driver,
  context: ChangeContext,
  row: AlbumRow,
  fields: AlbumWish & { readonly name: string },
  origin: Requested,
): Promise<Album> {
  const { name, title, description, metadata } = fields;
  const before = toAlbum(row);
  const { visibility = before.visibility } = fields;
  const unchanged =
    name === row.name &&
    title === row.title &&
    description === row.description &&
    visibility === before.visibility &&
    Bun.deepEquals(metadata, before.metadata);
  if (unchanged) return before;
  if (visibility !== before.visibility) requireSharing([before, { ...before, name }], origin.by);

  const next: AlbumRow = {
    ...row,
    name,
    title,
    description,
    metadata: JSON.stringify(metadata),
    public: visibility === "public" ? 1 : 0,
    revision: row.revision + 1,
    updated_at: touched(row, context),
  };
  const album = toAlbum(next);
  const previousName = name === row.name ? undefined : row.name;
  await Promise.all([
    db.run(
      `update albums set name = $2, title = $3, description = $4, metadata = $5, public = $6, revision = $7, updated_at = $8
       where id = $1`,
      [next.id, name, title, description, next.metadata, next.public, next.revision, next.updated_at],
    ),
    appendEvent(db, context, { type: "imagestore.album.updated", album, previousName, origin }),
  ]);
  return album;
}
