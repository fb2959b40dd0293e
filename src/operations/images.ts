import { type MaybePromise, whenKnown } from "../concurrency/maybe-promise.ts";
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
export const getImage = (deps: ImageDeps, { caller, album, name }: NamedImage): MaybePromise<StoredImage> =>
  whenKnown(
    deps.catalog.image(album, name, visibleAlbums(caller, "read")),
    (stored) => stored ?? explainMissing(deps, caller, album),
  );

/** @throws StoreError `image_not_found`, `forbidden` */
export const getImageById = (
  deps: ImageDeps,
  { caller, id }: ByCaller & { readonly id: string },
): MaybePromise<StoredImage> =>
  whenKnown(
    deps.catalog.imageById(id, visibleAlbums(caller, "read")),
    (stored) => stored ?? explainMissingId(deps, caller, id),
  );

/** @throws StoreError `album_not_found`, `image_not_found`, `forbidden` */
const getContent = (deps: ImageDeps, of: NamedContent): MaybePromise<StoredContent> =>
  whenKnown(
    deps.catalog.content(of.album, of.name, visibleAlbums(of.caller, of.need)),
    (stored) => stored ?? explainMissingContent(deps, of),
  );

async function explainMissingContent({ catalog }: ImageDeps, of: NamedContent): Promise<never> {
  const { album, caller, need } = of;
  const found = await requireAlbum({ catalog }, caller, "read", album);
  if (!may(caller, need, found)) {
    await getImage({ catalog }, of);
    authorize(caller, need, found);
  }
  throw imageNotFound();
}

/** @throws StoreError `image_not_found`, also when it has other bytes than `sha256`; `forbidden` */
const getContentVersion = (deps: ImageDeps, of: ContentVersion): MaybePromise<StoredContent> =>
  whenKnown(deps.catalog.contentById(of.id, visibleAlbums(of.caller, of.need)), (stored) =>
    stored?.image.sha256 === of.sha256 ? stored : explainMissingVersion(deps, of, stored),
  );

async function explainMissingVersion(
  { catalog }: ImageDeps,
  { caller, id, need, sha256 }: ContentVersion,
  stored: StoredContent | undefined,
): Promise<never> {
  if (stored !== undefined || visibleAlbums(caller, need) === "all") throw imageNotFound();
  const readable = await catalog.contentById(id, visibleAlbums(caller, "read"));
  if (readable === undefined) return explainMissingId({ catalog }, caller, id);
  if (readable.image.sha256 !== sha256) throw imageNotFound();
  return explainMissingId({ catalog }, caller, id, need);
}

/** What of the content the caller is to get: `originals` where it is the bytes as uploaded, but for a location in them. */
interface ContentNeed {
  readonly need: "read" | "originals";
}

type NamedContent = NamedImage & ContentNeed;
type ContentVersion = ByCaller & ContentNeed & { readonly id: string; readonly sha256: string };
/** Whose content is meant: an image by its name, or one version of its bytes by id and digest. */
export type ContentRef = NamedContent | ContentVersion;

/** @throws StoreError as for the one or the other */
export const findContent = (deps: ImageDeps, ref: ContentRef): MaybePromise<StoredContent> =>
  "id" in ref ? getContentVersion(deps, ref) : getContent(deps, ref);

/** Whether a grant of the caller's own lets it read this, and not only that the album is public. */
export function isContentGranted({ catalog }: ImageDeps, ref: ContentRef): MaybePromise<boolean> {
  const albums = visibleAlbums(ref.caller, "read");
  if (albums === "all") return true;
  const granted = { ...albums, public: false };
  const found = "id" in ref ? catalog.contentById(ref.id, granted) : catalog.content(ref.album, ref.name, granted);
  return whenKnown(found, (content) => content !== undefined);
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
