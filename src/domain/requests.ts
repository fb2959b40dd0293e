/** Makes changes of what requests ask for: finds the records that they name, and decides whether the caller may do it. */
import { forbidden, type Right } from "./access.ts";
import { type Album, type AlbumPatch, isMerge, requireTextBounds } from "./album.ts";
import type { BatchOperation } from "./batch.ts";
import {
  authorize,
  type Caller,
  may,
  mayEverywhere,
  requesterOf,
  rightsByName,
  visibleAlbums,
  wholeOriginals,
} from "./caller.ts";
import type {
  Change,
  CreateAlbum,
  DeleteAlbum,
  DeleteImage,
  ForgetDescription,
  MoveImage,
  PutAlbum,
  UpdateAlbum,
  UpdateImage,
} from "./change.ts";
import { albumNotFound, imageNotFound, targetNotFound } from "./errors.ts";
import type { Image, ImagePatch } from "./image.ts";
import type {
  AlbumCreation,
  AlbumDeletion,
  AlbumUpdate,
  Asking,
  Conditional,
  ImageMove,
  ImageTarget,
} from "./request-types.ts";
import type { Preconditions, RecordVersion, Requester } from "./requested.ts";
import type { PublicOriginals } from "./variant.ts";
import { type AlbumRef, includesAlbum, type Visibility } from "./visibility.ts";

export type {
  AlbumCreation,
  AlbumDeletion,
  AlbumUpdate,
  Asking,
  Conditional,
  ImageMove,
  ImageTarget,
} from "./request-types.ts";

/** Finds the records that requests name: as they are stored, or in a batch as its earlier operations left them. */
export interface Lookup {
  /** Of live albums, those that are visible. */
  album(name: string, visibility: Visibility): Promise<Album | undefined>;
  imageById(id: string, visibility: Visibility): Promise<{ readonly image: Image } | undefined>;
}

type Attributed<C> = C & { readonly by: Requester };

/** @throws StoreError `forbidden`, `invalid_request` */
export function toCreateAlbum({ caller, traceparent }: Asking, creation: AlbumCreation): Attributed<CreateAlbum> {
  const { id, name, fields } = creation;
  authorize(caller, "write", { name });
  requireTextBounds(fields);
  return { type: "createAlbum", id, name, fields, ...given({ caller, traceparent }, "write") };
}

/** @throws StoreError `album_not_found`, `forbidden`, `invalid_request` */
export async function toPutAlbum(
  lookup: Pick<Lookup, "album">,
  asking: Asking,
  { id, name, fields, preconditions }: AlbumCreation & Conditional,
): Promise<Attributed<PutAlbum>> {
  // Where the caller may not make it, it may be there, under an id that the caller may write to.
  if (!may(asking.caller, "write", { name })) await requireAlbum(lookup, asking.caller, "write", name);
  requireTextBounds(fields);
  return { type: "putAlbum", id, name, fields, ...given(asking, "write", preconditions) };
}

/** @throws StoreError `album_not_found`, `forbidden` */
export async function toUpdateAlbum(
  lookup: Pick<Lookup, "album">,
  asking: Asking,
  { name, patch, preconditions }: AlbumUpdate,
): Promise<Attributed<UpdateAlbum>> {
  const { caller } = asking;
  const album = await requireAlbum(lookup, caller, "write", name);
  authorizePatch(caller, patch, album);
  // A name is taken from all who could have it: the album that gets it needs no less than a new one.
  if (patch.name !== undefined) authorize(caller, "write", { name: patch.name });
  return {
    type: "updateAlbum",
    albumId: album.id,
    patch,
    named: rightsByName(caller),
    ...given(asking, "write", preconditions),
  };
}

/** @throws StoreError `album_not_found`, `forbidden` */
export async function toDeleteAlbum(
  lookup: Pick<Lookup, "album">,
  asking: Asking,
  { name, recursive, preconditions }: AlbumDeletion,
): Promise<Attributed<DeleteAlbum>> {
  const { id } = await requireAlbum(lookup, asking.caller, "delete", name);
  return { type: "deleteAlbum", albumId: id, recursive, ...given(asking, "delete", preconditions) };
}

/** @throws StoreError `album_not_found`, `forbidden` */
export async function toUpdateImage(
  lookup: Pick<Lookup, "album">,
  asking: Asking,
  { album, name, patch, preconditions }: ImageTarget & { readonly patch: ImagePatch },
): Promise<Attributed<UpdateImage>> {
  const { id: albumId } = await requireAlbum(lookup, asking.caller, "write", album);
  authorizePatch(asking.caller, patch, { id: albumId, name: album });
  return { type: "updateImage", albumId, name, patch, ...given(asking, "write", preconditions) };
}

/** @throws StoreError `album_not_found`, `forbidden` */
export async function toDeleteImage(
  lookup: Pick<Lookup, "album">,
  asking: Asking,
  { album, name, preconditions }: ImageTarget,
): Promise<Attributed<DeleteImage>> {
  const { id: albumId } = await requireAlbum(lookup, asking.caller, "delete", album);
  return { type: "deleteImage", albumId, name, ...given(asking, "delete", preconditions) };
}

/**
 * A caller who may do this could as well download the image, upload it to the other album and delete it: by a move it gains nothing.
 * @throws StoreError `album_not_found`, `forbidden`, `original_not_shared`
 */
export async function toMoveImage(
  lookup: Pick<Lookup, "album">,
  asking: Asking,
  { album, name, target, ifExists, preconditions, publicOriginals }: ImageMove,
): Promise<Attributed<MoveImage>> {
  const { caller } = asking;
  const { id: albumId } = await requireOriginals(lookup, caller, album, publicOriginals, "delete");
  const to = await requireDestination(lookup, caller, target.album);
  return {
    type: "moveImage",
    albumId,
    name,
    readable: wholeOriginals(caller, publicOriginals),
    target: {
      albumId: to.id,
      ...(target.name === undefined ? {} : { name: target.name }),
      addable: visibleAlbums(caller, "add"),
      replaceable: visibleAlbums(caller, "delete"),
    },
    ifExists,
    ...given(asking, "delete", preconditions),
  };
}

/**
 * The album whose images the caller may take as they were uploaded.
 * @throws StoreError `album_not_found`, `forbidden`, `original_not_shared`
 */
export async function requireOriginals(
  lookup: Pick<Lookup, "album">,
  caller: Caller,
  name: string,
  publicOriginals: PublicOriginals,
  right: Right,
): Promise<Album> {
  const album = await requireAlbum(lookup, caller, right, name);
  authorize(caller, "originals", album);
  if (includesAlbum(wholeOriginals(caller, publicOriginals), album)) return album;
  throw forbidden(
    "read",
    "The store gives the public no original with its location, so none is taken from a public album.",
  );
}

/** @throws StoreError `album_not_found`, `forbidden` */
export async function requireDestination(lookup: Pick<Lookup, "album">, caller: Caller, name: string): Promise<Album> {
  const album = await lookup.album(name, visibleAlbums(caller));
  if (album === undefined) throw targetNotFound();
  authorize(caller, "add", album);
  return album;
}

/** @throws StoreError `image_not_found`, `forbidden` */
export async function toForgetDescription(
  lookup: Pick<Lookup, "imageById">,
  asking: Asking,
  { id }: { readonly id: string },
): Promise<Attributed<ForgetDescription>> {
  const { caller } = asking;
  if (!mayEverywhere(caller, "write")) {
    const seen = await lookup.imageById(id, visibleAlbums(caller));
    if (seen === undefined) throw imageNotFound();
    authorize(caller, "write", { id: seen.image.albumId, name: seen.image.album });
  }
  return { type: "forgetDescription", imageId: id, ...given(asking, "write") };
}

const WRITE: readonly Right[] = ["write"];
/** Of operations that need another right. */
const RIGHTS_OF: Readonly<Partial<Record<BatchOperation["type"], readonly Right[]>>> = {
  deleteAlbum: ["delete"],
  deleteImage: ["delete"],
  moveImage: ["read", "delete"],
};

/**
 * The change that the operation asks for.
 * @throws StoreError what its own request would be refused with
 */
export async function toChange(lookup: Lookup, asking: Asking, operation: BatchOperation): Promise<Change> {
  // As its route does, before it looks for a record.
  for (const right of RIGHTS_OF[operation.type] ?? WRITE) authorize(asking.caller, right);
  switch (operation.type) {
    case "createAlbum":
      return toCreateAlbum(asking, operation);
    case "putAlbum":
      return toPutAlbum(lookup, asking, operation);
    case "updateAlbum":
      return toUpdateAlbum(lookup, asking, operation);
    case "deleteAlbum":
      return toDeleteAlbum(lookup, asking, operation);
    case "updateImage":
      return toUpdateImage(lookup, asking, operation);
    case "deleteImage":
      return toDeleteImage(lookup, asking, operation);
    case "moveImage":
      return toMoveImage(lookup, asking, operation);
    default:
      return toForgetDescription(lookup, asking, operation);
  }
}

/**
 * The live album of that name, where the caller has the right on it.
 * @throws StoreError `album_not_found`, also where the caller has no right on it; `forbidden` where it has another
 */
export async function requireAlbum(
  lookup: Pick<Lookup, "album">,
  caller: Caller,
  right: Right,
  name: string,
): Promise<Album> {
  const album = await lookup.album(name, visibleAlbums(caller));
  if (album === undefined) throw albumNotFound();
  authorize(caller, right, album);
  return album;
}

/**
 * Whether a merge fits would tell a caller without the right `read` how much is stored, and under which keys.
 * @throws StoreError `forbidden`
 */
function authorizePatch(caller: Caller, patch: AlbumPatch, album: AlbumRef): void {
  if (!isMerge(patch) || may(caller, "read", album)) return;
  throw forbidden(
    "read",
    'To set members of "metadata" by a merge patch needs the right "read"; to remove them does not.',
  );
}

/** What a change says of its request. */
const given = ({ caller, traceparent }: Asking, right: Right, preconditions?: Preconditions<RecordVersion>) => ({
  by: requesterOf(caller, right),
  ...(traceparent === undefined ? {} : { traceparent }),
  ...(preconditions === undefined ? {} : { preconditions }),
});
