import { isDeepStrictEqual } from "node:util";
import type { Album, AlbumPatch, Image, ImagePatch } from "../../../../client/src/index.ts";
import type { TargetAlbum, TargetImage } from "./target.ts";

type AlbumText = Pick<Album, "title" | "description" | "metadata" | "visibility">;
type ImageText = Pick<Image, "title" | "description" | "metadata"> &
  Partial<Pick<Image, "focalPoint">> & { readonly tags: readonly string[] };

const sorted = (metadata: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** What clients set, in one form: equal texts are equal fields. */
export const albumFields = ({ title, description, metadata, visibility }: AlbumText): string =>
  JSON.stringify({ title, description, metadata: sorted(metadata), visibility });

export const imageFields = ({ title, description, metadata, tags, focalPoint = null }: ImageText): string =>
  JSON.stringify({
    title,
    description,
    metadata: sorted(metadata),
    tags,
    focalPoint: focalPoint && { x: focalPoint.x, y: focalPoint.y },
  });

/** Of a record of the target. */
export const toTargetAlbum = (album: AlbumText & Pick<Album, "id" | "name">): TargetAlbum => ({
  id: album.id,
  name: album.name,
  fields: albumFields(album),
});

export function toTargetImage(image: ImageText & Pick<Image, "id" | "albumId" | "name" | "sha256">): TargetImage {
  const { id, albumId, name, sha256 } = image;
  return { id, albumId, name, sha256, fields: imageFields(image) };
}

/** What has to change, and the name with it; undefined if nothing has. */
export function albumPatch(
  before: { readonly name: string; readonly fields: string },
  { name, ...after }: Album,
): AlbumPatch | undefined {
  return patchOf(before, name, albumFields(after));
}

export function imagePatch(
  before: { readonly name: string; readonly fields: string },
  { name, ...after }: Image,
): ImagePatch | undefined {
  return patchOf(before, name, imageFields(after));
}

function patchOf(before: { readonly name: string; readonly fields: string }, name: string, fields: string) {
  if (before.name === name && before.fields === fields) return undefined;
  const [old, next] = [JSON.parse(before.fields), JSON.parse(fields)] as [Fields, Fields];
  const changed = Object.entries(next).filter(([field, value]) => !isDeepStrictEqual(value, old[field]));
  const patch: Record<string, unknown> = Object.fromEntries(changed);
  // A merge patch removes members of metadata only by their names.
  if ("metadata" in patch) {
    const gone = Object.keys(old.metadata).map((member) => [member, null] as const);
    patch["metadata"] = { ...Object.fromEntries(gone), ...next.metadata };
  }
  if (before.name !== name) patch["name"] = name;
  return patch;
}

interface Fields extends Readonly<Record<string, unknown>> {
  readonly metadata: Readonly<Record<string, string>>;
}
