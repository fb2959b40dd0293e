import { type AlbumSet, prefixOf, type Visibility } from "../../../domain/visibility.ts";
import type { Driver, SqlValue } from "../driver.ts";
import { afterPrefix, MAX_ENTRIES } from "./ranges.ts";

type Bind = (value: SqlValue) => string;

/**
 * Returns ` and …`, the condition that an album is visible; empty if all are. `id` and `name` must be expressions, so the engine
 * stays with the index that the query walks.
 */
export function andVisible(visibility: Visibility, album: AlbumExpressions, bind: Bind): string {
  return visibility === "all" ? "" : ` and ${visibleCondition(visibility, album, bind)}`;
}

interface AlbumExpressions {
  readonly id: string;
  readonly name: string;
  /** A condition; undefined where public albums do not count. */
  readonly isPublic?: string;
}

export function visibleCondition(visibility: AlbumSet, album: AlbumExpressions, bind: Bind): string {
  const { ids, names } = visibility;
  const exact = names.filter((pattern) => prefixOf(pattern) === undefined);
  const prefixes = names.map(prefixOf).filter((prefix) => prefix !== undefined);
  const conditions = [
    ...(ids.length === 0 ? [] : [`${album.id} in (${ids.map(bind).join(", ")})`]),
    ...(exact.length === 0 ? [] : [`${album.name} in (${exact.map(bind).join(", ")})`]),
    // Both engines count code points.
    ...prefixes.map((prefix) => `substr(${album.name}, 1, ${bind(Array.from(prefix).length)}) = ${bind(prefix)}`),
    ...(visibility.public && album.isPublic !== undefined ? [album.isPublic] : []),
  ];
  return conditions.length === 0 ? "1 = 0" : `(${conditions.join(" or ")})`;
}

/** The expressions for the albums table under this alias. */
export const columnsOf = (alias: string) => ({
  id: `${alias}.id || ''`,
  name: `${alias}.name || ''`,
  isPublic: `${alias}.public + 0 = 1`,
});

const entriesWhere = (condition: string) =>
  `select id as entry from (select id from albums where state = 'live' and ${condition} limit ${MAX_ENTRIES + 1}) v`;

/** Selects the ids of visible albums by index, at most one more than {@link MAX_ENTRIES} for each way to see them. */
export function visibleAlbumEntries({ ids, names, public: withPublic }: AlbumSet, bind: Bind): string {
  const found = [
    ...(withPublic ? [entriesWhere("public = 1 order by id")] : []),
    ...(ids.length === 0 ? [] : [entriesWhere(`id in (${ids.map(bind).join(", ")})`)]),
    ...names.map((pattern) => {
      const prefix = prefixOf(pattern);
      if (prefix === undefined) return entriesWhere(`name = ${bind(pattern)}`);
      const end = afterPrefix(prefix);
      const below = end === null ? "" : ` and name < ${bind(end)}`;
      return entriesWhere(`name >= ${bind(prefix)}${below} order by name`);
    }),
  ];
  return found.length === 0 ? "select '' as entry from albums where 1 = 0" : found.join(" union ");
}

/** Selects the ids of images in visible albums, at most one more than {@link MAX_ENTRIES}. */
const visibleImageEntries = (visibility: AlbumSet, bind: Bind): string =>
  `select x.id as entry from (${visibleAlbumEntries(visibility, bind)}) w cross join images x
   where x.album_id = w.entry limit ${MAX_ENTRIES + 1}`;

export type Entries = (bind: Bind) => string;

/** How many albums are visible, if they are few enough; else undefined. */
export const countFewVisibleAlbums = (db: Driver, visibility: AlbumSet): Promise<number | undefined> =>
  countFew(db, (bind) => visibleAlbumEntries(visibility, bind));

/** The ids of visible albums, if they are few enough to be read and sorted for each page; else undefined. */
export async function fewVisibleAlbums(db: Driver, visibility: Visibility): Promise<Entries | undefined> {
  if (visibility === "all") return undefined;
  const entries: Entries = (bind) => visibleAlbumEntries(visibility, bind);
  return (await areFew(db, entries)) ? entries : undefined;
}

/** The ids of images in visible albums, if they are few enough; else undefined. */
export async function fewVisibleImages(db: Driver, visibility: Visibility): Promise<Entries | undefined> {
  if (visibility === "all" || (await fewVisibleAlbums(db, visibility)) === undefined) return undefined;
  const entries: Entries = (bind) => visibleImageEntries(visibility, bind);
  return (await areFew(db, entries)) ? entries : undefined;
}

export const areFew = async (db: Driver, entries: Entries): Promise<boolean> =>
  (await countFew(db, entries)) !== undefined;

/** How many entries there are; undefined if more than {@link MAX_ENTRIES}. */
export async function countFew(db: Driver, entries: Entries): Promise<number | undefined> {
  const values: SqlValue[] = [];
  const sql = entries((value) => `$${values.push(value)}`);
  const found = await db.get<{ count: number }>(`select count(*) as count from (${sql}) c`, values);
  return found === undefined || found.count > MAX_ENTRIES ? undefined : found.count;
}
