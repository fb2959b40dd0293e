import { authorize, type Caller, may, visibleAlbums } from "../domain/caller.ts";
import { imageNotFound } from "../domain/errors.ts";
import type { Image, ImagePatch, StoredContent, StoredImage } from "../domain/image.ts";
import type { Page } from "../domain/page.ts";
import {
  type Asking,
  type ImageTarget,
  toDeleteImage,
  toForgetDescription,
  toUpdateImage,
} from "../domain/requests.ts";
import type { AlbumRef } from "../domain/visibility.ts";
import type { ImageQuery } from "../ports.ts";
import { fillPage } from "./fill-page.ts";
import { type RequestCatalog, readsAtOnce } from "./request-catalog.ts";
import { requireAlbum } from "./require-album.ts";

export interface ImageDeps {
  readonly catalog: RequestCatalog;
}

/** Whom an answer is for. */
interface ByCaller {
  readonly caller: Caller;
}

/** Those that the caller may read: with `albumId` of an album, else of all. */
export async function listImages(
  { catalog }: ImageDeps,
  caller: Caller,
  query: Omit<ImageQuery, "visibility">,
  options: { readonly signal: AbortSignal },
): Promise<Page<Image>> {
  authorize(caller, "read");
  const visibility = visibleAlbums(caller, "read");
  return fillPage((part: ImageQuery) => catalog.images(part), { ...query, visibility }, options);
}

interface NamedImage extends ByCaller {
  readonly album: string;
  readonly name: string;
}

/** @throws StoreError `album_not_found`, `image_not_found`, `forbidden` */
export async function getImage({ catalog }: ImageDeps, { caller, album, name }: NamedImage): Promise<StoredImage> {
  const stored = await catalog.image(album, name, visibleAlbums(caller, "read"));
  return stored ?? explainMissing({ catalog }, caller, album);
}

/** @throws StoreError `image_not_found`, `forbidden` */
export async function getImageById(
  { catalog }: ImageDeps,
  { caller, id }: ByCaller & { readonly id: string },
): Promise<StoredImage> {
  return (await catalog.imageById(id, visibleAlbums(caller, "read"))) ?? explainMissingId({ catalog }, caller, id);
}

/** @throws StoreError `album_not_found`, `image_not_found`, `forbidden` */
export async function getContent({ catalog }: ImageDeps, of: NamedImage & ContentNeed): Promise<StoredContent> {
  const { album, caller, name, need } = of;
  const stored = await catalog.content(album, name, visibleAlbums(caller, need));
  if (stored !== undefined) return stored;
  const found = await requireAlbum({ catalog }, caller, "read", album);
  if (!may(caller, need, found)) {
    await getImage({ catalog }, of);
    authorize(caller, need, found);
  }
  throw imageNotFound();
}

/** @throws StoreError `image_not_found`, also when it has other bytes than `sha256`; `forbidden` */
export async function getContentVersion(
  { catalog }: ImageDeps,
  { caller, id, need, sha256 }: ByCaller & ContentNeed & { readonly id: string; readonly sha256: string },
): Promise<StoredContent> {
  const visibility = visibleAlbums(caller, need);
  const stored = await catalog.contentById(id, visibility);
  if (stored?.image.sha256 === sha256) return stored;
  if (stored !== undefined || visibility === "all") throw imageNotFound();
  const readable = await catalog.contentById(id, visibleAlbums(caller, "read"));
  if (readable === undefined) return explainMissingId({ catalog }, caller, id);
  if (readable.image.sha256 !== sha256) throw imageNotFound();
  return explainMissingId({ catalog }, caller, id, need);
}

/** What of the content the caller is to get: `originals` where it is the bytes as uploaded, but for a location in them. */
interface ContentNeed {
  readonly need: "read" | "originals";
}

/** Whose content is meant: an image by its name, or one version of its bytes by id and digest. */
export type ContentRef = ByCaller &
  ContentNeed &
  ({ readonly album: string; readonly name: string } | { readonly id: string; readonly sha256: string });

/** {@link getContent} or {@link getContentVersion}. */
export const findContent = (deps: ImageDeps, ref: ContentRef): Promise<StoredContent> =>
  "id" in ref ? getContentVersion(deps, ref) : getContent(deps, ref);

/** Whether a grant of the caller's own lets it read this, and not only that the album is public. */
export async function isContentGranted({ catalog }: ImageDeps, ref: ContentRef): Promise<boolean> {
  const albums = visibleAlbums(ref.caller, "read");
  if (albums === "all") return true;
  const granted = { ...albums, public: false };
  const found = "id" in ref ? catalog.contentById(ref.id, granted) : catalog.content(ref.album, ref.name, granted);
  return (await found) !== undefined;
}

/** Why a caller gets nothing under a name. @throws StoreError */
async function explainMissing(deps: ImageDeps, caller: Caller, album: string): Promise<never> {
  await requireAlbum(deps, caller, "read", album);
  throw imageNotFound();
}

/** Why a caller gets nothing under an id: the album may be one that it sees for another right. @throws StoreError */
async function explainMissingId(
  { catalog }: ImageDeps,
  caller: Caller,
  id: string,
  need: ContentNeed["need"] = "read",
): Promise<never> {
  const seen = await catalog.imageById(id, visibleAlbums(caller));
  if (seen !== undefined) authorize(caller, need, albumOf(seen.image));
  throw imageNotFound();
}

const albumOf = ({ albumId, album }: Image): AlbumRef => ({ id: albumId, name: album });

/**
 * @throws StoreError `album_not_found`, `image_not_found`, `forbidden`, `image_exists`, `precondition_failed`,
 * `invalid_request`
 */
export const updateImage = async (
  { catalog }: ImageDeps,
  target: Asking & ImageTarget,
  patch: ImagePatch,
): Promise<Image> => catalog.write(await toUpdateImage(catalog, target, { ...target, patch }));

/**
 * Has the image described again: after an upgrade, or where the first attempt went wrong.
 * @throws StoreError `image_not_found`, `forbidden`
 */
export const describeImageAgain = async (
  { catalog }: ImageDeps,
  input: Asking & { readonly id: string },
): Promise<Image> => catalog.write(await toForgetDescription(catalog, input, input));

/** @throws StoreError `album_not_found`, `image_not_found`, `forbidden`, `precondition_failed` */
export async function deleteImage({ catalog }: ImageDeps, target: Asking & ImageTarget): Promise<void> {
  const { caller, album, name } = target;
  const change = await toDeleteImage(catalog, target, target);
  // Only the transaction decides that it is there; a precondition counts only then.
  if (readsAtOnce(catalog) && (await catalog.image(album, name, visibleAlbums(caller, "delete"))) === undefined)
    throw imageNotFound();
  await catalog.write(change);
}
