import { StoreError } from "./errors.ts";
import { jsonBytes, MAX_METADATA_BYTES, MAX_METADATA_KEYS, MAX_TAGS_BYTES } from "./text.ts";

export type Metadata = Readonly<Record<string, string>>;

export const VISIBILITIES = ["private", "public"] as const;
/** `public`: every caller may read it. */
export type AlbumVisibility = (typeof VISIBILITIES)[number];

/** The text that a client sets on an album, apart from its name. */
export interface AlbumFields {
  readonly title: string | null;
  readonly description: string | null;
  readonly metadata: Metadata;
}

/** What a client sets on an album as a whole. Without `visibility` a new album is private, and another keeps what it has. */
export interface AlbumWish extends AlbumFields {
  readonly visibility?: AlbumVisibility | undefined;
}

/** An album as the API gives it. Times are RFC 3339 in UTC with milliseconds; `revision` grows with each change. */
export interface Album extends AlbumFields {
  readonly id: string;
  readonly name: string;
  readonly visibility: AlbumVisibility;
  readonly imageCount: number;
  /** Of the originals together. */
  readonly byteCount: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** Fields of {@link Album} that records stored by earlier versions lack, as a new album has them. */
export const ADDED_ALBUM_FIELDS = { visibility: "private", byteCount: 0 } as const satisfies Partial<Album>;
/** An album in an event, which may be of an earlier version. */
export type LoggedAlbum = Omit<Album, keyof typeof ADDED_ALBUM_FIELDS> &
  Partial<Pick<Album, keyof typeof ADDED_ALBUM_FIELDS>>;

/** A merge patch (RFC 7396) whose shape was validated; `null` removes, and what is absent stays. */
export interface TextPatch {
  readonly name?: string | undefined;
  readonly title?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, string | null>> | null | undefined;
}

export interface AlbumPatch extends TextPatch {
  readonly visibility?: AlbumVisibility | undefined;
}

export const EMPTY_ALBUM_FIELDS: AlbumFields = { title: null, description: null, metadata: {} };

/**
 * The name and fields after the patch.
 * @throws StoreError `invalid_request` when the merged metadata is too long
 */
export function patchAlbum(album: AlbumFields & { name: string }, patch: AlbumPatch): AlbumWish & { name: string } {
  const patched = {
    name: patch.name ?? album.name,
    title: patch.title === undefined ? album.title : patch.title,
    description: patch.description === undefined ? album.description : patch.description,
    metadata: patchMetadata(album.metadata, patch.metadata),
  };
  if (isMerge(patch)) requireTextBounds(patched);
  return { ...patched, visibility: patch.visibility };
}

export function patchMetadata(metadata: Metadata, patch: TextPatch["metadata"]): Metadata {
  if (patch === undefined) return metadata;
  if (patch === null) return {};
  const merged = new Map(Object.entries(metadata));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key);
    else merged.set(key, value);
  }
  return Object.fromEntries(merged);
}

/**
 * The bounds on what the schema of a field can't bound: the JSON of tags, and `metadata`, which may be the result of a merge.
 * @throws StoreError `invalid_request`
 */
export function requireTextBounds(fields: {
  readonly metadata?: Metadata | undefined;
  readonly tags?: readonly string[] | null | undefined;
}): void {
  const { metadata = {}, tags } = fields;
  if (Object.keys(metadata).length > MAX_METADATA_KEYS) refuse("/metadata", `at most ${MAX_METADATA_KEYS} keys`);
  if (jsonBytes(metadata) > MAX_METADATA_BYTES) refuse("/metadata", `at most ${MAX_METADATA_BYTES} bytes as JSON`);
  if (jsonBytes(tags ?? []) > MAX_TAGS_BYTES) refuse("/tags", `at most ${MAX_TAGS_BYTES} bytes as JSON`);
}

/** Whether the result depends on members that are stored: what only removes members always fits. */
export const isMerge = ({ metadata }: TextPatch): boolean =>
  Object.values(metadata ?? {}).some((value) => value !== null);

function refuse(pointer: string, detail: string): never {
  throw new StoreError("invalid_request", "The text is too long.", { errors: [{ pointer, detail }] });
}
