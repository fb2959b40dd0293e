import type { AlbumVisibility } from "./album.ts";

/**
 * Which albums a caller sees, with their images and events. Every query that answers a request takes it, as a predicate:
 * an album that it leaves out is not there, so pages stay full and counts tell nothing of it.
 */
export type Visibility = "all" | AlbumSet;

/** Albums by their ids, or by their names as they are at the time. Empty: none. */
export interface AlbumSet {
  readonly ids: readonly string[];
  readonly names: readonly NamePattern[];
  /** Public albums too. Events do not count them: to read a public album is not to follow what is done to it. */
  readonly public: boolean;
}

/** A name, or with `*` at its end the beginning of names. */
export type NamePattern = string;

/** An album, or with a name alone one that may be made under it. A record is one as it stands. */
export interface AlbumRef {
  readonly id?: string;
  readonly name: string;
  /** Absent where it is not known: as private. */
  readonly visibility?: AlbumVisibility;
}

export const includesAlbum = (albums: Visibility, { id, name, visibility }: AlbumRef): boolean =>
  albums === "all" ||
  (id !== undefined && albums.ids.includes(id)) ||
  (albums.public && visibility === "public") ||
  albums.names.some((pattern) => matchesName(pattern, name));

const matchesName = (pattern: NamePattern, name: string): boolean => {
  const prefix = prefixOf(pattern);
  return prefix === undefined ? name === pattern : name.startsWith(prefix);
};

/** What names must begin with; undefined for a pattern that is one name. */
export const prefixOf = (pattern: NamePattern): string | undefined =>
  pattern.endsWith("*") ? pattern.slice(0, -1) : undefined;
