import { Database } from "bun:sqlite";
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import type { TargetAlbum, TargetImage } from "./target.ts";

/** What the mirror knows of an album: the source's id, and the target's record. */
export interface KnownAlbum extends TargetAlbum {
  /** Undefined for an album that the source is not known to have. */
  readonly sourceId: string | undefined;
  /** Of the source's record that the target was made like; 0 if it is not known. */
  readonly revision: number;
}

export interface KnownImage extends TargetImage {
  readonly sourceId: string | undefined;
  readonly revision: number;
}

/**
 * What a mirror remembers from run to run: how far it has read the log, and which record of the target is which of the source. It is written
 * after the target, so a killed run may have changed more than it says, but never less.
 */
export interface MirrorState extends Disposable {
  /** Whether a run has begun to write to the target. */
  isBegun(): boolean;
  /** What must not change from run to run: the source's identity. Returns the one that was set first. */
  source(id: string): string;
  /** Forgets which source it was. */
  forgetSource(): void;
  begin(): void;
  /** Whether the last run ended by itself, so that the target has exactly what the state says. */
  isClean(): boolean;
  setClean(isClean: boolean): void;
  /** Everything up to here is in the target; undefined if the listings have to be read. */
  cursor(): string | undefined;
  setCursor(cursor: string | undefined): void;

  album(sourceId: string): KnownAlbum | undefined;
  albumByTarget(id: string): KnownAlbum | undefined;
  albumNamed(name: string): KnownAlbum | undefined;
  saveAlbum(album: KnownAlbum): void;
  removeAlbum(targetId: string): void;
  image(sourceId: string): KnownImage | undefined;
  imageByTarget(id: string): KnownImage | undefined;
  imageNamed(albumId: string, name: string): KnownImage | undefined;
  saveImage(image: KnownImage): void;
  removeImage(targetId: string): void;

  /** Begins a comparison: no record counts as seen. */
  unmark(side: Side): void;
  mark(side: Side, kind: Kind, targetId: string): void;
  unmarkedAlbums(side: Side): readonly KnownAlbum[];
  /** The next so many, by their ids. */
  unmarkedImages(side: Side, after: string, limit: number): readonly KnownImage[];
  /** Whether the target has records of which the source's are not known. */
  hasLeftovers(): boolean;
  counts(): { readonly albums: number; readonly images: number };
  /** One transaction. */
  together(work: () => void): void;
}
export type Side = "source" | "target";
type Kind = "albums" | "images";

const SCHEMA = `
create table if not exists meta (name text primary key, value text) without rowid;
create table if not exists albums (
  id text primary key, source_id text unique, name text not null, fields text not null, revision integer not null,
  in_source integer not null default 1, in_target integer not null default 1
) without rowid;
create index if not exists albums_name on albums (name);
create table if not exists images (
  id text primary key, source_id text unique, album_id text not null, name text not null, sha256 text not null, fields text not null,
  revision integer not null, in_source integer not null default 1, in_target integer not null default 1
) without rowid;
create index if not exists images_name on images (album_id, name);
`;
const ALBUM = "id, source_id as sourceId, name, fields, revision";
const IMAGE = "id, source_id as sourceId, album_id as albumId, name, sha256, fields, revision";

type Row<Known extends KnownAlbum | KnownImage> = Omit<Known, "sourceId"> & { readonly sourceId: string | null };
const known = <Known extends KnownAlbum | KnownImage>(row: Row<Known> | null): Known | undefined =>
  row === null ? undefined : ({ ...row, sourceId: row.sourceId ?? undefined } as unknown as Known);

export async function openState(path: string): Promise<MirrorState> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const db = new Database(path, { strict: true });
  db.run("pragma busy_timeout = 5000");
  db.run("pragma journal_mode = wal");
  db.run("pragma synchronous = normal");
  db.run(SCHEMA);
  const get = (name: string) =>
    db.query<{ value: string }, [string]>("select value from meta where name = ?").get(name)?.value;
  const set = (name: string, value: string) => db.query("insert or replace into meta values (?, ?)").run(name, value);
  const unset = (name: string) => db.query("delete from meta where name = ?").run(name);
  const oneAlbum = (where: string) => {
    const query = db.query<Row<KnownAlbum>, [string]>(`select ${ALBUM} from albums where ${where}`);
    return (value: string) => known<KnownAlbum>(query.get(value));
  };
  const oneImage = (where: string) => {
    const query = db.query<Row<KnownImage>, [string]>(`select ${IMAGE} from images where ${where}`);
    return (value: string) => known<KnownImage>(query.get(value));
  };
  const byName = db.query<Row<KnownImage>, [string, string]>(
    `select ${IMAGE} from images where album_id = ? and name = ?`,
  );
  const insertAlbum = db.query(`insert into albums (id, source_id, name, fields, revision) values (?1, ?2, ?3, ?4, ?5)
    on conflict (id) do update set source_id = ?2, name = ?3, fields = ?4, revision = ?5`);
  const insertImage = db.query(
    `insert into images (id, source_id, album_id, name, sha256, fields, revision) values (?1, ?2, ?3, ?4, ?5, ?6, ?7)
    on conflict (id) do update set source_id = ?2, album_id = ?3, name = ?4, sha256 = ?5, fields = ?6, revision = ?7`,
  );
  // Another record of the target that was that of the source is a leftover: the next comparison deletes it.
  const forgetAlbum = db.query("update albums set source_id = null where source_id = ? and id <> ?");
  const forgetImage = db.query("update images set source_id = null where source_id = ? and id <> ?");
  const count = (kind: Kind) =>
    db.query<{ count: number }, []>(`select count(*) as count from ${kind}`).get()?.count ?? 0;

  return {
    isBegun: () => get("begun") !== undefined,
    begin: () => void set("begun", "true"),
    isClean: () => get("clean") !== undefined,
    setClean: (isClean) => void (isClean ? set("clean", "true") : unset("clean")),
    source(id) {
      const kept = get("source");
      if (kept === undefined) set("source", id);
      return kept ?? id;
    },
    forgetSource: () => void unset("source"),
    cursor: () => get("cursor"),
    setCursor: (cursor) => void (cursor === undefined ? unset("cursor") : set("cursor", cursor)),
    album: oneAlbum("source_id = ?"),
    albumByTarget: oneAlbum("id = ?"),
    albumNamed: oneAlbum("name = ?"),
    saveAlbum({ id, sourceId = null, name, fields, revision }) {
      forgetAlbum.run(sourceId, id);
      insertAlbum.run(id, sourceId, name, fields, revision);
    },
    removeAlbum(id) {
      db.query("delete from images where album_id = ?").run(id);
      db.query("delete from albums where id = ?").run(id);
    },
    image: oneImage("source_id = ?"),
    imageByTarget: oneImage("id = ?"),
    imageNamed: (albumId, name) => known<KnownImage>(byName.get(albumId, name)),
    saveImage({ id, sourceId = null, albumId, name, sha256, fields, revision }) {
      forgetImage.run(sourceId, id);
      insertImage.run(id, sourceId, albumId, name, sha256, fields, revision);
    },
    removeImage: (id) => void db.query("delete from images where id = ?").run(id),
    unmark(side) {
      for (const kind of ["albums", "images"]) db.run(`update ${kind} set in_${side} = 0`);
    },
    mark: (side, kind, id) => void db.query(`update ${kind} set in_${side} = 1 where id = ?`).run(id),
    unmarkedAlbums: (side) =>
      db
        .query<Row<KnownAlbum>, []>(`select ${ALBUM} from albums where in_${side} = 0`)
        .all()
        .flatMap((row) => known<KnownAlbum>(row) ?? []),
    unmarkedImages: (side, after, limit) =>
      db
        .query<Row<KnownImage>, [string, number]>(
          `select ${IMAGE} from images where in_${side} = 0 and id > ? order by id limit ?`,
        )
        .all(after, limit)
        .flatMap((row) => known<KnownImage>(row) ?? []),
    hasLeftovers: () =>
      ["albums", "images"].some(
        (kind) => db.query(`select 1 from ${kind} where source_id is null limit 1`).get() !== null,
      ),
    counts: () => ({ albums: count("albums"), images: count("images") }),
    together: (work) => db.transaction(work).immediate(),
    [Symbol.dispose]: () => db.close(),
  };
}
