import { type Album, type AlbumFields, patchAlbum } from "../../../domain/album.ts";
import type { CreateAlbum, PutAlbum, RecordVersion, Replayable, UpdateAlbum } from "../../../domain/change.ts";
import { albumNotFound, StoreError } from "../../../domain/errors.ts";
import type { Driver } from "../driver.ts";
import { ALBUM_COLUMNS, type AlbumRow, toAlbum } from "../rows.ts";
import { appendEvent } from "./append-event.ts";
import { type ChangeContext, touched } from "./context.ts";
import { onlyOnce } from "./idempotency.ts";
import { requirePreconditions } from "./preconditions.ts";

export function createAlbum(db: Driver, context: ChangeContext, change: CreateAlbum): Promise<Replayable<Album>> {
  return onlyOnce(db, context, change.idempotency, async () => {
    const album = await insertAlbum(db, context, change);
    if (album === undefined) throw albumExists();
    return album;
  });
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
  requirePreconditions(change.preconditions, row && version(row));
  if (row === undefined) {
    const album = await insertAlbum(db, context, change);
    // Somebody else's has come between, and is seen now.
    return album === undefined ? putAlbum(db, context, change) : { created: true, album };
  }
  const { name, fields, traceparent } = change;
  return { created: false, album: await replaceFields(db, context, row, { ...fields, name }, traceparent) };
}

export async function updateAlbum(db: Driver, context: ChangeContext, change: UpdateAlbum): Promise<Album> {
  const row = await lockAlbum(db, change.albumId);
  requirePreconditions(change.preconditions, version(row));
  const fields = patchAlbum(toAlbum(row), change.patch);
  if (fields.name !== row.name) {
    const taken = await db.get("select 1 from albums where name = $1 and state = 'live'", [fields.name]);
    if (taken !== undefined) throw albumExists();
  }
  return replaceFields(db, context, row, fields, change.traceparent);
}

/**
 * Nothing that is begun on an album lands in another of the same name, since changes carry its id.
 * @throws StoreError `album_not_found` when it is not live
 */
export async function lockAlbum(db: Driver, id: string | null): Promise<AlbumRow> {
  const row = id === null ? undefined : await findLiveAlbum(db, id);
  if (row === undefined) throw albumNotFound();
  return row;
}

/** Locked. */
export const findLiveAlbum = (db: Driver, id: string) =>
  db.get<AlbumRow>(`select ${ALBUM_COLUMNS} from albums where id = $1 and state = 'live' for no key update`, [id]);

export const version = ({ id, revision }: RecordVersion): RecordVersion => ({ id, revision });

interface NewAlbum {
  readonly id: string;
  readonly name: string;
  readonly fields: AlbumFields;
  readonly traceparent?: string;
}

/** Undefined when the name is taken. */
async function insertAlbum(db: Driver, context: ChangeContext, { id, name, fields, traceparent }: NewAlbum) {
  const row: AlbumRow = {
    id,
    name,
    title: fields.title,
    description: fields.description,
    metadata: JSON.stringify(fields.metadata),
    image_count: 0,
    revision: 1,
    created_at: context.now,
    updated_at: context.now,
  };
  const inserted = await db.run(
    `insert into albums (id, name, title, description, metadata, revision, created_at, updated_at)
     values ($1, $2, $3, $4, $5, 1, $6, $6) on conflict (name) where state = 'live' do nothing`,
    [id, name, row.title, row.description, row.metadata, context.now],
  );
  if (inserted === 0) return undefined;
  const album = toAlbum(row);
  await appendEvent(db, context, { type: "imagestore.album.created", album, traceparent });
  return album;
}

/** No new revision and no event when nothing changes. */
async function replaceFields(
  db: Driver,
  context: ChangeContext,
  row: AlbumRow,
  fields: AlbumFields & { readonly name: string },
  traceparent: string | undefined,
): Promise<Album> {
  const { name, title, description, metadata } = fields;
  const before = toAlbum(row);
  const unchanged =
    name === row.name &&
    title === row.title &&
    description === row.description &&
    Bun.deepEquals(metadata, before.metadata);
  if (unchanged) return before;

  const next: AlbumRow = {
    ...row,
    name,
    title,
    description,
    metadata: JSON.stringify(metadata),
    revision: row.revision + 1,
    updated_at: touched(row, context),
  };
  const album = toAlbum(next);
  const previousName = name === row.name ? undefined : row.name;
  await Promise.all([
    db.run(
      `update albums set name = $2, title = $3, description = $4, metadata = $5, revision = $6, updated_at = $7
       where id = $1`,
      [next.id, name, title, description, next.metadata, next.revision, next.updated_at],
    ),
    appendEvent(db, context, { type: "imagestore.album.updated", album, previousName, traceparent }),
  ]);
  return album;
}

const albumExists = () => new StoreError("album_exists", "There is an album of that name already.");
