import { StoreError } from "./errors.ts";
import { jsonBytes, MAX_METADATA_BYTES, MAX_METADATA_KEYS, MAX_TEXT_BYTES } from "./text.ts";

export type Metadata = Readonly<Record<string, string>>;

/** What a client sets on an album, apart from its name. */
export interface AlbumFields {
  readonly title: string | null;
  readonly description: string | null;
  readonly metadata: Metadata;
}

/** An album as the API gives it. Times are RFC 3339 in UTC with milliseconds; `revision` grows with each change. */
export interface Album extends AlbumFields {
  readonly id: string;
  readonly name: string;
  readonly imageCount: number;
  readonly revision: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** A merge patch (RFC 7396) whose shape was validated; `null` removes, and what is absent stays. */
export interface AlbumPatch {
  readonly name?: string | undefined;
  readonly title?: string | null | undefined;
  readonly description?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, string | null>> | null | undefined;
}

export const EMPTY_ALBUM_FIELDS: AlbumFields = { title: null, description: null, metadata: {} };

/**
 * The name and fields after the patch.
 * @throws StoreError `invalid_request` when the result breaks a bound that no single field shows
 */
export function patchAlbum(album: AlbumFields & { name: string }, patch: AlbumPatch): AlbumFields & { name: string } {
  const patched = {
    name: patch.name ?? album.name,
    title: patch.title === undefined ? album.title : patch.title,
    description: patch.description === undefined ? album.description : patch.description,
    metadata: patchMetadata(album.metadata, patch.metadata),
  };
  requireTextBounds(patched);
  return patched;
}

export function patchMetadata(metadata: Metadata, patch: AlbumPatch["metadata"]): Metadata {
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
 * The bounds on an item's text that hold over several fields, and over a merged `metadata`.
 * @throws StoreError `invalid_request`
 */
export function requireTextBounds(item: { readonly name: string; readonly metadata: Metadata }): void {
  const { metadata } = item;
  if (Object.keys(metadata).length > MAX_METADATA_KEYS) refuse("/metadata", `at most ${MAX_METADATA_KEYS} keys`);
  if (jsonBytes(metadata) > MAX_METADATA_BYTES) refuse("/metadata", `at most ${MAX_METADATA_BYTES} bytes as JSON`);
  if (jsonBytes(item) > MAX_TEXT_BYTES) refuse("", `all text together: at most ${MAX_TEXT_BYTES} bytes as JSON`);
}

function refuse(pointer: string, detail: string): never {
  throw new StoreError("invalid_request", "The text is too long.", { errors: [{ pointer, detail }] });
}
